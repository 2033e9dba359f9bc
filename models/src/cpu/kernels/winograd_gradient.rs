//! The gradient of a 3x3 convolution's weights by the transpose of Winograd's algorithm: blocks of input and of gradient are transformed, multiplied
//! plane by plane, and the sums over all blocks transformed back, with 36 products instead of 144 for 4 x 4 outputs.
#![expect(clippy::inline_always, reason = "the products must be compiled for the vector unit that runs them")]

use std::ops::Range;

use rayon::prelude::*;

use super::{
    Pixels,
    blocks::{Blocks, Gather},
    product::Start,
    scratch::Scratch,
    shared::Shared,
    simd::{Job, Simd},
    transform::{F4, F4Transposed, Inward},
    weight_products::{add_products, store, zeros},
};
use crate::{Axes, Padding, Shape};

/// Outputs of a block along height and width.
const SIDE: usize = 4;
/// Inputs of a block along height and width.
const INPUTS: usize = 6;
const PLANES: usize = INPUTS * INPUTS;
/// Planes are a cache line further apart than they are long, as in the forward pass.
const GAP: usize = 16;
/// Channels of a task at most, in and out.
const CHANNELS: usize = 64;
/// Values that a task transforms before it multiplies them: as many as leave room for sums in a core's cache.
const CHUNK: usize = 96 * 1024;
/// Tasks that a layer is split into at least, if it has enough blocks. No number of threads may decide this, as it decides the order of sums.
const TASKS: usize = 16;
/// Fewer blocks are not worth the transforms of the sums.
pub(super) const LEAST_BLOCKS: usize = 128;

/// One computation of a gradient, in blocks of sums of `ROWS` inputs x `COLUMNS` vectors of outputs.
pub(super) struct WinogradPass<'a, S, const ROWS: usize, const COLUMNS: usize> {
    pub(super) simd: S,
    /// All samples, as planes of one.
    pub(super) input: Shape,
    pub(super) out_channels: usize,
    pub(super) padding: Axes<Padding>,
    /// Blocks of the input and of a task at least.
    pub(super) least_blocks: usize,
    pub(super) x: Pixels<'a, f32>,
    pub(super) dy: Pixels<'a, f32>,
}

/// Which channels, and which blocks.
struct Task {
    ins: Range<usize>,
    outs: Range<usize>,
    blocks: Range<usize>,
}

impl<S: Simd, const ROWS: usize, const COLUMNS: usize> WinogradPass<'_, S, ROWS, COLUMNS> {
    /// Output channels of a block of sums.
    const WIDTH: usize = COLUMNS * S::LANES;

    /// Whether there are enough blocks for it to be worth it.
    pub(super) fn is_worth_it(&self) -> bool {
        self.blocks(0).count() >= self.least_blocks
    }

    /// Adds the gradient, `(out, in, 3, 3)`, to `sum`.
    pub(super) fn add(&self, sum: &mut [f32]) {
        let (size, shares) = (self.task_sums(), self.shares());
        let tasks = self.parts().into_iter().product::<usize>() * shares;
        let mut parts = Scratch::<f32>::take(size * tasks);
        let sums = parts.as_mut_slice()[..size * tasks].par_chunks_exact_mut(size);
        sums.enumerate().for_each(|(task, sums)| self.run(&self.task(task), sums));
        let parts = parts.as_slice();
        sum.par_chunks_mut(Self::WIDTH * self.input.channels * 9).enumerate().for_each(|(panel, sum)| {
            let part = panel * Self::WIDTH / CHANNELS;
            let panel = panel % (CHANNELS / Self::WIDTH);
            self.simd.vectorize(Finish { pass: self, parts, part, panel, sum });
        });
    }

    /// Blocks of the input, of so many channels.
    fn blocks(&self, channels: usize) -> Blocks {
        Blocks::new(Shape { channels, ..self.input }, self.padding, self.out_channels, SIDE)
    }

    /// The same blocks of the output's gradient.
    fn output_blocks(&self, channels: usize) -> Blocks {
        let own = Padding { before: 0, after: 2 };
        let extent = self.blocks(0).extent();
        Blocks::new(Shape { channels, extent }, Axes { z: Padding::default(), y: own, x: own }, channels, SIDE)
    }

    /// Parts along input and output channels.
    fn parts(&self) -> [usize; 2] {
        [self.input.channels.div_ceil(CHANNELS), self.out_channels.div_ceil(CHANNELS)]
    }

    /// Tasks that share the blocks.
    fn shares(&self) -> usize {
        TASKS.div_ceil(self.parts().into_iter().product()).min(self.blocks(0).count().div_ceil(self.least_blocks))
    }

    /// Panels of so many channels, in and out.
    fn panels(ins: usize, outs: usize) -> [usize; 2] {
        [ins.div_ceil(ROWS), outs.div_ceil(Self::WIDTH)]
    }

    /// Sums of the largest task: `(planes, output panels, row panels, ROWS, WIDTH)`.
    fn task_sums(&self) -> usize {
        let [rows, outs] = Self::panels(self.input.channels.min(CHANNELS), self.out_channels.min(CHANNELS));
        PLANES * rows * outs * ROWS * Self::WIDTH
    }

    fn task(&self, task: usize) -> Task {
        let (shares, [_, outs]) = (self.shares(), self.parts());
        let (part, share, count) = (task / shares, task % shares, self.blocks(0).count());
        let range = |part: usize, len: usize| part * CHANNELS..((part + 1) * CHANNELS).min(len);
        Task {
            ins: range(part / outs, self.input.channels),
            outs: range(part % outs, self.out_channels),
            blocks: share * count / shares..(share + 1) * count / shares,
        }
    }

    /// Computes the sums of a task.
    fn run(&self, task: &Task, sums: &mut [f32]) {
        let (ins, outs) = (task.ins.len(), task.outs.len());
        let most = (CHUNK / PLANES / (ins + outs)).max(8).min(task.blocks.len());
        // A block of sums may read beyond the last channels.
        let room = |channels: usize| PLANES * (most * channels + GAP) + Self::WIDTH.max(ROWS);
        let (mut v, mut z) = (Scratch::<f32>::take(room(ins)), Scratch::<f32>::take(room(outs)));
        let (x, dy) = (self.x.after(0, task.ins.start), self.dy.after(0, task.outs.start));
        for first in task.blocks.clone().step_by(most) {
            let blocks = first..(first + most).min(task.blocks.end);
            self.gather(F4, &self.blocks(ins), x, blocks.clone(), v.as_mut_slice());
            self.gather(F4Transposed, &self.output_blocks(outs), dy, blocks.clone(), z.as_mut_slice());
            self.simd.vectorize(Products::<ROWS, COLUMNS> {
                v: v.as_slice(),
                z: z.as_slice(),
                start: if first == task.blocks.start { Start::Zero } else { Start::Output },
                blocks: blocks.len(),
                ins,
                outs,
                sums,
            });
        }
    }

    /// Transforms blocks: `(planes, blocks, channels)`.
    fn gather<T: Inward<INPUTS>>(&self, transform: T, all: &Blocks, input: Pixels<'_, f32>, range: Range<usize>, to: &mut [f32]) {
        let zeros = vec![0.0; all.channels()];
        let (stride, to) = (range.len() * zeros.len() + GAP, Shared::new(to));
        for block in range.clone() {
            let (patch, index) = (all.patch(block), block - range.start);
            self.simd.vectorize(Gather { transform, blocks: all, input, patch, zeros: &zeros, index, stride, v: &to });
        }
    }
}

