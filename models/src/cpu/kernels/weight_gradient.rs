//! The gradient of a convolution's weights: for every tap, the products of what it reads with the output's gradient, summed over all pixels.
//!
//! Output lines are taken some at a time (a chunk). What the taps read there, and the gradient, are copied into panels of a few channels, with zeros
//! where the padding is, so that every tap of every pair of panels is the same loop over memory without gaps.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    Conditions, Isa, Pixels,
    portable::Portable,
    product::Start,
    scratch::Scratch,
    simd::Simd,
    weight_products::{Copied, Products},
    window::Window,
    winograd,
    winograd_gradient::{LEAST_BLOCKS, WinogradPass},
};
use crate::{Axes, Conv, Convolutions, Extent, Shape};

/// Input channels of a task at most: each of its copies of the gradient serves so many.
const IN_CHANNELS: usize = 64;
/// Output channels of a task at most: each of its copies of the input serves so many.
const OUT_CHANNELS: usize = 128;
/// Tasks that a layer is split into at least, if it has enough chunks. No number of threads may decide this, as it decides the order of sums.
const TASKS: usize = 16;
/// Values of input and gradient that a chunk copies: half of a core's cache.
const CHUNK: usize = 64 * 1024;
/// Pixels of a chunk at most, unless a line has more: a sum has so many terms before it is added to others, which keeps its error small.
const PIXELS: usize = 1024;

/// Computes the gradient of a convolution's weights.
#[derive(Debug)]
pub(crate) struct WeightGradient {
    window: Window,
    in_channels: usize,
    out_channels: usize,
    groups: usize,
    isa: Isa,
    /// Whether Winograd's algorithm may be used.
    in_blocks: bool,
    /// How many blocks there must be for that.
    least_blocks: usize,
}

impl WeightGradient {
    pub(crate) fn new(conv: &Conv, in_channels: usize, isa: Isa, conditions: Conditions) -> Self {
        let Conv { out_channels, groups, .. } = *conv;
        let in_blocks = conditions.convolutions == Convolutions::Winograd && winograd::fits(conv, in_channels);
        Self { window: Window::new(conv), in_channels, out_channels, groups, isa, in_blocks, least_blocks: LEAST_BLOCKS }
    }

    /// The same, by Winograd's algorithm from so many blocks on.
    #[cfg(test)]
    pub(crate) fn with_least_blocks(self, least_blocks: usize) -> Self {
        Self { least_blocks, ..self }
    }

    /// Adds the gradient, `(out, in / groups, kernel z, kernel y, kernel x)`, to `sum`. `input` is the shape of one sample.
    pub(crate) fn add(&self, samples: usize, input: Shape, x: Pixels<'_, f32>, dy: Pixels<'_, f32>, sum: &mut [f32]) {
        match self.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16(simd) => self.add_on(simd, samples, input, [x, dy], sum),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(simd) => self.add_on(simd, samples, input, [x, dy], sum),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(simd) => self.add_on(simd, samples, input, [x, dy], sum),
            Isa::Portable => self.add_on(Portable, samples, input, [x, dy], sum),
        }
    }

    /// Chooses the block of sums: at least as many as hide an addition's latency, at most as many as there are registers for.
    fn add_on<S: Simd>(&self, simd: S, samples: usize, input: Shape, values: [Pixels<'_, f32>; 2], sum: &mut [f32]) {
        let is_narrow = self.out_channels / self.groups <= S::LANES;
        match (S::LANES, is_narrow) {
            (16, true) => self.add_with::<S, 16, 1>(simd, samples, input, values, sum),
            (16, false) => self.add_with::<S, 8, 2>(simd, samples, input, values, sum),
            (_, true) => self.add_with::<S, 8, 1>(simd, samples, input, values, sum),
            (_, false) => self.add_with::<S, 4, 2>(simd, samples, input, values, sum),
        }
    }

    /// Adds the gradient in blocks of `ROWS` inputs x `COLUMNS` vectors of outputs.
    fn add_with<S: Simd, const ROWS: usize, const COLUMNS: usize>(
        &self,
        simd: S,
        samples: usize,
        input: Shape,
        [x, dy]: [Pixels<'_, f32>; 2],
        sum: &mut [f32],
    ) {
        if self.in_blocks {
            let input = Shape { extent: Extent { z: input.extent.z * samples, ..input.extent }, ..input };
            let Self { out_channels, least_blocks, .. } = *self;
            let pass =
                WinogradPass::<S, ROWS, COLUMNS> { simd, input, out_channels, padding: self.window.padding, least_blocks, x, dy };
            if pass.is_worth_it() {
                return pass.add(sum);
            }
        }
        Pass::<S, ROWS, COLUMNS>::new(self, simd, samples, input, [x, dy]).add(sum);
    }
}

/// What counts as a tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taps {
    /// One position of the kernel, whose channels are the rows of the product.
    Positions,
    /// One line of the kernel along x: its positions lie next to each other, and their few channels together are the rows.
    Lines,
}

