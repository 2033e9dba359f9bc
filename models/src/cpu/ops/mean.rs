//! The mean over all positions.

use rayon::prelude::*;

use super::vectorised::vectorised;
use crate::cpu::kernels::Isa;

/// Channels that one thread sums: a cache line, so that no two read the same one.
const CHANNELS: usize = 16;

/// The mean of each channel, one after the other in the order of positions.
pub(in crate::cpu) fn mean(isa: Isa, input: &[f32], channels: usize, output: &mut [f32]) {
    output.par_chunks_mut(CHANNELS).enumerate().for_each(|(block, means)| {
        mean_of_block(isa, input, channels, block * CHANNELS, means);
    });
}

vectorised! {
    /// The means of the channels from `first` on; summed in `f64`, as a tile has more positions than `f32` has digits.
    fn mean_of_block(input: &[f32], channels: usize, first: usize, means: &mut [f32]) {
        let mut sums = [0.0f64; CHANNELS];
        for pixel in input.chunks_exact(channels) {
            sums.iter_mut().zip(&pixel[first..first + means.len()]).for_each(|(sum, v)| *sum += f64::from(*v));
        }
        let positions = (input.len() / channels) as f64;
        means.iter_mut().zip(sums).for_each(|(mean, sum)| *mean = (sum / positions) as f32);
    }
}