/// The products of a task's blocks.
struct Products<'a, const ROWS: usize, const COLUMNS: usize> {
    /// `(planes, blocks, ins)`
    v: &'a [f32],
    /// `(planes, blocks, outs)`
    z: &'a [f32],
    start: Start,
    blocks: usize,
    ins: usize,
    outs: usize,
    /// `(planes, output panels, row panels, ROWS, WIDTH)`
    sums: &'a mut [f32],
}

impl<const ROWS: usize, const COLUMNS: usize> Job for Products<'_, ROWS, COLUMNS> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { v, z, start, blocks, ins, outs, sums } = self;
        let width = COLUMNS * S::LANES;
        let (rows, columns) = (ins.div_ceil(ROWS), outs.div_ceil(width));
        for (index, sums) in sums.chunks_exact_mut(ROWS * width).enumerate().take(PLANES * rows * columns) {
            let (pair, row) = (index / rows, index % rows);
            let (plane, column) = (pair / columns, pair % columns);
            let v = &v[plane * (blocks * ins + GAP) + row * ROWS..];
            let z = &z[plane * (blocks * outs + GAP) + column * width..];
            let mut block = zeros::<S, ROWS, COLUMNS>(simd);
            add_products(simd, [v, z], [ins, outs], blocks, &mut block);
            store(simd, &block, start, sums);
        }
    }
}

/// Adds the sums of all tasks for a panel of output channels, transformed back.
struct Finish<'a, P> {
    pass: &'a P,
    parts: &'a [f32],
    /// Which part of the output channels,
    part: usize,
    /// and which panel of it.
    panel: usize,
    /// `(out, in, 3, 3)`
    sum: &'a mut [f32],
}

/// Output channels whose sums are transformed together.
const LANES: usize = 16;

impl<P: Simd, const ROWS: usize, const COLUMNS: usize> Job for Finish<'_, WinogradPass<'_, P, ROWS, COLUMNS>> {
    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { pass, parts, part, panel, sum } = self;
        let width = COLUMNS * S::LANES;
        let (channels, size, shares) = (pass.input.channels, pass.task_sums(), pass.shares());
        let out_parts = pass.out_channels.div_ceil(CHANNELS);
        let outs = CHANNELS.min(pass.out_channels - part * CHANNELS).div_ceil(width);
        for channel in 0..channels {
            let (in_part, row) = (channel / CHANNELS, channel % CHANNELS);
            let rows = CHANNELS.min(channels - in_part * CHANNELS).div_ceil(ROWS);
            let tasks = &parts[(in_part * out_parts + part) * shares * size..][..shares * size];
            for first in (0..width).step_by(LANES) {
                let count = LANES.min(width - first);
                let mut columns = [[[0.0; LANES]; INPUTS]; INPUTS];
                for (plane, values) in columns.as_flattened_mut().iter_mut().enumerate() {
                    let (y, x) = (plane % INPUTS, plane / INPUTS);
                    let block = ((y * INPUTS + x) * outs + panel) * rows + row / ROWS;
                    let at = (block * ROWS + row % ROWS) * width + first;
                    for task in tasks.chunks_exact(size) {
                        let part = task[at..at + count].iter();
                        values.iter_mut().zip(part).for_each(|(value, &part)| *value += f64::from(part));
                    }
                }
                // `Gᵀ U G`
                let columns = columns.map(F4Transposed::filter);
                for y in 0..3 {
                    for (x, values) in F4Transposed::filter(columns.map(|column| column[y])).iter().enumerate() {
                        let rows = sum.chunks_exact_mut(channels * 9).skip(first);
                        let to = rows.map(|row| &mut row[channel * 9 + y * 3 + x]);
                        to.zip(&values[..count]).for_each(|(to, &value)| *to += value as f32);
                    }
                }
            }
        }
    }
}
