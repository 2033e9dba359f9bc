//! The search for what is not a number.

use rayon::iter::IndexedParallelIterator;
use rayon::slice::ParallelSlice;

/// Values that one thread looks at.
const CHUNK: usize = 1 << 15;

/// A value that is NaN or infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct NotFinite {
    pub(super) index: usize,
    pub(super) value: f32,
}

/// The first one of them, if there is one.
pub(super) fn first_not_finite(values: &[f32]) -> Option<NotFinite> {
    // Without an early end the loop over a chunk is vectorised.
    let is_bad = |chunk: &[f32]| !chunk.iter().fold(true, |all, value| all & value.is_finite());
    let first = values.par_chunks(CHUNK).position_first(is_bad)? * CHUNK;
    let index = first + values[first..].iter().position(|value| !value.is_finite())?;
    Some(NotFinite { index, value: values[index] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_found_in_any_chunk() {
        let mut values = vec![1.0; 3 * CHUNK];
        assert_eq!(first_not_finite(&values), None);
        for index in [3 * CHUNK - 1, CHUNK, CHUNK - 1, 0] {
            values[index] = f32::INFINITY;
            assert_eq!(first_not_finite(&values), Some(NotFinite { index, value: f32::INFINITY }));
        }
    }
}
