//! 3x3 convolutions by Winograd's minimal filtering: F(4x4, 3x3) takes 36 products instead of 144 for 4 x 4 outputs, F(2x2, 3x3) 16 instead of 36.
//!
//! The output is cut into blocks from its first pixel on. Blocks are transformed (`V`, one plane of blocks x input channels for each product),
//! multiplied plane by plane with transformed weights (`M`, planes of blocks x output channels) and transformed back, all in `f32` whatever the
//! elements of input and output. A block that hangs over the edge is computed like any other from zeros outside, and only what lies inside is stored.

#![expect(clippy::inline_always, reason = "the weights must be transformed in a function compiled for the vector unit")]

use std::ops::Range;

use rayon::prelude::*;

use super::{
    Epilogue, Isa, Pixels, PixelsMut,
    aligned::Aligned,
    blocks::{Blocks, Gather, Scatter},
    element::Element,
    product::{Product, Start},
    rows::{Input, Rows},
    scratch::{Held, Scratch},
    shared::Shared,
    simd::{Job, Simd},
    sums::PIXELS,
    transform::Transform,
};
use crate::{Axes, Conv, Extent, Padding, Shape};

/// Planes are a cache line further apart than they are long: at a distance of a power of two all of them would share the same cache sets.
const GAP: usize = 16;
/// From so many channels in and out the products outweigh the transforms.
const LEAST_CHANNELS: usize = 16;
/// Up to so many input channels a job takes its blocks through all steps, because `V` then stays in its core's cache.
const FEW_CHANNELS: usize = 128;
/// Blocks per job.
const JOB_BLOCKS: usize = 48;
/// Values of `V` that are held at most where it is made for many jobs together (16 MiB), unless one job has more.
const LARGEST_V: usize = 4 * 1024 * 1024;

/// Whether a convolution can be computed this way, and is worth it.
pub(super) fn fits(conv: &Conv, in_channels: usize) -> bool {
    let ones = Axes::cube(1);
    conv.kernel == Axes::plane(3)
        && conv.stride == ones
        && conv.dilation == ones
        && conv.padding.z == Padding::default()
        && conv.groups == 1
        && in_channels.min(conv.out_channels) >= LEAST_CHANNELS
}

/// A 3x3 convolution with transformed weights, in blocks of `OUTPUTS` x `OUTPUTS`.
#[derive(Debug)]
pub(super) struct Winograd<T, const OUTPUTS: usize, const INPUTS: usize> {
    transform: T,
    in_channels: usize,
    out_channels: usize,
    padding: Axes<Padding>,
    isa: Isa,
    /// Lanes of the widest panel of output channels.
    widest: usize,
    /// Per panel `(planes, in_channels, lanes of the panel)`.
    weights: Aligned<f32>,
    bias: Vec<f32>,
}

impl<T: Transform<OUTPUTS, INPUTS>, const OUTPUTS: usize, const INPUTS: usize> Winograd<T, OUTPUTS, INPUTS> {
    /// Products of a block, and planes of transformed values.
    const PLANES: usize = INPUTS * INPUTS;

    /// For a convolution that [`fits`], with weights and a bias of zero.
    pub(super) fn new(transform: T, conv: &Conv, in_channels: usize, isa: Isa) -> Self {
        let Conv { out_channels, padding, .. } = *conv;
        let weights = Aligned::zeros(Self::PLANES * in_channels * out_channels.next_multiple_of(isa.lanes()));
        let widest = isa.lanes() * isa.vectors();
        Self { transform, in_channels, out_channels, padding, isa, widest, weights, bias: vec![0.0; out_channels] }
    }

    /// Takes other weights, and a bias if the convolution has one.
    pub(super) fn set(&mut self, weight: &[f32], bias: Option<&[f32]>) {
        if let Some(bias) = bias {
            self.bias.copy_from_slice(bias);
        }
        let &mut Self { transform, in_channels, isa, widest, .. } = self;
        let panels = self.weights.as_mut_slice().par_chunks_mut(Self::PLANES * in_channels * widest);
        panels.enumerate().for_each(|(panel, packed)| {
            let weight = &weight[panel * widest * in_channels * 9..];
            let lanes = packed.len() / Self::PLANES / in_channels;
            isa.vectorize(Pack::<T, OUTPUTS, INPUTS> { transform, in_channels, weight, lanes, packed });
        });
    }

    pub(super) fn bytes(&self) -> usize {
        self.weights.bytes() + size_of_val(self.bias.as_slice())
    }