/// One computation of a gradient, in blocks of `ROWS` inputs x `COLUMNS` vectors of outputs.
struct Pass<'a, S, const ROWS: usize, const COLUMNS: usize> {
    simd: S,
    window: Window,
    input: Shape,
    output: Extent,
    groups: usize,
    /// Input channels of a group.
    ins: usize,
    /// Output channels of a group.
    outs: usize,
    x: Pixels<'a, f32>,
    dy: Pixels<'a, f32>,
    taps: Taps,
    /// Taps along every axis.
    kernel: Axes<usize>,
    /// Output planes of all samples.
    planes: usize,
    /// Planes of a chunk,
    chunk_planes: usize,
    /// and lines of each of them.
    chunk_lines: usize,
    chunks: usize,
    /// Tasks that share the chunks.
    shares: usize,
}

/// Output lines: all of several planes, or some of one.
struct Chunk {
    planes: Range<usize>,
    lines: Range<usize>,
}

/// Which channels of a group, and which chunks.
struct Task {
    group: usize,
    ins: Range<usize>,
    outs: Range<usize>,
    chunks: Range<usize>,
}

impl<'a, S: Simd, const ROWS: usize, const COLUMNS: usize> Pass<'a, S, ROWS, COLUMNS> {
    /// Output channels of a block.
    const WIDTH: usize = COLUMNS * S::LANES;

