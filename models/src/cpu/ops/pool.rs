//! Sliding maxima and means.

use std::ops::Range;

use rayon::prelude::*;

use super::combine::Operand;
use super::vectorised::vectorised;
use crate::cpu::kernels::Isa;
use crate::{Axes, Extent, Padding, Pool, PoolKind, Shape};

/// The largest value or the mean of each window; NaN where the window holds one.
pub(in crate::cpu) fn pool(isa: Isa, pool: &Pool, input: Operand<'_>, extent: Extent, output: &mut [f32]) {
    let Operand { values: input, shape } = input;
    output.par_chunks_mut(extent.x * shape.channels).enumerate().for_each(|(row, values)| {
        pool_row(isa, pool, input, shape, Axes { z: row / extent.y, y: row % extent.y, x: extent.x }, values);
    });
}

/// The input positions of a window along one axis.
#[inline]
fn window(at: usize, kernel: usize, stride: usize, padding: Padding, length: usize) -> Range<usize> {
    let start = at * stride;
    start.saturating_sub(padding.before)..(start + kernel).saturating_sub(padding.before).min(length)
}

vectorised! {
    /// One row of the result, at `z` and `y` of `row`, and `x` long.
    fn pool_row(pool: &Pool, input: &[f32], shape: Shape, row: Axes<usize>, output: &mut [f32]) {
        let Pool { kind, kernel, stride, padding } = *pool;
        let (Shape { channels, extent }, max) = (shape, kind == PoolKind::Max);
        let zs = window(row.z, kernel.z, stride.z, padding.z, extent.z);
        let ys = window(row.y, kernel.y, stride.y, padding.y, extent.y);
        output.fill(if max { f32::NEG_INFINITY } else { 0.0 });
        for (x, pixel) in output.chunks_exact_mut(channels).enumerate() {
            let xs = window(x, kernel.x, stride.x, padding.x, extent.x);
            for z in zs.clone() {
                for y in ys.clone() {
                    let line = (z * extent.y + y) * extent.x;
                    if xs.is_empty() {
                        continue;
                    }
                    for from in input[(line + xs.start) * channels..(line + xs.end) * channels].chunks_exact(channels) {
                        if max {
                            let larger = |to: f32, from: f32| if from > to || from.is_nan() { from } else { to };
                            pixel.iter_mut().zip(from).for_each(|(to, from)| *to = larger(*to, *from));
                        } else {
                            pixel.iter_mut().zip(from).for_each(|(to, from)| *to += from);
                        }
                    }
                }
            }
            let count = match kind {
                PoolKind::Max => continue,
                PoolKind::AverageWithPadding => kernel.product(),
                PoolKind::AverageInside => zs.len() * ys.len() * xs.len(),
            };
            for value in pixel {
                *value /= count as f32;
            }
        }
    }
}
