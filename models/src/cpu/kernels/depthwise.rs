//! Convolutions in which every channel sees only itself.
#![expect(clippy::inline_always, reason = "the sums must be compiled for the vector unit that runs them")]

use rayon::prelude::*;

use super::{
    Epilogue, Isa, Pixels, PixelsMut,
    aligned::Aligned,
    element::Element,
    epilogue::{Bounds, Finish},
    rows::{Group, Input, Places, Rows, pixels_per_job},
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
    lanes: usize,
    /// Per vector of channels `(taps, lanes)`.
    weights: Aligned<f32>,
    bias: Vec<f32>,
}

impl Depthwise {
    /// Whether the convolution has one input and one output channel per group.
    pub(super) fn fits(conv: &Conv, in_channels: usize) -> bool {
        conv.groups == in_channels && conv.out_channels == in_channels
    }

    /// With weights and a bias of zero.
    pub(super) fn new(conv: &Conv, isa: Isa) -> Self {
        let (channels, lanes) = (conv.out_channels, isa.lanes());
        let weights = Aligned::zeros(channels.next_multiple_of(lanes) * conv.kernel.product());
        Self { window: Window::new(conv), channels, lanes, weights, bias: vec![0.0; channels] }
    }

    /// Takes other weights, and a bias if the convolution has one.
    pub(super) fn set(&mut self, weight: &[f32], bias: Option<&[f32]>) {
        if let Some(bias) = bias {
            self.bias.copy_from_slice(bias);
        }
        let (taps, lanes) = (self.window.taps(), self.lanes);
        for (channel, weight) in weight.chunks_exact(taps).enumerate() {
            let packed = &mut self.weights.as_mut_slice()[channel / lanes * lanes * taps..];
            for (tap, &weight) in weight.iter().enumerate() {
                packed[tap * lanes + channel % lanes] = weight;
            }
        }
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
        let zeros = vec![E::default(); self.channels];
        let (values, step, line) = (input.values, input.stride, shape.extent.x * input.stride);
        let input = Input { values, extent: shape.extent, step, line, zeros: &zeros };
        let pixels = self.window.output(shape.extent).product();
        let job_pixels = pixels_per_job(pixels, self.window.taps());
        output.par_parts(job_pixels).enumerate().for_each(|(job, output)| {
            let first = job * job_pixels;
            let rows = Rows::new(&self.window, &input, first..first + output.count());
            let residual = epilogue.residual.map(|residual| residual.after(first, 0));
            simd.vectorize(Sweep { layer: self, input, rows: &rows, residual, bounds: epilogue.bounds(), output });
        });
    }
}

/// All channels of some pixels.
struct Sweep<'a, E> {
    layer: &'a Depthwise,
    input: Input<'a, E>,
    rows: &'a Rows,
    residual: Option<Pixels<'a, E>>,
    bounds: Bounds,
    output: PixelsMut<'a, E>,
}

impl<E: Element> Job for Sweep<'_, E> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let channels = self.layer.channels;
        let whole = channels / S::LANES * S::LANES;
        for group in self.rows.groups() {
            for first in (0..whole).step_by(S::LANES) {
                self.channels(simd, group, first, S::LANES);
            }
            if whole < channels {
                self.channels(simd, group, whole, channels - whole);
            }
        }
    }
}

impl<E: Element> Sweep<'_, E> {
    /// Computes `len` channels of a group, at most as many as there are lanes.
    #[inline(always)]
    fn channels<S: Simd>(&mut self, simd: S, group: Group, first: usize, len: usize) {
        let Depthwise { weights, bias, .. } = self.layer;
        let (rows, taps) = (self.rows, self.rows.offsets().len());
        let weights = weights.as_slice()[first * taps..].chunks_exact(S::LANES);
        let mut sums = [[simd.splat(0.0)]; PIXELS];
        match group.places {
            Places::Line { start } => {
                for (offset, weights) in rows.offsets().iter().zip(weights) {
                    let (weights, start) = (simd.load(weights), start + offset + first);
                    let line = &self.input.values[start..start + (PIXELS - 1) * rows.step() + len];
                    for (pixel, sum) in sums.iter_mut().enumerate() {
                        let at = pixel * rows.step();
                        #[expect(unsafe_code, reason = "a check per vector would cost as much as the sums")]
                        // SAFETY: the line was cut to end `len` elements after the start of the last pixel.
                        let values = unsafe { line.get_unchecked(at..at + len) };
                        sum[0] = simd.mul_add(E::load(simd, values), weights, sum[0]);
                    }
                }
            }
            Places::Table { .. } => {
                for (tap, weights) in weights.enumerate().take(taps) {
                    let Some(starts) = rows.starts(group, tap) else { continue };
                    let weights = simd.load(weights);
                    for (sum, start) in sums.iter_mut().zip(starts) {
                        let values = self.input.row(start, first..first + len);
                        sum[0] = simd.mul_add(E::load(simd, values), weights, sum[0]);
                    }
                }
            }
        }
        let residual = self.residual.map(|residual| residual.after(group.first, first));
        let finish = Finish { bias: &bias[first..first + len], residual, bounds: self.bounds };
        let stride = self.output.stride;
        let output = &mut self.output.values[group.first * stride + first..];
        let mut target = Target { output, stride, pixels: group.pixels, channels: len };
        target.store(simd, &sums, Some(&finish));
    }
}
