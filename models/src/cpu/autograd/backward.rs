//! From the gradient with respect to the scores to those with respect to tensors.

use rayon::prelude::*;

use super::broadcast::operand_gradient;
use super::element_wise::{self, Bent};
use super::encoding::EncodingGradient;
use super::forward::{Kept, sample, slopes};
use super::gradients::{Gradient, Gradients, Mode};
use super::l2_norm::l2_norm_gradient;
use super::mask::Mask;
use super::pool::PoolGradient;
use super::prelu::prelu_gradient;
use super::scaling::{Backward, Scaling};
use super::step::{Step, Work};
use super::tape::Tape;
use super::unpool::unpool_gradient;
use super::values::Values;
use crate::cpu::kernels::{Isa, Pixels, PixelsMut};
use crate::cpu::ops::{self, Combination, Operand};
use crate::{Activation, Shape};

/// What the way back of a step works with.
pub(super) struct Back<'a, 'b> {
    pub(super) isa: Isa,
    pub(super) tape: &'a Tape,
    pub(super) values: &'b Values<'a>,
    pub(super) gradients: &'b mut Gradients<'a>,
}

impl Step {
    /// Adds the gradients with respect to a convolution's tensors to `tensors`.
    pub(super) fn kernel_gradient(&self, tape: &Tape, values: &Values<'_>, dy: &Gradient, tensors: &mut [f32]) {
        let (samples, input) = (tape.samples, tape.shapes[self.inputs[0]]);
        let (x, dy) = (|| values.pixels(self.inputs[0]), dy.pixels());
        match &self.work {
            Work::Convolution { layer, biases } => {
                let (dw, db) = split_bias(tensors, *biases);
                layer.weight_gradient(samples, input, x(), dy, dw, db);
            }
            Work::Transposed { layer, biases } => {
                let (dw, db) = split_bias(tensors, *biases);
                layer.weight_gradient(samples, input, x(), dy, dw, db);
            }
            _ => {}
        }
    }

