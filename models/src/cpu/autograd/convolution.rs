//! A convolution that is learned.

use rayon::prelude::*;

use crate::cpu::kernels::{Conditions, Convolution, Epilogue, Isa, Pixels, PixelsMut, Scratch, WeightGradient};
use crate::cpu::ops::{Operand, Transposed};
use crate::windows::windowed;
use crate::{Axes, Conv, ConvTranspose, Extent, Padding, Shape};

/// A convolution whose weights change from step to step. Inputs and outputs are those of several samples, one after the other.
pub(crate) struct LearnedConvolution {
    conv: Conv,
    in_channels: usize,
    isa: Isa,
    forward: Convolution<f32>,
    /// `None` where nobody asks for the gradient with respect to the input.
    backward: Option<Backward>,
    gradient: WeightGradient,
}

/// What leads an output's gradient back to the input.
enum Backward {
    /// A convolution with the kernel turned around.
    Turned { conv: Conv, convolution: Convolution<f32> },
    /// Any other is transposed.
    Transposed { conv: ConvTranspose, transposed: Transposed<f32> },
}

impl LearnedConvolution {
    /// A convolution with weights and a bias of zero.
    pub(crate) fn new(conv: Conv, in_channels: usize, isa: Isa, conditions: Conditions) -> Self {
        let forward = Convolution::zero(conv, in_channels, isa, conditions);
        let backward = if let Some(turned) = turned(&conv, in_channels) {
            let convolution = Convolution::zero(turned, conv.out_channels, isa, conditions);
            Backward::Turned { conv: turned, convolution }
        } else {
            let Conv { out_channels, kernel, stride, padding, dilation, groups, .. } = conv;
            // So many positions may be left over at the input's end, which the last output does not see.
            let output_padding = stride.map(|stride| stride - 1);
            let conv = ConvTranspose {
                out_channels: in_channels,
                kernel,
                stride,
                padding,
                output_padding,
                dilation,
                groups,
                bias: false,
            };
            Backward::Transposed { conv, transposed: Transposed::zero(conv, out_channels, isa) }
        };
        let gradient = WeightGradient::new(&conv, in_channels, isa, conditions);
        Self { conv, in_channels, isa, forward, backward: Some(backward), gradient }
    }

    /// Frees what only the gradient with respect to the input needs, which is not written from now on.
    pub(crate) fn drop_input_gradient(&mut self) {
        self.backward = None;
    }

    /// Takes weights, `(out, in / groups, kernel z, kernel y, kernel x)`, and a bias, one value per output channel.
    pub(crate) fn set(&mut self, weight: &[f32], bias: Option<&[f32]>) {
        self.forward.set(weight, bias);
        match &mut self.backward {
            Some(Backward::Turned { convolution, .. }) => {
                let mut turned = Scratch::take(weight.len());
                let turned = &mut turned.as_mut_slice()[..weight.len()];
                turn(&self.conv, self.in_channels, weight, turned);
                convolution.set(turned, None);
            }
            Some(Backward::Transposed { transposed, .. }) => transposed.set(weight, None),
            None => {}
        }
    }

    /// Computes the convolution of every sample; `input` is the shape of one.
    pub(crate) fn forward(&self, samples: usize, input: Shape, x: Pixels<'_, f32>, y: PixelsMut<'_, f32>) {
        run(&self.forward, &self.conv, samples, input, x, y);
    }

    /// Writes the gradient with respect to the input, whose shape is `input`.
    pub(crate) fn input_gradient(&self, samples: usize, input: Shape, dy: Pixels<'_, f32>, dx: PixelsMut<'_, f32>) {
        let Some(output) = self.output(input.extent) else { return };
        let from = Shape { channels: self.conv.out_channels, extent: output };
        match &self.backward {
            Some(Backward::Turned { conv, convolution }) => run(convolution, conv, samples, from, dy, dx),
            Some(Backward::Transposed { conv, transposed }) => {
                run_transposed(transposed, conv, self.isa, samples, from, dy, (dx, input.extent));
            }
            None => {}
        }
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
        let Some(output) = self.output(input.extent) else { return };
        self.gradient.add(samples, input, x, dy, dw);
        if let Some(db) = db {
            add_pixels(samples * output.product(), dy, db);
        }
    }

    /// The output's extent.
    fn output(&self, input: Extent) -> Option<Extent> {
        let Conv { kernel, stride, padding, dilation, .. } = self.conv;
        windowed(input, kernel, stride, padding, dilation)
    }
}

