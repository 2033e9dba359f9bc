//! The mean over all positions.

use rayon::prelude::*;

use super::vectorised::vectorised;
use crate::cpu::kernels::{Element, Isa, Pixels};

/// Channels that one thread sums: a cache line, so that no two read the same one.
const CHANNELS: usize = 16;

/// The mean of each channel, one after the other in the order of positions.
pub(in crate::cpu) fn mean<E: Element>(isa: Isa, input: Pixels<'_, E>, output: &mut [E]) {
    output.par_chunks_mut(CHANNELS).enumerate().for_each(|(block, means)| {
        mean_of_block(isa, input, block * CHANNELS, means);
    });
}

vectorised! {
    /// The means of the channels from `first` on; summed in `f64`, as a tile has more positions than `f32` has digits.
    fn mean_of_block<E>(input: Pixels<'_, E>, first: usize, means: &mut [E]) {
        let mut sums = [0.0f64; CHANNELS];
        for pixel in input.values.chunks(input.stride) {
            sums.iter_mut().zip(&pixel[first..first + means.len()]).for_each(|(sum, v)| *sum += f64::from(v.to_f32()));
        }
        let positions = input.values.len().div_ceil(input.stride) as f64;
        means.iter_mut().zip(sums).for_each(|(mean, sum)| *mean = E::new((sum / positions) as f32));
    }
}
