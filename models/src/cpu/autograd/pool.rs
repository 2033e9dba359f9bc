//! Sliding maxima and means, and their gradients.

use rayon::prelude::*;

use super::gradients::Mode;
use super::window::Windows;
use crate::cpu::kernels::{Isa, Pixels, PixelsMut};
use crate::cpu::ops::{Operand, vectorised};
use crate::{Axes, Extent, PoolKind};

/// Channels whose results are held at once.
const CHANNELS: usize = 64;

/// Writes the largest value of each window, and at which place of its window the first of them is: beside the maxima all that the gradient needs.
pub(super) fn maximum(
    isa: Isa,
    windows: &Windows,
    input: Operand<'_, f32>,
    output: Extent,
    y: PixelsMut<'_, f32>,
    winners: &mut [f32],
) {
    let (positions, width) = (input.shape.extent.product(), output.x * input.shape.channels);
    let rows = y.par_parts(output.x).zip(winners.par_chunks_mut(width)).enumerate();
    rows.for_each(|(row, (y, winners))| {
        let (sample, row) = (row / (output.y * output.z), row % (output.y * output.z));
        let input = Operand { pixels: input.pixels.line(sample, positions), ..input };
        maximum_row(isa, windows, input, [row / output.y, row % output.y], y, winners);
    });
}

/// Adds up, for every input value, the gradients of the windows that it lies in: of those whose maximum it is, or its part of a mean.
pub(super) struct PoolGradient<'a> {
    pub(super) windows: &'a Windows,
    pub(super) kind: PoolKind,
    pub(super) channels: usize,
    /// Of the input and of the output.
    pub(super) extents: [Extent; 2],
    /// Of maxima, where in each window it is; else empty.
    pub(super) winners: &'a [f32],
}

impl PoolGradient<'_> {
    /// Writes or adds the gradient with respect to the input.
    pub(super) fn run(&self, isa: Isa, dy: Pixels<'_, f32>, dx: PixelsMut<'_, f32>, mode: Mode) {
        let [input, output] = self.extents;
        dx.par_parts(input.x).enumerate().for_each(|(row, dx)| {
            let (sample, row) = (row / (input.y * input.z), row % (input.y * input.z));
            let values = output.product() * self.channels;
            let winners = self.winners.get(sample * values..).unwrap_or_default();
            let at = [row / input.y, row % input.y];
            gradient_row(isa, self, at, winners, dy.line(sample, output.product()), dx, mode);
        });
    }

    /// The share that each value of a window has in its mean.
    #[inline]
    fn share(&self, z: usize, y: usize, x: usize) -> f32 {
        let inside = &self.windows.inside;
        match self.kind {
            PoolKind::Max => 1.0,
            PoolKind::AverageWithPadding => 1.0 / self.windows.kernel.product() as f32,
            PoolKind::AverageInside => {
                1.0 / (inside.z[z].positions.len() * inside.y[y].positions.len() * inside.x[x].positions.len()) as f32
            }
        }
    }
}

vectorised! {
    /// One row of maxima, at a depth and a height.
    fn maximum_row(windows: &Windows, input: Operand<'_, f32>, at: [usize; 2], output: PixelsMut<'_, f32>, winners: &mut [f32]) {
        let Axes { y: kernel_y, x: kernel_x, .. } = windows.kernel;
        let (pixels, extent, channels) = (input.pixels, input.shape.extent, input.shape.channels);
        let [zs, ys] = [&windows.inside.z[at[0]], &windows.inside.y[at[1]]];
        let row = output.channels(channels).zip(winners.chunks_exact_mut(channels)).zip(&windows.inside.x);
        for ((pixel, winners), xs) in row {
            for (block, (pixel, winners)) in pixel.chunks_mut(CHANNELS).zip(winners.chunks_mut(CHANNELS)).enumerate() {
                let mut largest = [f32::NEG_INFINITY; CHANNELS];
                let first = (zs.skipped * kernel_y + ys.skipped) * kernel_x + xs.skipped;
                let mut places = [first as f32; CHANNELS];
                for (z, y) in zs.positions.clone().flat_map(|z| ys.positions.clone().map(move |y| (z, y))) {
                    let [in_z, in_y] = [z - zs.positions.start + zs.skipped, y - ys.positions.start + ys.skipped];
                    let line = (z * extent.y + y) * extent.x;
                    for (in_x, x) in xs.positions.clone().enumerate() {
                        let place = ((in_z * kernel_y + in_y) * kernel_x + in_x + xs.skipped) as f32;
                        let from = &pixels.values[(line + x) * pixels.stride + block * CHANNELS..][..pixel.len()];
                        for ((largest, at), from) in largest.iter_mut().zip(&mut places).zip(from) {
                            let wins = *from > *largest || from.is_nan();
                            *largest = if wins { *from } else { *largest };
                            *at = if wins { place } else { *at };
                        }
                    }
                }
                pixel.copy_from_slice(&largest[..pixel.len()]);
                winners.copy_from_slice(&places[..pixel.len()]);
            }
        }
    }
}

vectorised! {
    /// One row of the gradient, at a depth and a height; gathered, so that no two threads write the same value.
    fn gradient_row(pool: &PoolGradient<'_>, at: [usize; 2], winners: &[f32], dy: Pixels<'_, f32>, dx: PixelsMut<'_, f32>, mode: Mode) {
        let (windows, channels, [_, output]) = (pool.windows, pool.channels, pool.extents);
        let Axes { y: kernel_y, x: kernel_x, .. } = windows.kernel;
        let [zs, ys] = [&windows.over.z[at[0]], &windows.over.y[at[1]]];
        for (x, (pixel, xs)) in dx.channels(channels).zip(&windows.over.x).enumerate() {
            for (block, pixel) in pixel.chunks_mut(CHANNELS).enumerate() {
                let mut sums = [0.0; CHANNELS];
                for (z, y) in zs.clone().flat_map(|z| ys.clone().map(move |y| (z, y))) {
                    let [around_z, around_y] = [&windows.inside.z[z], &windows.inside.y[y]];
                    let in_z = at[0] - around_z.positions.start + around_z.skipped;
                    let in_y = at[1] - around_y.positions.start + around_y.skipped;
                    for window in xs.clone() {
                        let around_x = &windows.inside.x[window];
                        let position = (z * output.y + y) * output.x + window;
                        let dy = &dy.values[position * dy.stride + block * CHANNELS..][..pixel.len()];
                        if pool.kind == PoolKind::Max {
                            let in_x = x - around_x.positions.start + around_x.skipped;
                            let place = ((in_z * kernel_y + in_y) * kernel_x + in_x) as f32;
                            let winners = &winners[position * channels + block * CHANNELS..][..pixel.len()];
                            for ((sum, dy), winner) in sums.iter_mut().zip(dy).zip(winners) {
                                *sum += if *winner == place { *dy } else { 0.0 };
                            }
                        } else {
                            let share = pool.share(z, y, window);
                            sums.iter_mut().zip(dy).for_each(|(sum, dy)| *sum += share * dy);
                        }
                    }
                }
                match mode {
                    Mode::Write => pixel.copy_from_slice(&sums[..pixel.len()]),
                    Mode::Add => pixel.iter_mut().zip(&sums).for_each(|(to, sum)| *to += sum),
                }
            }
        }
    }
}
