//! Sliding maxima and means.

use std::ops::Range;

use rayon::prelude::*;

use super::combine::Operand;
use super::vectorised::vectorised;
use crate::cpu::kernels::{Element, Isa, Pixels, PixelsMut};
use crate::{Axes, Extent, Padding, Pool, PoolKind, Shape};

/// The largest value or the mean of each window; NaN where the window holds one.
pub(in crate::cpu) fn pool<E: Element>(isa: Isa, pool: &Pool, input: Operand<'_, E>, extent: Extent, output: PixelsMut<'_, E>) {
    let Operand { pixels, shape } = input;
    output.par_parts(extent.x).enumerate().for_each(|(row, values)| {
        pool_row(isa, pool, pixels, shape, Axes { z: row / extent.y, y: row % extent.y, x: extent.x }, values);
    });
}

/// Channels whose results are held at once.
const CHANNELS: usize = 64;

/// The input positions of a window along one axis.
#[inline]
fn window(at: usize, kernel: usize, stride: usize, padding: Padding, length: usize) -> Range<usize> {
    let start = at * stride;
    start.saturating_sub(padding.before)..(start + kernel).saturating_sub(padding.before).min(length)
}

vectorised! {
    /// One row of the result, at `z` and `y` of `row`, and `x` long.
    fn pool_row<E>(pool: &Pool, input: Pixels<'_, E>, shape: Shape, row: Axes<usize>, output: PixelsMut<'_, E>) {
        let Pool { kind, kernel, stride, padding } = *pool;
        let (Shape { channels, extent }, max) = (shape, kind == PoolKind::Max);
        let zs = window(row.z, kernel.z, stride.z, padding.z, extent.z);
        let ys = window(row.y, kernel.y, stride.y, padding.y, extent.y);
        let first = if max { f32::NEG_INFINITY } else { 0.0 };
        for (x, pixel) in output.channels(channels).enumerate() {
            let xs = window(x, kernel.x, stride.x, padding.x, extent.x);
            let count = match kind {
                PoolKind::Max => 1,
                PoolKind::AverageWithPadding => kernel.product(),
                PoolKind::AverageInside => zs.len() * ys.len() * xs.len(),
            };
            for (block, pixel) in pixel.chunks_mut(CHANNELS).enumerate() {
                let mut results = [first; CHANNELS];
                for line in zs.clone().flat_map(|z| ys.clone().map(move |y| (z * extent.y + y) * extent.x)) {
                    for x in xs.clone() {
                        let from = input.values[(line + x) * input.stride + block * CHANNELS..][..pixel.len()].iter().map(|from| from.to_f32());
                        if max {
                            let larger = |to: f32, from: f32| if from > to || from.is_nan() { from } else { to };
                            results.iter_mut().zip(from).for_each(|(to, from)| *to = larger(*to, from));
                        } else {
                            results.iter_mut().zip(from).for_each(|(to, from)| *to += from);
                        }
                    }
                }
                pixel.iter_mut().zip(results).for_each(|(to, result)| *to = E::new(result / count as f32));
            }
        }
    }
}
