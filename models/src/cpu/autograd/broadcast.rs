//! Sums over what a value was broadcast along.

use rayon::prelude::*;

use crate::cpu::kernels::{Pixels, PixelsMut};
use crate::cpu::ops::Operand;
use crate::{Axes, Shape};

/// Writes the gradient with respect to an operand of a sum or product, from that with respect to the result of shape `result` and, of a product,
/// the other operand. Where channels or axes of the operand were broadcast, it is the sum over them.
pub(super) fn operand_gradient(
    result: Shape,
    dy: Pixels<'_, f32>,
    other: Option<Operand<'_, f32>>,
    operand: Shape,
    dx: PixelsMut<'_, f32>,
) {
    let Shape { channels, extent } = operand;
    dx.par_parts(extent.x).enumerate().for_each(|(row, dx)| {
        let (sample, row) = (row / (extent.z * extent.y), row % (extent.z * extent.y));
        let dy = dy.line(sample, result.extent.product());
        let other = other.map(|other| Operand { pixels: other.pixels.line(sample, other.shape.extent.product()), ..other });
        let mut sums = vec![0.0f64; extent.x * channels];
        let [zs, ys] = [along(extent.z, result.extent.z, row / extent.y), along(extent.y, result.extent.y, row % extent.y)];
        for (z, y) in zs.flat_map(|z| ys.clone().map(move |y| (z, y))) {
            for x in 0..result.extent.x {
                let at = (z * result.extent.y + y) * result.extent.x + x;
                let dy = &dy.values[at * dy.stride..][..result.channels];
                let sums = &mut sums[x.min(extent.x - 1) * channels..][..channels];
                let other = other.map(|other| pixel(other, Axes { z, y, x }));
                for (channel, dy) in dy.iter().enumerate() {
                    let factor = other.map_or(1.0, |other| other[channel.min(other.len() - 1)]);
                    sums[channel.min(channels - 1)] += f64::from(*dy) * f64::from(factor);
                }
            }
        }
        for (pixel, sums) in dx.channels(channels).zip(sums.chunks_exact(channels)) {
            pixel.iter_mut().zip(sums).for_each(|(to, sum)| *to = *sum as f32);
        }
    });
}

/// The positions of the result along one axis that a position of the operand was broadcast to.
fn along(operand: usize, result: usize, at: usize) -> std::ops::Range<usize> {
    if operand == result { at..at + 1 } else { 0..result }
}

/// The channels of the operand's pixel that a position of the result reads.
fn pixel(operand: Operand<'_, f32>, Axes { z, y, x }: Axes<usize>) -> &[f32] {
    let Shape { channels, extent } = operand.shape;
    let at = (z.min(extent.z - 1) * extent.y + y.min(extent.y - 1)) * extent.x + x.min(extent.x - 1);
    &operand.pixels.values[at * operand.pixels.stride..][..channels]
}
