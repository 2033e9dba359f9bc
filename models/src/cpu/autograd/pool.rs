//! Sliding maxima and means, and their gradients.

use rayon::prelude::*;

use super::gradients::Mode;
use super::window::Windows;
use crate::cpu::kernels::{Isa, Pixels, PixelsMut};
use crate::cpu::ops::{Operand, vectorised};
use crate::{Axes, Extent, PoolKind};

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
    pub(super) input: Extent,
    pub(super) output: Extent,
    /// Of maxima, where in each window it is; else empty.
    pub(super) winners: &'a [f32],
}

impl PoolGradient<'_> {
    /// Writes or adds the gradient with respect to the input.
    pub(super) fn run(&self, isa: Isa, dy: Pixels<'_, f32>, dx: PixelsMut<'_, f32>, mode: Mode) {
        let Self { input, output, .. } = *self;
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
        match Block::of(input.shape.channels) {
            Block::Wide => maxima::<64>(windows, input, at, output, winners),
            Block::Narrow => maxima::<16>(windows, input, at, output, winners),
            Block::Single => maxima::<1>(windows, input, at, output, winners),
        }
    }
}

vectorised! {
    /// One row of the gradient, at a depth and a height; gathered, so that no two threads write the same value.
    fn gradient_row(pool: &PoolGradient<'_>, at: [usize; 2], winners: &[f32], dy: Pixels<'_, f32>, dx: PixelsMut<'_, f32>, mode: Mode) {
        match Block::of(pool.channels) {
            Block::Wide => gather::<64>(pool, at, winners, dy, dx, mode),
            Block::Narrow => gather::<16>(pool, at, winners, dy, dx, mode),
            Block::Single => gather::<1>(pool, at, winners, dy, dx, mode),
        }
    }
}

/// Channels that registers hold while a window is gone through.
enum Block {
    Wide,
    Narrow,
    Single,
}

impl Block {
    fn of(channels: usize) -> Self {
        if channels.is_multiple_of(64) {
            Self::Wide
        } else if channels.is_multiple_of(16) {
            Self::Narrow
        } else {
            Self::Single
        }
    }
}

#[expect(clippy::inline_always, reason = "it must take on the instruction set of its caller")]
#[inline(always)]
fn maxima<const BLOCK: usize>(
    windows: &Windows,
    input: Operand<'_, f32>,
    at: [usize; 2],
    output: PixelsMut<'_, f32>,
    winners: &mut [f32],
) {
    let Axes { y: kernel_y, x: kernel_x, .. } = windows.kernel;
    let (pixels, extent, channels) = (input.pixels, input.shape.extent, input.shape.channels);
    let [zs, ys] = [&windows.inside.z[at[0]], &windows.inside.y[at[1]]];
    let row = output.channels(channels).zip(winners.chunks_exact_mut(channels)).zip(&windows.inside.x);
    for ((pixel, winners), xs) in row {
        let blocks = pixel.chunks_exact_mut(BLOCK).zip(winners.chunks_exact_mut(BLOCK));
        for (block, (pixel, winners)) in blocks.enumerate() {
            let mut largest = [f32::NEG_INFINITY; BLOCK];
            let first = (zs.skipped * kernel_y + ys.skipped) * kernel_x + xs.skipped;
            let mut places = [first as f32; BLOCK];
            for (in_z, z) in zs.positions.clone().enumerate() {
                for (in_y, y) in ys.positions.clone().enumerate() {
                    let line = (z * extent.y + y) * extent.x;
                    let first = ((in_z + zs.skipped) * kernel_y + in_y + ys.skipped) * kernel_x + xs.skipped;
                    for (in_x, x) in xs.positions.clone().enumerate() {
                        let place = (first + in_x) as f32;
                        let from = &pixels.values[(line + x) * pixels.stride + block * BLOCK..];
                        let Some(from) = from.first_chunk::<BLOCK>() else { continue };
                        for i in 0..BLOCK {
                            let wins = from[i] > largest[i] || from[i].is_nan();
                            largest[i] = if wins { from[i] } else { largest[i] };
                            places[i] = if wins { place } else { places[i] };
                        }
                    }
                }
            }
            pixel.copy_from_slice(&largest);
            winners.copy_from_slice(&places);
        }
    }
}

#[expect(clippy::inline_always, reason = "it must take on the instruction set of its caller")]
#[expect(clippy::float_cmp, reason = "the places are small whole numbers")]
#[inline(always)]
fn gather<const BLOCK: usize>(
    pool: &PoolGradient<'_>,
    at: [usize; 2],
    winners: &[f32],
    dy: Pixels<'_, f32>,
    dx: PixelsMut<'_, f32>,
    mode: Mode,
) {
    let PoolGradient { windows, channels, output, .. } = *pool;
    let Axes { y: kernel_y, x: kernel_x, .. } = windows.kernel;
    for (x, (pixel, xs)) in dx.channels(channels).zip(&windows.over.x).enumerate() {
        for (block, pixel) in pixel.chunks_exact_mut(BLOCK).enumerate() {
            let mut sums = [0.0; BLOCK];
            for z in windows.over.z[at[0]].clone() {
                for y in windows.over.y[at[1]].clone() {
                    let line = (z * output.y + y) * output.x;
                    let first = (windows.inside.z[z].place(at[0]) * kernel_y + windows.inside.y[y].place(at[1])) * kernel_x;
                    for window in xs.clone() {
                        let position = line + window;
                        let dy = &dy.values[position * dy.stride + block * BLOCK..];
                        let Some(dy) = dy.first_chunk::<BLOCK>() else { continue };
                        if pool.kind == PoolKind::Max {
                            let place = (first + windows.inside.x[window].place(x)) as f32;
                            let winners = &winners[position * channels + block * BLOCK..];
                            let Some(winners) = winners.first_chunk::<BLOCK>() else { continue };
                            for i in 0..BLOCK {
                                sums[i] += if winners[i] == place { dy[i] } else { 0.0 };
                            }
                        } else {
                            let share = pool.share(z, y, window);
                            sums.iter_mut().zip(dy).for_each(|(sum, dy)| *sum += share * dy);
                        }
                    }
                }
            }
            match mode {
                Mode::Write => pixel.copy_from_slice(&sums),
                Mode::Add => pixel.iter_mut().zip(&sums).for_each(|(to, sum)| *to += sum),
            }
        }
    }
}
