//! GDAL's cache of decoded blocks.

/// Bounds GDAL's block cache, for the whole process.
pub(crate) fn limit_cache(bytes: usize) {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    // SAFETY: sets a number inside GDAL under its own lock; no pointer is involved.
    unsafe { gdal_sys::GDALSetCacheMax64(bytes) };
}
