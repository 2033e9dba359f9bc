//! Convolutions as sums of shifted matrix products.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    Epilogue, Isa, Pixels, PixelsMut,
    aligned::Aligned,
    element::Element,
    epilogue::Finish,
    product::{Product, Start},
    rows::{Input, Rows, pixels_per_job},
    scratch::Scratch,
    simd::Simd,
    window::Window,
};
use crate::{Axes, Conv, Extent, Padding, Shape};

/// Bytes of weights that stay in a core's cache while all pixels of a job pass by: half a MiB, and an eighth more so that 3x3 taps of 256 channels
/// are not cut.
const SLICE: usize = 576 * 1024;
/// With up to so many input channels the taps along x are read as one long row, because a loop over few channels is mostly overhead.
const FEW_CHANNELS: usize = 16;

/// A convolution with its weights in panels of output channels.
#[derive(Debug)]
pub(super) struct Direct<E: Element> {
    window: Window,
    in_channels: usize,
    /// Input elements per tap and group.
    depth: usize,
    taps: Taps,
    panels: Vec<Panel>,
    /// Per panel `(taps, depth, lanes)`, where as many input channels as are multiplied at once count as one.
    weights: Aligned<E::Weights>,
    /// Per output channel.
    bias: Vec<f32>,
}

/// What counts as a tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taps {
    /// One position of the kernel.
    Positions,
    /// One line of the kernel along x: its positions lie next to each other in an input with padded lines.
    Lines {
        /// Positions added to each line.
        padding: Padding,
        /// Positions of a line of the kernel.
        kernel: usize,
    },
}

/// Output channels that are computed together.
#[derive(Debug)]
struct Panel {
    /// Output channels.
    channels: Range<usize>,
    /// Input channels that they see.
    inputs: Range<usize>,
    /// Registers across.
    vectors: usize,
    /// Where its weights are.
    weights: Range<usize>,
}

impl<E: Element> Direct<E> {
    /// With weights and a bias of zero.
    pub(super) fn new(conv: &Conv, in_channels: usize, isa: Isa) -> Self {
        let out_channels = conv.out_channels;
        let (mut window, mut depth, mut taps) = (Window::new(conv), in_channels / conv.groups, Taps::Positions);
        if conv.groups == 1 && conv.kernel.x > 1 && conv.dilation.x == 1 && in_channels <= FEW_CHANNELS {
            taps = Taps::Lines { padding: conv.padding.x, kernel: conv.kernel.x };
            depth *= conv.kernel.x;
            (window.kernel.x, window.padding.x) = (1, Padding::default());
        }
        let rows = window.taps() * depth.div_ceil(E::CHANNELS);
        let mut panels = Vec::new();
        let mut end = 0;
        for group in 0..conv.groups {
            let outputs = group * out_channels / conv.groups..(group + 1) * out_channels / conv.groups;
            for first in outputs.clone().step_by(isa.lanes() * isa.vectors()) {
                let channels = first..(first + isa.lanes() * isa.vectors()).min(outputs.end);
                let vectors = channels.len().div_ceil(isa.lanes());
                let start = end;
                end += rows * vectors * isa.lanes();
                panels.push(Panel { channels, inputs: group * depth..(group + 1) * depth, vectors, weights: start..end });
            }
        }
        Self { window, in_channels, depth, taps, panels, weights: Aligned::zeros(end), bias: vec![0.0; out_channels] }
    }

    /// Takes other weights, and a bias if the convolution has one.
    pub(super) fn set(&mut self, weight: &[f32], bias: Option<&[f32]>) {
        if let Some(bias) = bias {
            self.bias.copy_from_slice(bias);
        }
        let positions = match self.taps {
            Taps::Positions => 1,
            Taps::Lines { kernel, .. } => kernel,
        };
        let source = Source { weight, positions, group_in: self.depth / positions, depth: self.depth, taps: self.window.taps() };
        let (mut rest, mut parts) = (self.weights.as_mut_slice(), Vec::with_capacity(self.panels.len()));
        for panel in &self.panels {
            let part;
            (part, rest) = rest.split_at_mut(panel.weights.len());
            parts.push((panel, part));
        }
        parts.into_par_iter().for_each(|(panel, part)| source.pack::<E>(panel, part));
    }

    pub(super) fn bytes(&self) -> usize {
        self.weights.bytes() + size_of_val(self.bias.as_slice())
    }

    /// Values held for the time of a run.
    pub(super) fn scratch(&self, shape: Shape) -> usize {
        match self.taps {
            Taps::Positions => 0,
            Taps::Lines { padding, .. } => shape.extent.z * shape.extent.y * (shape.extent.x + padding.total()) * shape.channels,
        }
    }

    pub(super) fn run(
        &self,
        simd: impl Simd,
        input: Pixels<'_, E>,
        shape: Shape,
        epilogue: &Epilogue<'_, E>,
        output: PixelsMut<'_, E>,
    ) {
        let zeros = vec![E::default(); self.depth.max(self.in_channels)];
        match self.taps {
            Taps::Positions => {
                // Pixels that see only themselves are one long line.
                let extent = if self.window.is_point() { Extent::planar(1, shape.extent.product()) } else { shape.extent };
                let (step, line, zeros) = (input.stride, extent.x * input.stride, &zeros[..self.in_channels]);
                self.multiply(simd, Input { values: input.values, extent, step, line, zeros }, epilogue, output);
            }
            Taps::Lines { padding, kernel } => {
                let width = shape.extent.x + padding.total();
                let mut padded = Scratch::take(self.scratch(shape));
                pad_lines(input, shape, padding, &mut padded.as_mut_slice()[..self.scratch(shape)]);
                // A line of the kernel can start where it ends inside the padded line.
                let extent = Axes { x: width + 1 - kernel, ..shape.extent };
                let (step, line, zeros) = (self.in_channels, width * self.in_channels, &zeros[..self.depth]);
                self.multiply(simd, Input { values: padded.as_slice(), extent, step, line, zeros }, epilogue, output);
            }
        }
    }

