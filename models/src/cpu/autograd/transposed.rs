//! A transposed convolution that is learned.

use std::borrow::Cow;

use super::convolution::{add_pixels, run, run_transposed};
use crate::cpu::kernels::{Conditions, Convolution, Isa, Pixels, PixelsMut, WeightGradient};
use crate::cpu::ops::Transposed;
use crate::windows;
use crate::{Axes, Conv, ConvTranspose, Extent, Padding, Shape};

/// A transposed convolution whose weights change from step to step; see [`super::convolution::LearnedConvolution`].
pub(crate) struct LearnedTransposed {
    transposed: ConvTranspose,
    /// The convolution that it is the transpose of, which leads its output's gradient back to its input.
    conv: Conv,
    /// Positions at the output's end that are more than that convolution sees.
    unseen: Axes<usize>,
    isa: Isa,
    forward: Transposed<f32>,
    backward: Convolution<f32>,
    gradient: WeightGradient,
}

impl LearnedTransposed {
    /// A transposed convolution with weights and a bias of zero.
    pub(crate) fn new(transposed: ConvTranspose, in_channels: usize, isa: Isa, conditions: Conditions) -> Self {
        let ConvTranspose { out_channels, kernel, stride, padding, output_padding, dilation, groups, .. } = transposed;
        let ends = padding.zip(output_padding);
        let unseen = ends.map(|(cut, added)| added.saturating_sub(cut.after));
        let padding = ends.map(|(cut, added)| Padding { after: cut.after.saturating_sub(added), ..cut });
        let conv = Conv { out_channels: in_channels, kernel, stride, padding, dilation, groups, bias: false };
        Self {
            transposed,
            conv,
            unseen,
            isa,
            forward: Transposed::zero(transposed, in_channels, isa),
            backward: Convolution::zero(conv, out_channels, isa, conditions),
            gradient: WeightGradient::new(&conv, out_channels, isa, conditions),
        }
    }

    /// Takes weights, `(in, out / groups, kernel z, kernel y, kernel x)`, and a bias, one value per output channel.
    pub(crate) fn set(&mut self, weight: &[f32], bias: Option<&[f32]>) {
        self.forward.set(weight, bias);
        self.backward.set(weight, None);
    }

    /// Computes the transposed convolution of every sample; `input` is the shape of one.
    pub(crate) fn forward(&self, samples: usize, input: Shape, x: Pixels<'_, f32>, y: PixelsMut<'_, f32>) {
        let Some(output) = windows::transposed(input.extent, &self.transposed) else { return };
        run_transposed(&self.forward, &self.transposed, self.isa, samples, input, x, (y, output));
    }

    /// Writes the gradient with respect to the input, whose shape is `input`.
    pub(crate) fn input_gradient(&self, samples: usize, input: Shape, dy: Pixels<'_, f32>, dx: PixelsMut<'_, f32>) {
        let Some(output) = windows::transposed(input.extent, &self.transposed) else { return };
        let Some(seen) = self.seen(samples, output, dy) else {
            return dx.channels(input.channels).for_each(|pixel| pixel.fill(0.0));
        };
        run(&self.backward, &self.conv, samples, seen.shape, seen.pixels(), dx);
    }

    /// Adds the gradients of the weight, in its order, and of the bias.
    pub(crate) fn weight_gradient(
        &self,
        samples: usize,
        input: Shape,
        x: Pixels<'_, f32>,
        dy: Pixels<'_, f32>,
        dw: &mut [f32],
        db: Option<&mut [f32]>,
    ) {
        let Some(output) = windows::transposed(input.extent, &self.transposed) else { return };
        if let Some(seen) = self.seen(samples, output, dy) {
            // What the convolution reads is this one's output.
            self.gradient.add(samples, seen.shape, seen.pixels(), x, dw);
        }
        if let Some(db) = db {
            add_pixels(samples * output.product(), dy, db);
        }
    }

    /// The part of the output's gradient that the convolution sees; `None` if all that depends on the input is cut off.
    fn seen<'a>(&self, samples: usize, output: Extent, dy: Pixels<'a, f32>) -> Option<Seen<'a>> {
        let channels = self.transposed.out_channels;
        let seen = output.zip(self.unseen).map(|(len, unseen)| len.checked_sub(unseen).filter(|&len| len > 0));
        let extent = Axes { z: seen.z?, y: seen.y?, x: seen.x? };
        let shape = Shape { channels, extent };
        if extent == output {
            return Some(Seen { values: Cow::Borrowed(dy.values), stride: dy.stride, shape });
        }
        let lines = (0..samples * extent.z).flat_map(|plane| (0..extent.y).map(move |y| (plane, y)));
        let lines = lines.map(|(plane, y)| (plane / extent.z * output.z + plane % extent.z) * output.y + y);
        let values = lines.flat_map(|line| dy.line(line, output.x).channels(channels).take(extent.x).flatten().copied());
        Some(Seen { values: Cow::Owned(values.collect()), stride: channels, shape })
    }
}

/// A part of an output's gradient.
struct Seen<'a> {
    values: Cow<'a, [f32]>,
    stride: usize,
    shape: Shape,
}

impl Seen<'_> {
    fn pixels(&self) -> Pixels<'_, f32> {
        Pixels { values: &self.values, stride: self.stride }
    }
}
