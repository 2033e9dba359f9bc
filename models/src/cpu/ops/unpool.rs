//! Values put back where the maxima were.

use rayon::prelude::*;

use super::combine::Operand;
use super::vectorised::vectorised;
use crate::cpu::kernels::{Element, Isa};
use crate::{Axes, MaxUnpool};

/// Puts every value at the place of its window's maximum in `pooled`; zeros elsewhere. A row of the result looks for the maxima of all windows that it
/// crosses, so that rows do not depend on each other.
pub(in crate::cpu) fn max_unpool<E: Element>(
    isa: Isa,
    unpool: &MaxUnpool,
    values: Operand<'_, E>,
    pooled: Operand<'_, E>,
    output: &mut [E],
) {
    let extent = pooled.shape.extent;
    output.par_chunks_mut(extent.x * pooled.shape.channels).enumerate().for_each(|(row, to)| {
        to.fill(E::default());
        let at = Axes { z: row / extent.y, y: row % extent.y, x: 0 };
        let (kernel, stride) = (unpool.kernel, unpool.stride);
        let (window, tap) = (Axes { z: at.z / stride.z, y: at.y / stride.y, x: 0 }, [at.z % stride.z, at.y % stride.y]);
        let windows = values.shape.extent;
        if window.z < windows.z && window.y < windows.y && tap[0] < kernel.z && tap[1] < kernel.y {
            unpool_row(isa, unpool, values, pooled, window, tap, to);
        }
    });
}

/// Channels whose maxima are held at once.
const CHANNELS: usize = 64;

vectorised! {
    /// What a row of windows puts into that row of the result that `tap` is of each window.
    fn unpool_row<E>(unpool: &MaxUnpool, values: Operand<'_, E>, pooled: Operand<'_, E>, window: Axes<usize>, tap: [usize; 2], to: &mut [E]) {
        let (kernel, stride, channels) = (unpool.kernel, unpool.stride, pooled.shape.channels);
        let (extent, windows) = (pooled.shape.extent, values.shape.extent);
        let values = values.pixels.line(window.z * windows.y + window.y, windows.x);
        for (x, value) in values.channels(channels).enumerate() {
            for block in (0..channels).step_by(CHANNELS) {
                let count = CHANNELS.min(channels - block);
                let (mut largest, mut place) = ([f32::NEG_INFINITY; CHANNELS], [0u32; CHANNELS]);
                let mut number = 0;
                for (z, y) in (0..kernel.z).flat_map(|z| (0..kernel.y).map(move |y| (z, y))) {
                    let line = (window.z * stride.z + z) * extent.y + window.y * stride.y + y;
                    for tap_x in 0..kernel.x {
                        let pixel = pooled.pixels.after(line * extent.x + x * stride.x + tap_x, block);
                        for ((largest, place), v) in largest.iter_mut().zip(&mut place).zip(&pixel.values[..count]) {
                            let v = v.to_f32();
                            let wins = v > *largest || v.is_nan();
                            *largest = if wins { v } else { *largest };
                            *place = if wins { number } else { *place };
                        }
                        number += 1;
                    }
                }
                for tap_x in 0..kernel.x {
                    let number = ((tap[0] * kernel.y + tap[1]) * kernel.x + tap_x) as u32;
                    let to = &mut to[(x * stride.x + tap_x) * channels + block..][..count];
                    for ((to, value), place) in to.iter_mut().zip(&value[block..]).zip(&place) {
                        *to = if *place == number { *value } else { E::default() };
                    }
                }
            }
        }
    }
}