    pub(super) fn run<E: Element>(
        &self,
        simd: impl Simd,
        input: Pixels<'_, E>,
        shape: Shape,
        epilogue: &Epilogue<'_, E>,
        output: PixelsMut<'_, E>,
    ) {
        let (blocks, zeros) = (self.blocks(shape), vec![E::default(); self.in_channels]);
        let PixelsMut { values, stride } = output;
        let pass = Pass { layer: self, simd, blocks, input, zeros, epilogue, pixel_stride: stride };
        let output = Shared::new(values);
        if self.in_channels <= FEW_CHANNELS { pass.block_by_block(&output) } else { pass.panel_by_panel(&output) }
    }

    /// What is held for the time of a run on so many threads.
    pub(super) fn held(&self, shape: Shape, threads: usize) -> Held {
        let count = self.blocks(shape).count();
        let planes = |blocks: usize, channels: usize| Self::PLANES * (blocks * channels + GAP) * size_of::<f32>();
        let job_blocks = count.min(JOB_BLOCKS + PIXELS);
        let m = threads * planes(job_blocks, self.widest);
        if self.in_channels <= FEW_CHANNELS {
            Held { jobs: m + threads * planes(job_blocks, self.in_channels), ..Held::default() }
        } else {
            Held { jobs: m, all_blocks: planes(count.min(self.blocks_at_once()), self.in_channels), ..Held::default() }
        }
    }

    fn blocks(&self, shape: Shape) -> Blocks {
        Blocks::new(shape, self.padding, self.out_channels, OUTPUTS)
    }

    /// Blocks that are transformed before any is multiplied, where weights are read panel by panel.
    fn blocks_at_once(&self) -> usize {
        (LARGEST_V / Self::PLANES / self.in_channels / JOB_BLOCKS).max(1) * JOB_BLOCKS
    }

    /// Number of panels of output channels.
    fn panels(&self) -> usize {
        self.out_channels.div_ceil(self.widest)
    }

    /// Output channels of a panel.
    fn channels(&self, panel: usize) -> Range<usize> {
        panel * self.widest..((panel + 1) * self.widest).min(self.out_channels)
    }
}

/// Output channels whose weights are transformed together.
const PACKED: usize = 16;

/// Transforms the weights of one panel.
struct Pack<'a, T, const OUTPUTS: usize, const INPUTS: usize> {
    transform: T,
    in_channels: usize,
    /// Those of the panel's first output channel, and on.
    weight: &'a [f32],
    lanes: usize,
    /// `(planes, in_channels, lanes)`
    packed: &'a mut [f32],
}

impl<T: Transform<OUTPUTS, INPUTS>, const OUTPUTS: usize, const INPUTS: usize> Job for Pack<'_, T, OUTPUTS, INPUTS> {
    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { transform, in_channels, weight, lanes, packed } = self;
        for first in (0..lanes).step_by(PACKED) {
            let count = PACKED.min(lanes - first);
            for channel in 0..in_channels {
                let mut weights = [[[0.0; PACKED]; 3]; 3];
                // Lanes beyond the last output channel stay zero.
                for (lane, from) in weight.chunks_exact(in_channels * 9).skip(first).take(count).enumerate() {
                    for (tap, &value) in from[channel * 9..][..9].iter().enumerate() {
                        weights[tap % 3][tap / 3][lane] = f64::from(value);
                    }
                }
                // `G g Gᵀ`
                let columns = weights.map(|column| transform.filter(column));
                for y in 0..INPUTS {
                    for (x, values) in transform.filter(columns.map(|column| column[y])).iter().enumerate() {
                        let at = ((y * INPUTS + x) * in_channels + channel) * lanes + first;
                        packed[at..at + count].iter_mut().zip(values).for_each(|(to, &value)| *to = value as f32);
                    }
                }
            }
        }
    }
}

/// One run of a layer.
struct Pass<'a, E, S, T, const OUTPUTS: usize, const INPUTS: usize> {
    layer: &'a Winograd<T, OUTPUTS, INPUTS>,
    simd: S,
    blocks: Blocks,
    input: Pixels<'a, E>,
    zeros: Vec<E>,
    epilogue: &'a Epilogue<'a, E>,
    /// Elements of the output from one pixel to the next.
    pixel_stride: usize,
}