/// The convolution that leads an output's gradient back to the input, if it is one.
fn turned(conv: &Conv, in_channels: usize) -> Option<Conv> {
    let axes = conv.padding.zip(conv.kernel.zip(conv.dilation)).map(|(padding, (kernel, dilation))| {
        let reach = dilation * (kernel - 1);
        Some(Padding { before: reach.checked_sub(padding.before)?, after: reach.checked_sub(padding.after)? })
    });
    let padding = Axes { z: axes.z?, y: axes.y?, x: axes.x? };
    (conv.stride == Axes::cube(1)).then_some(Conv { out_channels: in_channels, padding, bias: false, ..*conv })
}

/// The weights of that convolution: `(in, out / groups, taps)`, the last tap first.
fn turn(conv: &Conv, in_channels: usize, weight: &[f32], turned: &mut [f32]) {
    let (taps, ins, outs) = (conv.kernel.product(), in_channels / conv.groups, conv.out_channels / conv.groups);
    turned.par_chunks_exact_mut(outs * taps).enumerate().for_each(|(channel, turned)| {
        let (group, channel) = (channel / ins, channel % ins);
        for (out, turned) in turned.chunks_exact_mut(taps).enumerate() {
            let weight = &weight[((group * outs + out) * ins + channel) * taps..][..taps];
            turned.iter_mut().zip(weight.iter().rev()).for_each(|(to, &from)| *to = from);
        }
    });
}

/// Runs a convolution on samples: as planes of one input if no output sees two of them, which reads the weights once, or one after the other.
pub(super) fn run(
    convolution: &Convolution<f32>,
    conv: &Conv,
    samples: usize,
    input: Shape,
    x: Pixels<'_, f32>,
    mut y: PixelsMut<'_, f32>,
) {
    let Conv { kernel, stride, padding, dilation, .. } = *conv;
    let Some(output) = windowed(input.extent, kernel, stride, padding, dilation) else { return };
    let epilogue = Epilogue { residual: None, activation: None };
    let (count, input) = if is_planar(kernel, stride, padding) { (1, stacked(samples, input)) } else { (samples, input) };
    let pixels = output.product() * samples / count;
    for sample in 0..count {
        let part = Part { first: sample * pixels, pixels, channels: conv.out_channels };
        convolution.run(x.after(sample * input.extent.product(), 0), input, &epilogue, part.of(&mut y));
    }
}

/// The same for a transposed convolution, the result of which has a given extent.
pub(super) fn run_transposed(
    transposed: &Transposed<f32>,
    c: &ConvTranspose,
    isa: Isa,
    samples: usize,
    input: Shape,
    x: Pixels<'_, f32>,
    (mut y, extent): (PixelsMut<'_, f32>, Extent),
) {
    let is_planar = is_planar(c.kernel, c.stride, c.padding) && c.output_padding.z == 0;
    let (count, shape) = if is_planar { (1, stacked(samples, input)) } else { (samples, input) };
    let extent = Extent { z: extent.z * samples / count, ..extent };
    let len = transposed.scratch(shape.extent);
    let mut scratch = Scratch::take(len);
    for sample in 0..count {
        let part = Part { first: sample * extent.product(), pixels: extent.product(), channels: c.out_channels };
        let operand = Operand { pixels: x.after(sample * shape.extent.product(), 0), shape };
        transposed.run(isa, operand, None, &mut scratch.as_mut_slice()[..len], (part.of(&mut y), extent));
    }
}

/// Whether outputs see the plane that they lie in, and no other.
fn is_planar(kernel: Axes<usize>, stride: Axes<usize>, padding: Axes<Padding>) -> bool {
    kernel.z == 1 && stride.z == 1 && padding.z == Padding::default()
}

/// Samples as planes of one.
fn stacked(samples: usize, shape: Shape) -> Shape {
    Shape { extent: Extent { z: shape.extent.z * samples, ..shape.extent }, ..shape }
}

/// Some pixels of several samples.
struct Part {
    first: usize,
    pixels: usize,
    channels: usize,
}

impl Part {
    fn of<'a>(&self, values: &'a mut PixelsMut<'_, f32>) -> PixelsMut<'a, f32> {
        let stride = values.stride;
        let values = &mut values.values[self.first * stride..][..(self.pixels - 1) * stride + self.channels];
        PixelsMut { values, stride }
    }
}

/// Pixels whose sum is computed before it is added to others.
const SUM: usize = 4096;

/// Adds all pixels to `sum`, one value per channel, in an order that does not depend on threads.
pub(super) fn add_pixels(pixels: usize, values: Pixels<'_, f32>, sum: &mut [f32]) {
    let channels = sum.len();
    let parts = (0..pixels.div_ceil(SUM)).into_par_iter().map(|part| {
        let mut sum = vec![0.0; channels];
        for pixel in values.after(part * SUM, 0).channels(channels).take(SUM.min(pixels - part * SUM)) {
            sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
        }
        sum
    });
    for part in parts.collect::<Vec<Vec<f32>>>() {
        sum.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
}
