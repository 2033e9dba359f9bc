//! Convolutions in which every channel sees only itself.
#![expect(clippy::inline_always, reason = "the sums must be compiled for the vector unit that runs them")]

use rayon::prelude::*;

use super::{
    Epilogue, Isa,
    aligned::Aligned,
    element::Element,
    epilogue::{Bounds, Finish},
    rows::{Input, Rows, pixels_per_job},
    simd::{Job, Simd},
    sums::{PIXELS, Target},
    window::Window,
};
use crate::{Conv, Shape};

/// A depthwise convolution, vectorised over channels; its few weights are `f32` whatever the elements.
#[derive(Debug)]
pub(super) struct Depthwise {
    window: Window,
    channels: usize,
    /// Per vector of channels `(taps, lanes)`.
    weights: Aligned<f32>,
    bias: Vec<f32>,
}

impl Depthwise {
    /// Whether the convolution has one input and one output channel per group.
    pub(super) fn fits(conv: &Conv, in_channels: usize) -> bool {
        conv.groups == in_channels && conv.out_channels == in_channels
    }

    pub(super) fn new(conv: &Conv, weight: &[f32], bias: Vec<f32>, isa: Isa) -> Self {
        let (channels, taps, lanes) = (conv.out_channels, conv.kernel.product(), isa.lanes());
        let mut weights = Aligned::zeros(channels.next_multiple_of(lanes) * taps);
        for (channel, weight) in weight.chunks_exact(taps).enumerate() {
            let packed = &mut weights.as_mut_slice()[channel / lanes * lanes * taps..];
            for (tap, &weight) in weight.iter().enumerate() {
                packed[tap * lanes + channel % lanes] = weight;
            }
        }
        Self { window: Window::new(conv), channels, weights, bias }
    }

    pub(super) fn bytes(&self) -> usize {
        self.weights.bytes() + size_of_val(self.bias.as_slice())
    }

    pub(super) fn run<E: Element>(
        &self,
        simd: impl Simd,
        input: &[E],
        shape: Shape,
        epilogue: &Epilogue<'_, E>,
        output: &mut [E],
    ) {
        let zeros = vec![E::default(); self.channels];
        let line = shape.extent.x * self.channels;
        let input = Input { values: input, extent: shape.extent, step: self.channels, line, zeros: &zeros };
        let pixels = self.window.output(shape.extent).product();
        let job_pixels = pixels_per_job(pixels, self.window.taps());
        output.par_chunks_mut(job_pixels * self.channels).enumerate().for_each(|(job, output)| {
            let first = job * job_pixels;
            let rows = Rows::new(&self.window, &input, first..first + output.len() / self.channels);
            let residual = epilogue.residual.map(|residual| &residual[first * self.channels..][..output.len()]);
            simd.vectorize(Sweep { layer: self, input, rows: &rows, residual, bounds: epilogue.bounds(), output });
        });
    }
}

/// All channels of some pixels.
struct Sweep<'a, E> {
    layer: &'a Depthwise,
    input: Input<'a, E>,
    rows: &'a Rows,
    residual: Option<&'a [E]>,
    bounds: Bounds,
    output: &'a mut [E],
}

impl<E: Element> Job for Sweep<'_, E> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Depthwise { channels, weights, bias, .. } = self.layer;
        let channels = *channels;
        let mut taps = Vec::new();
        for group in self.rows.groups() {
            taps.clear();
            taps.extend(group.taps.iter().map(|starts| starts.map(|start| self.input.row(start, 0..channels))));
            for (block, weights) in weights.as_slice().chunks_exact(taps.len() * S::LANES).enumerate() {
                let first = block * S::LANES;
                let end = channels.min(first + S::LANES);
                let mut sums = [[simd.splat(0.0)]; PIXELS];
                for (rows, weights) in taps.iter().zip(weights.chunks_exact(S::LANES)) {
                    let weights = simd.load(weights);
                    for (sum, row) in sums.iter_mut().zip(rows) {
                        sum[0] = simd.mul_add(E::load(simd, &row[first..end]), weights, sum[0]);
                    }
                }
                let start = group.first * channels + first;
                let residual = self.residual.map(|residual| &residual[start..]);
                let finish = Finish { bias: &bias[first..], residual, bounds: self.bounds };
                let output = &mut self.output[start..];
                let mut target = Target { output, stride: channels, pixels: group.pixels, channels: end - first };
                target.store(simd, &sums, Some(&finish));
            }
        }
    }
}
