//! Mean and variance of a batch.

use rayon::prelude::*;

use super::columns::sum_columns;
use super::element_wise::chunk;
use crate::cpu::kernels::{Isa, Pixels};
use crate::cpu::ops::vectorised;

/// Mean and variance of one channel.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    pub(super) count: f64,
    pub(super) mean: f64,
    /// Sum of squared distances from the mean.
    pub(super) squares: f64,
}

impl Moments {
    /// Of the values of both (Chan et al. 1979).
    fn merge(self, other: Self) -> Self {
        let count = self.count + other.count;
        let distance = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + distance * other.count / count,
            squares: self.squares + other.squares + distance * distance * self.count * other.count / count,
        }
    }
}

/// Mean and variance of every channel. Pieces are summed as distances from their first pixel, so that large means cost no digits.
pub(super) fn moments(isa: Isa, channels: usize, x: Pixels<'_, f32>) -> Vec<Moments> {
    let pixels = chunk(channels);
    let count = x.values.len().div_ceil(x.stride);
    let pieces: Vec<Vec<Moments>> = (0..count.div_ceil(pixels))
        .into_par_iter()
        .map(|at| {
            let x = x.line(at, pixels);
            let count = x.values.len().div_ceil(x.stride) as f64;
            let first = &x.values[..channels];
            let mut sums = vec![[0.0; 2]; channels];
            moment_sums(isa, channels, x, first, &mut sums);
            let moments = sums.iter().zip(first).map(|(&[sum, squares], &first)| {
                let (sum, squares) = (f64::from(sum), f64::from(squares));
                Moments { count, mean: f64::from(first) + sum / count, squares: (squares - sum * sum / count).max(0.0) }
            });
            moments.collect()
        })
        .collect();
    let mut pieces = pieces.into_iter();
    let mut all = pieces.next().unwrap_or_default();
    for piece in pieces {
        all.iter_mut().zip(piece).for_each(|(all, piece)| *all = all.merge(piece));
    }
    all
}

vectorised! {
    /// Sums of `x - first` and of its squares.
    fn moment_sums(channels: usize, x: Pixels<'_, f32>, first: &[f32], sums: &mut [[f32; 2]]) {
        sum_columns(channels, x, x, [first; 3], sums, |x, _, [first, ..]| [x - first, (x - first) * (x - first)]);
    }
}