    /// From the gradient with respect to its output, gives those with respect to its inputs, and adds those with respect to factors per channel to
    /// `tensors`.
    pub(super) fn backward(&self, back: &mut Back<'_, '_>, kept: &Kept, dy: Gradient, tensors: &mut [f32]) {
        let Back { isa, tape, values, .. } = *back;
        let (samples, input, output) = (tape.samples, self.inputs[0], tape.shapes[self.output]);
        let shape = tape.shapes[input];
        if !self.work.has_tensors() && self.inputs.iter().all(|&input| !tape.learned[input]) {
            return;
        }
        match &self.work {
            Work::Convolution { layer, .. } if tape.learned[input] => {
                back.gradients.write(input, |dx| layer.input_gradient(samples, shape, dy.pixels(), dx));
            }
            Work::Transposed { layer, .. } if tape.learned[input] => {
                back.gradients.write(input, |dx| layer.input_gradient(samples, shape, dy.pixels(), dx));
            }
            Work::Norm { .. } | Work::Affine { .. } => {
                if let Kept::Scaling { scaling, inverse_deviation } = kept {
                    self.scaling(back, scaling, inverse_deviation, dy, tensors);
                }
            }
            Work::GroupNorm { norm, .. } => {
                if let Kept::Normalised(normalised) = kept {
                    let (x, dy) = (values.operand(input), Operand { pixels: dy.pixels(), shape });
                    back.gradients.write(input, |dx| norm.backward(isa, normalised, x, dy, dx, tensors));
                }
            }
            Work::L2Norm { epsilon } => {
                let (x, dy) = (values.pixels(input), dy.pixels());
                back.gradients.write(input, |dx| l2_norm_gradient(isa, *epsilon, kept.tensors(), x, dy, dx, tensors));
            }
            Work::PRelu => {
                let (x, dy) = (values.pixels(input), dy.pixels());
                let slopes = slopes(kept.tensors(), shape.channels);
                back.gradients.write(input, |dx| prelu_gradient(isa, &slopes, x, dy, dx, tensors));
            }
            Work::Encoding => {
                let (codewords, scale) = kept.tensors().split_at(output.channels * shape.channels);
                let (x, dy) = (values.operand(input), Operand { pixels: dy.pixels(), shape: output });
                back.gradients.write(input, |dx| EncodingGradient { codewords, scale }.run(x, dy, dx, tensors));
            }
            Work::Unpool(unpool) if tape.learned[input] => {
                let (pooled, dy) = (values.operand(self.inputs[1]), Operand { pixels: dy.pixels(), shape: output });
                back.gradients.write(input, |dx| unpool_gradient(unpool, pooled, dy, shape.extent, dx));
            }
            Work::Convolution { .. } | Work::Transposed { .. } | Work::Unpool(_) => {}
            Work::Turn => back.gradients.write(input, |dx| {
                let dy = Operand { pixels: dy.pixels(), shape: output };
                dx.par_parts(shape.extent.product()).enumerate().for_each(|(at, dx)| ops::turn(sample(dy, at), dx.values));
            }),
            Work::Activation(activation) => {
                let mut dy = back.gradients.own(self.output, dy);
                if let Some(dy) = dy.pixels_mut() {
                    match (Bent::of(*activation), Mask::of(*activation)) {
                        (Some(bent), _) => element_wise::apply_slope(isa, bent, output.channels, values.pixels(input), dy),
                        (None, Some(mask)) => {
                            element_wise::apply_mask(isa, mask, output.channels, values.pixels(self.output), dy);
                        }
                        (None, None) => element_wise::apply_sigmoid(isa, output.channels, values.pixels(self.output), dy),
                    }
                }
                back.gradients.give(input, dy);
            }
            Work::Softmax => {
                let mut dy = back.gradients.own(self.output, dy);
                if let Some(dy) = dy.pixels_mut() {
                    element_wise::apply_softmax(isa, output.channels, values.pixels(self.output), dy);
                }
                back.gradients.give(input, dy);
            }
            Work::Pool { pool, windows } => {
                let winners: &[f32] = if let Kept::Winners(winners) = kept { winners } else { &[] };
                let (kind, channels, input_extent) = (pool.kind, shape.channels, shape.extent);
                let gradient = PoolGradient { windows, kind, channels, input: input_extent, output: output.extent, winners };
                back.gradients.accumulate(input, |dx, mode| gradient.run(isa, dy.pixels(), dx, mode));
            }
            Work::Mean => back.gradients.accumulate(input, |dx, mode| spread_mean(shape, dy.pixels(), dx, mode)),
            Work::Add { activation } => self.sum(back, *activation, dy),
            Work::Mul => self.product(back, &dy),
            Work::Concat { starts } => {
                for (&part, &start) in self.inputs.iter().zip(starts).filter(|(part, _)| tape.learned[**part]) {
                    back.gradients.give(part, dy.part(start, tape.shapes[part].channels));
                }
            }
            Work::Channels { start } => back.gradients.accumulate(input, |dx, mode| {
                if mode == Mode::Write {
                    dx.values.fill(0.0);
                }
                let end = dx.values.len() - shape.channels + start + output.channels;
                let dx = PixelsMut { values: &mut dx.values[*start..end], stride: dx.stride };
                element_wise::add(isa, output.channels, dy.pixels(), dx);
            }),
            Work::Resize { spread, .. } | Work::Pad { spread, .. } | Work::Bins { spread, .. } | Work::Crop { spread, .. } => {
                back.gradients.accumulate(input, |dx, mode| spread.run(isa, shape.channels, dy.pixels(), dx, mode));
            }
        }
    }

