//! The means of a few bins along each axis.

use rayon::prelude::*;

use super::combine::Operand;
use super::vectorised::vectorised;
use crate::cpu::kernels::{Element, Isa};
use crate::windows::bin_positions;
use crate::{Axes, Extent};

/// Channels that one thread sums: a cache line, so that no two read the same one.
const CHANNELS: usize = 16;

/// The mean of each bin and channel, one position after the other.
pub(in crate::cpu) fn bins<E: Element>(isa: Isa, input: Operand<'_, E>, bins: Extent, output: &mut [E]) {
    let (channels, extent) = (input.shape.channels, input.shape.extent);
    let means = output.par_chunks_exact_mut(channels).enumerate();
    means.for_each(|(bin, means)| {
        let at = Axes { z: bin / (bins.y * bins.x), y: bin / bins.x % bins.y, x: bin % bins.x };
        let positions = at.zip(bins).zip(extent).map(|((at, bins), length)| bin_positions(at, bins, length));
        means.par_chunks_mut(CHANNELS).enumerate().for_each(|(block, means)| {
            mean_of_bin(isa, input, &positions, block * CHANNELS, means);
        });
    });
}

vectorised! {
    /// The means of the channels from `first` on; summed in `f64`, as a bin can have more positions than `f32` has digits.
    fn mean_of_bin<E>(input: Operand<'_, E>, positions: &Axes<std::ops::Range<usize>>, first: usize, means: &mut [E]) {
        let mut sums = [0.0f64; CHANNELS];
        let extent = input.shape.extent;
        for (z, y) in positions.z.clone().flat_map(|z| positions.y.clone().map(move |y| (z, y))) {
            for x in positions.x.clone() {
                let pixel = input.pixels.after((z * extent.y + y) * extent.x + x, first);
                sums.iter_mut().zip(&pixel.values[..means.len()]).for_each(|(sum, v)| *sum += f64::from(v.to_f32()));
            }
        }
        let count = (positions.z.len() * positions.y.len() * positions.x.len()) as f64;
        means.iter_mut().zip(sums).for_each(|(mean, sum)| *mean = E::new((sum / count) as f32));
    }
}
