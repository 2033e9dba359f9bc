//! What the whole program may use.

use swath::plan::Plan;

use super::fail::AnyError;

/// Bounds the threads that compute. Called once, before anything else has started a thread.
pub(super) fn use_threads(threads: usize) -> Result<(), AnyError> {
    // SAFETY: the program has one thread so far, so nobody reads the environment meanwhile. candle's own pools ask for this variable and for
    // nothing else.
    unsafe { std::env::set_var("RAYON_NUM_THREADS", threads.to_string()) };
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    Ok(())
}

/// Gives GDAL the block cache that was planned.
pub(super) fn use_cache(plan: &Plan) {
    let bytes = i64::try_from(plan.memory.cache).unwrap_or(i64::MAX);
    // SAFETY: sets a number inside GDAL under its own lock; no pointer is involved.
    unsafe { gdal_sys::GDALSetCacheMax64(bytes) };
}
