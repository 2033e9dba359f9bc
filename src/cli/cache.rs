//! What GDAL may use.

use swath::plan::Plan;

/// Gives GDAL the block cache that was planned.
pub(super) fn use_planned(plan: &Plan) {
    let bytes = i64::try_from(plan.memory.cache).unwrap_or(i64::MAX);
    // SAFETY: sets a number inside GDAL under its own lock; no pointer is involved.
    unsafe { gdal_sys::GDALSetCacheMax64(bytes) };
}
