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
    pub(super) fn merge(self, other: Self) -> Self {
        let count = self.count + other.count;
        let distance = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + distance * other.count / count,
            squares: self.squares + other.squares + distance * distance * self.count * other.count / count,
        }
    }
}

/// Mean and variance of every channel. Pieces, which lie in a core's cache, are gone through twice: for their mean, and for distances from
/// it, so that neither a large mean nor an outlier costs digits.
pub(super) fn moments(isa: Isa, channels: usize, x: Pixels<'_, f32>) -> Vec<Moments> {
    let pixels = chunk(channels);
    let count = x.values.len().div_ceil(x.stride);
    let pieces: Vec<Vec<Moments>> = (0..count.div_ceil(pixels))
        .into_par_iter()
        .map(|at| {
            let x = x.line(at, pixels);
            let count = x.values.len().div_ceil(x.stride) as f64;
            let mut sums = vec![[0.0; 2]; channels];
            moment_sums(isa, channels, x, &x.values[..channels], &mut sums);
            let means = sums.iter().zip(x.values).map(|([sum, _], first)| (f64::from(*first) + f64::from(*sum) / count) as f32);
            let means: Vec<f32> = means.collect();
            sums.fill([0.0; 2]);
            moment_sums(isa, channels, x, &means, &mut sums);
            let moments = sums.iter().zip(means).map(|(&[sum, squares], mean)| {
                let (sum, squares) = (f64::from(sum), f64::from(squares));
                Moments { count, mean: f64::from(mean) + sum / count, squares: (squares - sum * sum / count).max(0.0) }
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
    /// Sums of `x - origin` and of its squares.
    fn moment_sums(channels: usize, x: Pixels<'_, f32>, origin: &[f32], sums: &mut [[f32; 2]]) {
        sum_columns(channels, x, x, [origin; 3], sums, |x, _, [origin, ..]| [x - origin, (x - origin) * (x - origin)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split_mix::SplitMix;

    #[test]
    fn an_outlier_at_the_start_of_a_piece_does_no_harm() {
        for channels in [1, 3, 16, 64] {
            let mut random = SplitMix::new(3);
            let mut values: Vec<f32> = (0..3 * channels * chunk(channels)).map(|_| random.symmetric() as f32).collect();
            values[..channels].fill(1000.0);
            for isa in Isa::available() {
                let ours = moments(isa, channels, Pixels { values: &values, stride: channels });
                for (channel, ours) in ours.iter().enumerate() {
                    let own = || values[channel..].iter().step_by(channels).map(|v| f64::from(*v));
                    let mean = own().sum::<f64>() / ours.count;
                    let squares: f64 = own().map(|v| (v - mean).powi(2)).sum();
                    // The mean is as exact as the values are spread.
                    assert!((ours.mean - mean).abs() < 1e-6 * (squares / ours.count).sqrt(), "{} of {mean}", ours.mean);
                    // A piece's squares are added up in 32 bits.
                    assert!((ours.squares - squares).abs() < 1e-4 * squares, "{} of {squares}", ours.squares);
                }
            }
        }
    }
}
