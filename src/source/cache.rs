//! Caches that all scenes share.

use std::sync::{Mutex, PoisonError};

use crate::remote;

/// A cache of the whole process, whose bound is the sum of what its users were promised.
#[derive(Debug)]
pub(crate) struct Cache {
    promised: Mutex<usize>,
    limit: fn(usize),
}

/// GDAL's decoded blocks.
pub(crate) static DECODED: Cache = Cache { promised: Mutex::new(0), limit: limit_cache };

/// What was read of objects in stores.
pub(crate) static STORED: Cache = Cache { promised: Mutex::new(0), limit: remote::limit_cache };

/// What a user of a cache was promised, as long as this is held. When the last one ends, the bound stays.
#[derive(Debug)]
#[must_use = "the share ends when it is dropped"]
pub(crate) struct Share {
    cache: &'static Cache,
    bytes: usize,
}

impl Cache {
    /// Promises bytes.
    pub(crate) fn share(&'static self, bytes: usize) -> Share {
        self.add(bytes, 0);
        Share { cache: self, bytes }
    }

    fn add(&self, more: usize, less: usize) {
        let mut promised = self.promised.lock().unwrap_or_else(PoisonError::into_inner);
        *promised = *promised + more - less;
        if *promised > 0 {
            (self.limit)(*promised);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.cache.add(0, self.bytes);
    }
}

/// Bounds GDAL's block cache, for the whole process.
pub(crate) fn limit_cache(bytes: usize) {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    // SAFETY: sets a number inside GDAL under its own lock; no pointer is involved.
    unsafe { gdal_sys::GDALSetCacheMax64(bytes) };
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static BOUND: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn the_bound_is_the_sum_of_all_shares() {
        static CACHE: Cache = Cache { promised: Mutex::new(0), limit: |bytes| BOUND.store(bytes, Ordering::Relaxed) };
        let bound = || BOUND.load(Ordering::Relaxed);
        let first = CACHE.share(3);
        let second = CACHE.share(4);
        assert_eq!(bound(), 7);
        drop(first);
        assert_eq!(bound(), 4);
        drop(second);
        assert_eq!(bound(), 4, "the last one's stays");
        let _third = CACHE.share(2);
        assert_eq!(bound(), 2);
    }
}
