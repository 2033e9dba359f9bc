//! Values that start on a cache line.

use std::fmt;

/// Bytes per cache line.
const LINE: usize = 64;

/// A fixed number of values, the first of which lies at the start of a cache line.
pub(super) struct Aligned {
    values: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    /// `len` zeros.
    pub(super) fn zeros(len: usize) -> Self {
        let slack = LINE / size_of::<f32>();
        let values = vec![0.0; len + slack];
        // The vector is never grown, so its values never move.
        let start = values.as_ptr().align_offset(LINE).min(slack);
        Self { values, start, len }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }

    /// The values.
    pub(super) fn as_slice(&self) -> &[f32] {
        &self.values[self.start..][..self.len]
    }

    /// The values, to be written.
    pub(super) fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.values[self.start..][..self.len]
    }
}

impl fmt::Debug for Aligned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aligned({} values)", self.len)
    }
}
