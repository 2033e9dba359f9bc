//! A slice that several threads write, each in its own places.
#![expect(unsafe_code, reason = "the places interleave, so that no safe split exists")]

use std::marker::PhantomData;

/// A mutable slice of which disjoint parts may be written at the same time.
pub(super) struct Shared<'a, T> {
    start: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut [T]>,
}

// SAFETY: a part is only reached through `part`, whose caller promises that parts in use do not overlap.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(super) fn new(values: &'a mut [T]) -> Self {
        Self { start: values.as_mut_ptr(), len: values.len(), borrow: PhantomData }
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// `len` values from index `start` on.
    ///
    /// # Safety
    /// They must lie inside, and as long as the result lives, no other part that overlaps them may.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "what the safety section is about")]
    pub(super) unsafe fn part(&self, start: usize, len: usize) -> &mut [T] {
        debug_assert!(start + len <= self.len, "{len} values at {start} of {}", self.len);
        // SAFETY: the slice is borrowed for 'a; the caller's values lie in it, and the caller lets no other reference overlap them.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}