    fn multiply(&self, simd: impl Simd, input: Input<'_, E>, epilogue: &Epilogue<'_, E>, output: PixelsMut<'_, E>) {
        let pixels = self.window.output(input.extent).product();
        let job_pixels = pixels_per_job(pixels, self.window.taps());
        output.par_parts(job_pixels).enumerate().for_each(|(job, output)| {
            let first = job * job_pixels;
            let rows = Rows::new(&self.window, &input, first..first + output.count());
            for panel in &self.panels {
                for slice in self.slices(panel) {
                    let finish = Finish {
                        bias: &self.bias[panel.channels.clone()],
                        residual: epilogue.residual.map(|residual| residual.after(first, panel.channels.start)),
                        bounds: epilogue.bounds(),
                    };
                    let product = Product {
                        input,
                        rows: &rows,
                        taps: slice.taps,
                        channels: slice.inputs,
                        start: if slice.weights.start == panel.weights.start { Start::Zero } else { Start::Output },
                        finish: (slice.weights.end == panel.weights.end).then_some(finish),
                        weights: &self.weights.as_slice()[slice.weights],
                        output: &mut output.values[panel.channels.start..],
                        stride: output.stride,
                        out_channels: panel.channels.len(),
                    };
                    product.run(simd, panel.vectors);
                }
            }
        });
    }

    /// Cuts a panel's sum so that each part's weights stay in the cache: between taps, or between the input channels of the only tap. The order of
    /// the sum stays the same. A sum that would lose bits between its parts is not cut.
    fn slices(&self, panel: &Panel) -> impl Iterator<Item = Slice> {
        let (taps, first, depth, inputs) = (self.window.taps(), panel.weights.start, self.depth, panel.inputs.clone());
        let steps = depth.div_ceil(E::CHANNELS);
        let lanes = panel.weights.len() / taps / steps;
        let parts = if E::HOLDS_SUMS { (panel.weights.len() * size_of::<E::Weights>()).div_ceil(SLICE) } else { 1 };
        let rows = if taps == 1 { steps.div_ceil(parts) } else { taps.div_ceil(parts) * steps };
        (0..taps * steps).step_by(rows).map(move |start| {
            let end = (start + rows).min(taps * steps);
            let channels = |step: usize| inputs.start + (step * E::CHANNELS).min(depth);
            let inputs = if taps == 1 { channels(start)..channels(end) } else { inputs.clone() };
            Slice { taps: start / steps..end.div_ceil(steps), inputs, weights: first + start * lanes..first + end * lanes }
        })
    }
}

/// Input elements that are packed for all output channels before the next ones are: so few that what is written stays in the cache.
const PACKED: usize = 16;

/// Weights to be packed.
struct Source<'a> {
    /// `(out, in / groups, taps, positions)`
    weight: &'a [f32],
    taps: usize,
    /// Positions of the kernel that count as one tap.
    positions: usize,
    group_in: usize,
    /// Input elements per tap.
    depth: usize,
}

impl Source<'_> {
    /// Writes a panel: `(taps, depth, lanes)`.
    fn pack<E: Element>(&self, panel: &Panel, packed: &mut [E::Weights]) {
        let &Self { weight, taps, positions, group_in, depth } = self;
        let (steps, kernel) = (depth.div_ceil(E::CHANNELS), taps * positions);
        let lanes = packed.len() / taps / steps;
        for first in (0..depth).step_by(PACKED) {
            let mut elements = [0.0; PACKED];
            let elements = &mut elements[..PACKED.min(depth - first)];
            for (lane, channel) in panel.channels.clone().enumerate() {
                let weight = &weight[channel * group_in * kernel..][..group_in * kernel];
                for tap in 0..taps {
                    for (at, element) in elements.iter_mut().enumerate() {
                        let (position, input) = ((first + at) / group_in, (first + at) % group_in);
                        *element = weight[input * kernel + tap * positions + position];
                    }
                    let packed = packed[(tap * steps + first / E::CHANNELS) * lanes + lane..].iter_mut().step_by(lanes);
                    packed.zip(elements.chunks(E::CHANNELS)).for_each(|(to, channels)| *to = E::weights(channels));
                }
            }
        }
    }
}

/// A part of a panel's sum.
struct Slice {
    taps: Range<usize>,
    inputs: Range<usize>,
    weights: Range<usize>,
}

/// Copies the input with zeros before and after every line along x.
fn pad_lines<E: Element>(input: Pixels<'_, E>, shape: Shape, padding: Padding, padded: &mut [E]) {
    let (channels, width) = (shape.channels, shape.extent.x);
    padded.par_chunks_exact_mut((width + padding.total()) * channels).enumerate().for_each(|(line, padded)| {
        let (before, rest) = padded.split_at_mut(padding.before * channels);
        let (middle, after) = rest.split_at_mut(width * channels);
        before.fill(E::default());
        input.line(line, width).pieces_for(channels, middle).for_each(|(to, from)| to.copy_from_slice(from));
        after.fill(E::default());
    });
}