impl<E: Element, S: Simd, T: Transform<OUTPUTS, INPUTS>, const OUTPUTS: usize, const INPUTS: usize>
    Pass<'_, E, S, T, OUTPUTS, INPUTS>
{
    const PLANES: usize = Winograd::<T, OUTPUTS, INPUTS>::PLANES;

    /// Every job takes some blocks through all three steps.
    fn block_by_block(&self, output: &Shared<'_, E>) {
        let jobs = jobs(0..self.blocks.count(), rayon::current_num_threads());
        jobs.into_par_iter().for_each(|blocks| {
            let stride = blocks.len() * self.layer.in_channels + GAP;
            let mut v = Scratch::take(Self::PLANES * stride);
            self.gather(blocks.clone(), blocks.start, stride, &Shared::new(v.as_mut_slice()));
            for panel in 0..self.layer.panels() {
                self.multiply(panel, blocks.clone(), v.as_slice(), stride, output);
            }
        });
    }

    /// All blocks are transformed first; then a job is one panel of output channels for some blocks, so that weights are read once.
    fn panel_by_panel(&self, output: &Shared<'_, E>) {
        let (threads, channels) = (rayon::current_num_threads(), self.layer.in_channels);
        let most = self.layer.blocks_at_once();
        for start in (0..self.blocks.count()).step_by(most) {
            let part = start..(start + most).min(self.blocks.count());
            let stride = part.len() * channels + GAP;
            let mut v = Scratch::take(Self::PLANES * stride);
            let shared = Shared::new(v.as_mut_slice());
            part.clone().into_par_iter().with_min_len(4).for_each(|block| self.gather(block..block + 1, start, stride, &shared));
            let jobs = jobs(part, threads.div_ceil(self.layer.panels()));
            // Jobs of one panel lie next to each other: its weights are still in the cache for the next blocks.
            (0..self.layer.panels() * jobs.len()).into_par_iter().for_each(|job| {
                let (panel, blocks) = (job / jobs.len(), jobs[job % jobs.len()].clone());
                self.multiply(panel, blocks.clone(), &v.as_slice()[(blocks.start - start) * channels..], stride, output);
            });
        }
    }

    /// Transforms blocks into `v`, whose planes are `stride` apart and begin with block `first`.
    fn gather(&self, blocks: Range<usize>, first: usize, stride: usize, v: &Shared<'_, f32>) {
        for block in blocks {
            self.simd.vectorize(Gather {
                transform: self.layer.transform,
                blocks: &self.blocks,
                input: self.input,
                patch: self.blocks.patch(block),
                zeros: &self.zeros,
                index: block - first,
                stride,
                v,
            });
        }
    }

    /// Multiplies blocks with one panel of weights and stores their outputs. `v` begins with the first of the blocks.
    fn multiply(&self, panel: usize, blocks: Range<usize>, v: &[f32], stride: usize, output: &Shared<'_, E>) {
        let (depth, channels) = (self.layer.in_channels, self.layer.channels(panel));
        let lanes = channels.len().next_multiple_of(self.layer.isa.lanes());
        let weights = &self.layer.weights.as_slice()[Self::PLANES * depth * channels.start..][..Self::PLANES * depth * lanes];
        let m_stride = blocks.len() * lanes + GAP;
        let mut m = Scratch::take(Self::PLANES * m_stride);
        let (rows, extent) = (Rows::one_by_one(blocks.len(), depth), Extent::planar(1, blocks.len()));
        for (plane, weights) in weights.chunks_exact(depth * lanes).enumerate() {
            let values = &v[plane * stride..][..blocks.len() * depth];
            let product = Product {
                input: Input { values, extent, step: depth, line: values.len(), zeros: &[] },
                rows: &rows,
                taps: 0..1,
                channels: 0..depth,
                weights,
                start: Start::Zero,
                finish: None,
                output: &mut m.as_mut_slice()[plane * m_stride..][..blocks.len() * lanes],
                stride: lanes,
                out_channels: lanes,
            };
            product.run(self.simd, lanes / self.layer.isa.lanes());
        }
        self.simd.vectorize(Scatter {
            transform: self.layer.transform,
            blocks: &self.blocks,
            range: blocks,
            m: m.as_slice(),
            stride: m_stride,
            lanes,
            bias: &self.layer.bias[channels.clone()],
            channels,
            epilogue: self.epilogue,
            output,
            pixel_stride: self.pixel_stride,
        });
    }
}

/// Deals blocks evenly to a multiple of `workers` jobs, in groups as the products take them.
fn jobs(blocks: Range<usize>, workers: usize) -> Vec<Range<usize>> {
    let groups = blocks.len().div_ceil(PIXELS);
    let jobs = (workers * blocks.len().div_ceil(JOB_BLOCKS * workers)).min(groups);
    let start = |job: usize| (blocks.start + job * groups / jobs * PIXELS).min(blocks.end);
    (0..jobs).map(|job| start(job)..start(job + 1)).collect()
}