    fn new(layer: &WeightGradient, simd: S, samples: usize, input: Shape, [x, dy]: [Pixels<'a, f32>; 2]) -> Self {
        let WeightGradient { window, groups, .. } = *layer;
        let (ins, outs, output) = (layer.in_channels / groups, layer.out_channels / groups, window.output(input.extent));
        let is_line = ins < ROWS && window.kernel.x > 1 && window.dilation.x == 1;
        let (taps, kernel) =
            if is_line { (Taps::Lines, Axes { x: 1, ..window.kernel }) } else { (Taps::Positions, window.kernel) };
        let planes = samples * output.z;
        let pixels = (CHUNK / (ins.min(IN_CHANNELS) * window.stride.y * window.stride.x + outs.min(OUT_CHANNELS))).min(PIXELS);
        let lines = (pixels / output.x).max(1);
        let (chunk_planes, chunk_lines) =
            if lines >= output.y { (lines / output.y, output.y) } else { (1, output.y.div_ceil(output.y.div_ceil(lines))) };
        let chunks = planes.div_ceil(chunk_planes) * output.y.div_ceil(chunk_lines);
        let parts = groups * ins.div_ceil(IN_CHANNELS) * outs.div_ceil(OUT_CHANNELS);
        let shares = TASKS.div_ceil(parts).min(chunks);
        Self {
            simd,
            window,
            input,
            output,
            groups,
            ins,
            outs,
            x,
            dy,
            taps,
            kernel,
            planes,
            chunk_planes,
            chunk_lines,
            chunks,
            shares,
        }
    }

    /// Adds the gradient to `sum`.
    fn add(&self, sum: &mut [f32]) {
        let (size, tasks) = (self.task_sums(), self.parts() * self.shares);
        let mut parts = Scratch::<f32>::take(size * tasks);
        let parts_of = &mut parts.as_mut_slice()[..size * tasks];
        parts_of.par_chunks_exact_mut(size).enumerate().for_each(|(task, sums)| self.run(&self.task(task), sums));
        let (parts, row) = (parts.as_slice(), self.ins * self.window.taps());
        sum.par_chunks_exact_mut(self.outs * row).enumerate().for_each(|(group, sum)| {
            let panels = sum.par_chunks_mut(Self::WIDTH * row).enumerate();
            panels.for_each(|(panel, sum)| self.gather(parts, group, panel, sum));
        });
    }

    /// Rows of a tap of so many input channels, in blocks.
    fn row_panels(&self, ins: usize) -> usize {
        match self.taps {
            Taps::Positions => ins.div_ceil(ROWS),
            Taps::Lines => (ins * self.window.kernel.x).div_ceil(ROWS),
        }
    }

    /// Sums of a pair of panels.
    fn panel_sums(&self) -> usize {
        self.kernel.product() * ROWS * Self::WIDTH
    }

    /// Sums of the largest task: `(output panels, row panels, taps, ROWS, WIDTH)`.
    fn task_sums(&self) -> usize {
        let outs = self.outs.min(OUT_CHANNELS).div_ceil(Self::WIDTH);
        outs * self.row_panels(self.ins.min(IN_CHANNELS)) * self.panel_sums()
    }

    /// Parts along input and output channels of a group.
    fn channel_parts(&self) -> [usize; 2] {
        [self.ins.div_ceil(IN_CHANNELS), self.outs.div_ceil(OUT_CHANNELS)]
    }

    fn parts(&self) -> usize {
        self.groups * self.channel_parts().into_iter().product::<usize>()
    }

    fn task(&self, task: usize) -> Task {
        let (part, share) = (task / self.shares, task % self.shares);
        let [ins, outs] = self.channel_parts();
        let (pair, out_part) = (part / outs, part % outs);
        let (group, in_part) = (pair / ins, pair % ins);
        let range = |part: usize, size: usize, len: usize| part * size..((part + 1) * size).min(len);
        Task {
            group,
            ins: range(in_part, IN_CHANNELS, self.ins),
            outs: range(out_part, OUT_CHANNELS, self.outs),
            chunks: share * self.chunks / self.shares..(share + 1) * self.chunks / self.shares,
        }
    }

    fn chunk(&self, chunk: usize) -> Chunk {
        let along = self.output.y.div_ceil(self.chunk_lines);
        let (plane, line) = (chunk / along * self.chunk_planes, chunk % along * self.chunk_lines);
        Chunk {
            planes: plane..(plane + self.chunk_planes).min(self.planes),
            lines: line..(line + self.chunk_lines).min(self.output.y),
        }
    }

    /// Computes the sums of a task.
    fn run(&self, task: &Task, sums: &mut [f32]) {
        let most = Chunk { planes: 0..self.chunk_planes, lines: 0..self.chunk_lines };
        let mut x = Scratch::<f32>::take(self.copied(task, &most).len + ROWS);
        let mut dy = Scratch::<f32>::take(task.outs.len().div_ceil(Self::WIDTH) * self.pixels(&most) * Self::WIDTH);
        let sums = &mut sums[..task.outs.len().div_ceil(Self::WIDTH) * self.row_panels(task.ins.len()) * self.panel_sums()];
        for index in task.chunks.clone() {
            let chunk = self.chunk(index);
            let copied = self.copied(task, &chunk);
            self.copy_input(task, &chunk, &copied, x.as_mut_slice());
            self.copy_gradient(task, &chunk, dy.as_mut_slice());
            self.simd.vectorize(Products::<ROWS, COLUMNS> {
                x: &x.as_slice()[..copied.len + ROWS],
                dy: dy.as_slice(),
                start: if index == task.chunks.start { Start::Zero } else { Start::Output },
                planes: chunk.planes.len(),
                lines: chunk.lines.len(),
                width: self.output.x,
                kernel: self.kernel,
                panels: self.row_panels(task.ins.len()),
                copied,
                window: &self.window,
                sums,
            });
        }
    }

    fn pixels(&self, chunk: &Chunk) -> usize {
        chunk.planes.len() * chunk.lines.len() * self.output.x
    }

    /// How the input of a chunk is copied.
    fn copied(&self, task: &Task, chunk: &Chunk) -> Copied {
        let Window { kernel, stride, dilation, .. } = self.window;
        let reach =
            |outputs: usize, stride: usize, kernel: usize, dilation: usize| (outputs - 1) * stride + (kernel - 1) * dilation + 1;
        let lines = reach(chunk.lines.len(), stride.y, kernel.y, dilation.y);
        let width = reach(self.output.x, stride.x, kernel.x, dilation.x);
        let (channels, copies) = match self.taps {
            Taps::Positions => (ROWS, task.ins.len().div_ceil(ROWS)),
            Taps::Lines => (task.ins.len(), 1),
        };
        let line = width * channels;
        let copy = chunk.planes.len() * kernel.z * lines * line;
        let panel = if self.taps == Taps::Positions { copy } else { ROWS };
        Copied { channels, line, lines, copy, panel, len: copies * copy }
    }

    /// Copies what the taps read.
    fn copy_input(&self, task: &Task, chunk: &Chunk, copied: &Copied, to: &mut [f32]) {
        let [along_z, along_y, along_x] = self.window.along(self.input.extent);
        let (extent, channels) = (self.input.extent, copied.channels);
        let width = copied.line / channels;
        // Positions of a line that lie in the input.
        let inside = along_x.before.min(width)..(along_x.before + extent.x).min(width);
        let planes = chunk.planes.clone().flat_map(|plane| (0..self.window.kernel.z).map(move |tap| (plane, tap)));
        let sources = planes.flat_map(|(plane, tap)| {
            let (sample, z) = (plane / self.output.z, along_z.position(plane % self.output.z, tap));
            let first = chunk.lines.start * along_y.stride;
            (first..first + copied.lines).map(move |y| {
                let y = y.checked_sub(along_y.before).filter(|&y| y < extent.y);
                Some(((sample * extent.z + z?) * extent.y + y?) * extent.x)
            })
        });
        for (line, source) in sources.enumerate() {
            for (copy, first) in task.ins.clone().step_by(channels).enumerate() {
                let to = &mut to[copy * copied.copy + line * copied.line..][..copied.line];
                let Some(source) = source else {
                    to.fill(0.0);
                    continue;
                };
                let (before, rest) = to.split_at_mut(inside.start * channels);
                let (middle, after) = rest.split_at_mut(inside.len() * channels);
                before.fill(0.0);
                after.fill(0.0);
                let count = channels.min(task.ins.end - first);
                copy_channels::<ROWS>(self.x.after(source, task.group * self.ins + first), count, channels, middle);
            }
        }
    }

    /// Copies the output's gradient.
    fn copy_gradient(&self, task: &Task, chunk: &Chunk, to: &mut [f32]) {
        let first = (chunk.planes.start * self.output.y + chunk.lines.start) * self.output.x;
        let panels = to.chunks_exact_mut(self.pixels(chunk) * Self::WIDTH);
        for (to, channel) in panels.zip(task.outs.clone().step_by(Self::WIDTH)) {
            let count = Self::WIDTH.min(task.outs.end - channel);
            let from = self.dy.after(first, task.group * self.outs + channel);
            if count == 32 {
                copy_channels::<32>(from, count, Self::WIDTH, to);
            } else {
                copy_channels::<16>(from, count, Self::WIDTH, to);
            }
        }
    }

    /// Adds the sums of all tasks for one panel of a group's output channels, in the order of the chunks.
    fn gather(&self, parts: &[f32], group: usize, panel: usize, sum: &mut [f32]) {
        let [in_parts, out_parts] = self.channel_parts();
        let (kernel, size) = (self.window.kernel, self.task_sums());
        let (out_part, panel) = (panel * Self::WIDTH / OUT_CHANNELS, panel % (OUT_CHANNELS / Self::WIDTH));
        let row_length = self.ins * kernel.product();
        let mut lanes = [0.0; 32];
        let lanes = &mut lanes[..Self::WIDTH];
        for channel in 0..self.ins {
            let (in_part, channel_in_part) = (channel / IN_CHANNELS, channel % IN_CHANNELS);
            let ins = IN_CHANNELS.min(self.ins - in_part * IN_CHANNELS);
            let first_task = ((group * in_parts + in_part) * out_parts + out_part) * self.shares;
            for tap in 0..kernel.product() {
                let (row, own_tap) = match self.taps {
                    Taps::Positions => (channel_in_part, tap),
                    Taps::Lines => (tap % kernel.x * self.ins + channel, tap / kernel.x),
                };
                let block = (panel * self.row_panels(ins) + row / ROWS) * self.kernel.product() + own_tap;
                let at = (block * ROWS + row % ROWS) * Self::WIDTH;
                lanes.fill(0.0);
                for share in 0..self.shares {
                    let part = &parts[(first_task + share) * size + at..][..Self::WIDTH];
                    lanes.iter_mut().zip(part).for_each(|(lane, part)| *lane += part);
                }
                let sums = sum[channel * kernel.product() + tap..].iter_mut().step_by(row_length);
                sums.zip(&*lanes).for_each(|(sum, lane)| *sum += lane);
            }
        }
    }
}

/// Copies `count` channels of neighbouring pixels to places of so many channels, the rest of which become zero. `WHOLE` is a usual count.
fn copy_channels<const WHOLE: usize>(from: Pixels<'_, f32>, count: usize, channels: usize, to: &mut [f32]) {
    let pixels = to.chunks_exact_mut(channels).zip(from.values.chunks(from.stride));
    if count == WHOLE && channels == WHOLE {
        for (to, from) in pixels {
            to[..WHOLE].copy_from_slice(&from[..WHOLE]);
        }
    } else {
        for (to, from) in pixels {
            let (to, rest) = to.split_at_mut(count);
            to.copy_from_slice(&from[..count]);
            rest.fill(0.0);
        }
    }
}
