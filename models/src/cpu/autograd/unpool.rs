//! The gradient of values put back where maxima were.

use rayon::prelude::*;

use super::forward::sample;
use crate::cpu::kernels::PixelsMut;
use crate::cpu::ops::Operand;
use crate::{Axes, Extent, MaxUnpool};

/// Writes the gradient with respect to the values: what lies at the place of each window's maximum. Operands have the shape of one sample; the
/// pooled value itself has no gradient, as it only says where.
pub(super) fn unpool_gradient(
    unpool: &MaxUnpool,
    pooled: Operand<'_, f32>,
    dy: Operand<'_, f32>,
    windows: Extent,
    dx: PixelsMut<'_, f32>,
) {
    let (channels, extent) = (pooled.shape.channels, pooled.shape.extent);
    dx.par_parts(windows.x).enumerate().for_each(|(row, dx)| {
        let (at, row) = (row / (windows.z * windows.y), row % (windows.z * windows.y));
        let (pooled, dy) = (sample(pooled, at).pixels, sample(dy, at).pixels);
        for (x, dx) in dx.channels(channels).enumerate() {
            let window = Axes { z: row / windows.y, y: row % windows.y, x };
            let start = window.zip(unpool.stride).map(|(window, stride)| window * stride);
            let place = |z: usize, y: usize, x: usize| ((start.z + z) * extent.y + start.y + y) * extent.x + start.x + x;
            let mut largest = vec![f32::NEG_INFINITY; channels];
            let first = &dy.values[place(0, 0, 0) * dy.stride..][..channels];
            dx.copy_from_slice(first);
            for (z, y) in (0..unpool.kernel.z).flat_map(|z| (0..unpool.kernel.y).map(move |y| (z, y))) {
                for x in 0..unpool.kernel.x {
                    let place = place(z, y, x);
                    let (from, dy) = (&pooled.values[place * pooled.stride..], &dy.values[place * dy.stride..]);
                    for (((largest, dx), v), dy) in largest.iter_mut().zip(dx.iter_mut()).zip(from).zip(dy) {
                        if *v > *largest || v.is_nan() {
                            (*largest, *dx) = (*v, *dy);
                        }
                    }
                }
            }
        }
    });
}
