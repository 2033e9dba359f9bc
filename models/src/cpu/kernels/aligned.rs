//! Values that start on a cache line.

use std::fmt;

/// Bytes per cache line.
const LINE: usize = 64;

/// A fixed number of values, the first of which lies at the start of a cache line.
pub(crate) struct Aligned<T> {
    values: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// `len` zeros.
    pub(super) fn zeros(len: usize) -> Self {
        let slack = LINE / size_of::<T>();
        let values = vec![T::default(); len + slack];
        // The vector is never grown, so its values never move.
        let start = values.as_ptr().align_offset(LINE).min(slack);
        Self { values, start, len }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.values.as_slice())
    }

    /// The values.
    pub(super) fn as_slice(&self) -> &[T] {
        &self.values[self.start..][..self.len]
    }

    /// The values, to be written.
    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.values[self.start..][..self.len]
    }
}

impl<T> fmt::Debug for Aligned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aligned({} values)", self.len)
    }
}