    /// The way back of a scaling per channel.
    fn scaling(
        &self,
        back: &mut Back<'_, '_>,
        scaling: &Scaling,
        inverse_deviation: &[f64],
        mut dy: Gradient,
        tensors: &mut [f32],
    ) {
        let (input, isa) = (self.inputs[0], back.isa);
        let x = back.values.pixels(input);
        let sums = scaling.gradient_sums(isa, x, dy.pixels());
        let (dweight, rest) = tensors.split_at_mut(sums.len());
        for (channel, (sums, (dweight, dbias))) in sums.iter().zip(dweight.iter_mut().zip(rest)).enumerate() {
            *dweight += (sums.centred * inverse_deviation.get(channel).unwrap_or(&1.0)) as f32;
            *dbias += sums.plain as f32;
        }
        if !back.tape.learned[input] {
            return;
        }
        let count = x.values.len().div_ceil(x.stride) as f64;
        // Mean and variance depend on every value of the batch.
        let through_statistics = |channel: usize| {
            let Some(inverse) = inverse_deviation.get(channel) else { return (0.0, 0.0) };
            let scale = f64::from(scaling.scale[channel]);
            let slope = -scale * inverse * inverse * sums[channel].centred / count;
            (slope as f32, (-scale * sums[channel].plain / count) as f32)
        };
        let (slope, shift) = (0..sums.len()).map(through_statistics).unzip();
        let backward = Backward { slope, shift };
        if dy.is_dense()
            && let Some(dx) = dy.pixels_mut()
        {
            scaling.input_gradient_in_place(isa, &backward, x, dx);
            back.gradients.give(input, dy);
        } else {
            back.gradients.write(input, |dx| scaling.input_gradient(isa, &backward, x, dy.pixels(), dx));
        }
    }

    /// The way back of a sum.
    fn sum(&self, back: &mut Back<'_, '_>, activation: Option<Activation>, mut dy: Gradient) {
        let shape = back.tape.shapes[self.output];
        if let Some(mask) = activation.and_then(Mask::of) {
            dy = back.gradients.own(self.output, dy);
            if let Some(dy) = dy.pixels_mut() {
                element_wise::apply_mask(back.isa, mask, shape.channels, back.values.pixels(self.output), dy);
            }
        }
        for &input in self.inputs.iter().filter(|&&input| back.tape.learned[input]) {
            let operand = back.tape.shapes[input];
            if operand == shape {
                back.gradients.give(input, dy.clone());
            } else {
                back.gradients.write(input, |dx| operand_gradient(shape, dy.pixels(), None, operand, dx));
            }
        }
    }

    /// The way back of a product.
    fn product(&self, back: &mut Back<'_, '_>, dy: &Gradient) {
        let Back { isa, tape, values, .. } = *back;
        let shape = tape.shapes[self.output];
        let operands = [(self.inputs[0], self.inputs[1]), (self.inputs[1], self.inputs[0])];
        for (input, other) in operands.into_iter().filter(|(input, _)| tape.learned[*input]) {
            let (operand, other) = (tape.shapes[input], values.operand(other));
            back.gradients.write(input, |dx| {
                if operand != shape {
                    return operand_gradient(shape, dy.pixels(), Some(other), operand, dx);
                }
                let dy = Operand { pixels: dy.pixels(), shape };
                dx.par_parts(shape.extent.product()).enumerate().for_each(|(at, dx)| {
                    let (dy, other) = (sample(dy, at), sample(other, at));
                    ops::combine(isa, Combination::Mul, Some(dy), other, None, shape, dx.values);
                });
            });
        }
    }
}

/// The kernel's part of a convolution's tensors, and that of the biases, if there are some.
fn split_bias(tensors: &mut [f32], biases: usize) -> (&mut [f32], Option<&mut [f32]>) {
    let (weight, bias) = tensors.split_at_mut(tensors.len() - biases);
    (weight, (biases > 0).then_some(bias))
}

/// Gives every position its share in the gradient of a mean.
fn spread_mean(input: Shape, dy: Pixels<'_, f32>, dx: PixelsMut<'_, f32>, mode: Mode) {
    let positions = input.extent.product();
    let share = 1.0 / positions as f32;
    dx.par_parts(input.extent.x).enumerate().for_each(|(row, dx)| {
        let dy = dy.after(row * input.extent.x / positions, 0).values;
        for (to, dy) in dx.channels(input.channels).flat_map(|pixel| pixel.iter_mut().zip(dy)) {
            *to = if mode == Mode::Add { *to + share * dy } else { share * dy };
        }
    });
}
