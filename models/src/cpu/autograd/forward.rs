//! From the input to the scores.

use rayon::prelude::*;

use super::buffer::{Buffer, Buffers};
use super::element_wise;
use super::group_norm::Normalised;
use super::moments::moments;
use super::pool::maximum;
use super::scaling::Scaling;
use super::step::{Step, Work};
use super::tape::Tape;
use super::values::Values;
use crate::cpu::kernels::{Isa, Pixels, PixelsMut};
use crate::cpu::ops::{self, Combination, Operand};
use crate::train::follow;
use crate::{Activation, PoolKind, Shape};

/// What a step keeps for the way back, beside values.
pub(super) enum Kept {
    Nothing,
    /// How it scaled its input.
    Scaling {
        scaling: Scaling,
        /// Of a normalisation, the inverse of every channel's standard deviation; else empty.
        inverse_deviation: Vec<f64>,
    },
    /// The tensors as they were.
    Tensors(Vec<f32>),
    /// How every sample was normalised.
    Normalised(Vec<Normalised>),
    /// Where in each window the maximum is.
    Winners(Buffer),
}

impl Kept {
    /// The tensors, if they were kept.
    pub(super) fn tensors(&self) -> &[f32] {
        if let Self::Tensors(tensors) = self { tensors } else { &[] }
    }
}

impl Step {
    /// Computes the values of its output. `tensors` are those of its node.
    pub(super) fn forward(&self, isa: Isa, tape: &Tape, buffers: &Buffers, values: &mut Values<'_>, tensors: &mut [f32]) -> Kept {
        let (samples, shape) = (tape.samples, tape.shapes[self.output]);
        let (input, channels) = (self.inputs[0], shape.channels);
        let input_shape = tape.shapes[input];
        match &self.work {
            Work::Convolution { layer, .. } => {
                values.write(self.output, |values, y| layer.forward(samples, input_shape, values.pixels(input), y));
            }
            Work::Transposed { layer, .. } => {
                values.write(self.output, |values, y| layer.forward(samples, input_shape, values.pixels(input), y));
            }
            Work::Norm { epsilon, activation } => {
                let Normalisation { scaling, inverse_deviation } =
                    Normalisation::of(isa, values.pixels(input), *epsilon, *activation, tensors);
                values.write(self.output, |values, y| scaling.run(isa, values.pixels(input), y));
                return Kept::Scaling { scaling, inverse_deviation };
            }
            Work::Affine { activation } => {
                let (scale, bias) = tensors.split_at(channels);
                let mean = vec![0.0; channels];
                let scaling = Scaling { mean, scale: scale.into(), bias: bias.into(), activation: *activation };
                values.write(self.output, |values, y| scaling.run(isa, values.pixels(input), y));
                return Kept::Scaling { scaling, inverse_deviation: Vec::new() };
            }
            Work::GroupNorm { norm, .. } => {
                return values
                    .write(self.output, |values, y| Kept::Normalised(norm.forward(isa, values.operand(input), y, tensors)));
            }
            Work::L2Norm { .. } | Work::PRelu | Work::Encoding => return self.by_tensors(isa, tape, values, tensors),
            Work::Activation(activation) => {
                let is_in_place = tape.places[input] == tape.places[self.output];
                values.write(self.output, |values, mut y| {
                    if !is_in_place {
                        element_wise::copy(isa, channels, values.pixels(input), y.reborrow());
                    }
                    ops::activate_pixels(isa, *activation, channels, y);
                });
            }
            Work::Softmax => values.write(self.output, |values, mut y| {
                element_wise::copy(isa, channels, values.pixels(input), y.reborrow());
                ops::softmax(isa, stacked(shape, samples), y.values);
            }),
            Work::Pool { pool, windows } => {
                let mut winners = self.work.is_maximum().then(|| buffers.take(samples * shape.elements()));
                values.write(self.output, |values, y| match &mut winners {
                    Some(winners) => maximum(isa, windows, values.operand(input), shape.extent, y, winners),
                    None => each_sample(shape, y, values.operand(input), |input, y| ops::pool(isa, pool, input, shape.extent, y)),
                });
                debug_assert_eq!(winners.is_some(), pool.kind == PoolKind::Max, "only maxima have winners");
                return winners.map_or(Kept::Nothing, Kept::Winners);
            }
            Work::Unpool(unpool) => values.write(self.output, |values, y| {
                let (from, pooled) = (values.operand(input), values.operand(self.inputs[1]));
                y.par_parts(shape.extent.product()).enumerate().for_each(|(at, y)| {
                    ops::max_unpool(isa, unpool, sample(from, at), sample(pooled, at), y.values);
                });
            }),
            Work::Bins { bins, .. } => values.write(self.output, |values, y| {
                each_sample(shape, y, values.operand(input), |input, y| ops::bins(isa, input, *bins, y.values));
            }),
            Work::Turn => values.write(self.output, |values, y| {
                each_sample(shape, y, values.operand(input), |input, y| ops::turn(input, y.values));
            }),
            Work::Mean => values.write(self.output, |values, y| {
                each_sample(shape, y, values.operand(input), |input, y| ops::mean(isa, input.pixels, y.values));
            }),
            Work::Add { activation } => self.combine(isa, Combination::Add, *activation, tape, values),
            Work::Mul => self.combine(isa, Combination::Mul, None, tape, values),
            Work::Concat { starts } => {
                let copied = self.inputs.iter().zip(starts).filter(|(part, _)| !tape.is_in_place(**part, self.output));
                for (&part, &start) in copied {
                    values.write(self.output, |values, y| {
                        let part_channels = tape.shapes[part].channels;
                        let end = y.values.len() - channels + start + part_channels;
                        let y = PixelsMut { values: &mut y.values[start..end], stride: y.stride };
                        element_wise::copy(isa, part_channels, values.pixels(part), y);
                    });
                }
            }
            Work::Channels { start } => values.write(self.output, |values, y| {
                let x = values.pixels(input);
                let end = x.values.len() - input_shape.channels + start + channels;
                element_wise::copy(isa, channels, Pixels { values: &x.values[*start..end], ..x }, y);
            }),
            Work::Resize { sampling, .. } => values.write(self.output, |values, y| {
                each_sample(shape, y, values.operand(input), |input, y| sampling.run(isa, input, y));
            }),
            Work::Pad { positions, .. } => values.write(self.output, |values, y| {
                each_sample(shape, y, values.operand(input), |input, y| positions.run(input, y.values));
            }),
            Work::Crop { before, .. } => values.write(self.output, |values, y| {
                each_sample(shape, y, values.operand(input), |input, y| ops::crop(input, *before, shape.extent, y));
            }),
        }
        Kept::Nothing
    }

    /// What works with its tensors as they are, which the way back reads again.
    fn by_tensors(&self, isa: Isa, tape: &Tape, values: &mut Values<'_>, tensors: &[f32]) -> Kept {
        let (shape, input) = (tape.shapes[self.output], self.inputs[0]);
        values.write(self.output, |values, mut y| match &self.work {
            Work::L2Norm { epsilon } => {
                element_wise::copy(isa, shape.channels, values.pixels(input), y.reborrow());
                ops::L2Norm { epsilon: *epsilon, weight: tensors.to_vec() }.run(isa, None, shape.extent.x, y.values);
            }
            Work::PRelu => {
                element_wise::copy(isa, shape.channels, values.pixels(input), y.reborrow());
                ops::Slopes { slopes: slopes(tensors, shape.channels) }.run(isa, shape.extent.x, y.values);
            }
            _ => {
                let (codewords, scale) = tensors.split_at(tensors.len() - shape.channels);
                let codewords = ops::Codewords { codewords: codewords.to_vec(), scale: scale.to_vec() };
                each_sample(shape, y, values.operand(input), |input, y| codewords.run(isa, input, y.values));
            }
        });
        Kept::Tensors(tensors.to_vec())
    }

    /// A sum or product of two values.
    fn combine(&self, isa: Isa, combination: Combination, activation: Option<Activation>, tape: &Tape, values: &mut Values<'_>) {
        let shape = tape.shapes[self.output];
        values.write(self.output, |values, y| {
            let [first, second] = [0, 1].map(|input| values.operand(self.inputs[input]));
            y.par_parts(shape.extent.product()).enumerate().for_each(|(at, y)| {
                let [first, second] = [first, second].map(|operand| sample(operand, at));
                ops::combine(isa, combination, Some(first), second, activation, shape, y.values);
            });
        });
    }
}

/// One factor for each channel, of as many or a single one.
pub(super) fn slopes(tensors: &[f32], channels: usize) -> Vec<f32> {
    tensors.repeat(channels / tensors.len())
}

/// How a batch is normalised.
struct Normalisation {
    scaling: Scaling,
    /// One value per channel.
    inverse_deviation: Vec<f64>,
}

impl Normalisation {
    /// By the batch's own mean and variance, towards which the running ones among the tensors are moved.
    fn of(isa: Isa, x: Pixels<'_, f32>, epsilon: f64, activation: Option<Activation>, tensors: &mut [f32]) -> Self {
        let channels = tensors.len() / 4;
        let (factors, running) = tensors.split_at_mut(2 * channels);
        let (weight, bias) = factors.split_at(channels);
        let (running_mean, running_variance) = running.split_at_mut(channels);
        let moments = moments(isa, channels, x);
        for ((moments, mean), variance) in moments.iter().zip(running_mean).zip(running_variance) {
            follow(mean, moments.mean);
            follow(variance, moments.squares / (moments.count - 1.0));
        }
        let inverse_deviation: Vec<f64> =
            moments.iter().map(|moments| 1.0 / (moments.squares / moments.count + epsilon).sqrt()).collect();
        let scale = weight.iter().zip(&inverse_deviation).map(|(weight, inverse)| (f64::from(*weight) * inverse) as f32);
        let scaling = Scaling {
            mean: moments.iter().map(|moments| moments.mean as f32).collect(),
            scale: scale.collect(),
            bias: bias.into(),
            activation,
        };
        Self { scaling, inverse_deviation }
    }
}

/// All samples as one, along depth.
fn stacked(shape: Shape, samples: usize) -> Shape {
    let mut stacked = shape;
    stacked.extent.z *= samples;
    stacked
}

/// One sample of a value.
pub(super) fn sample(operand: Operand<'_, f32>, at: usize) -> Operand<'_, f32> {
    Operand { pixels: operand.pixels.line(at, operand.shape.extent.product()), ..operand }
}

/// Calls `f` with every sample of an input and of an output.
fn each_sample(
    output: Shape,
    y: PixelsMut<'_, f32>,
    input: Operand<'_, f32>,
    f: impl Fn(Operand<'_, f32>, PixelsMut<'_, f32>) + Sync,
) {
    y.par_parts(output.extent.product()).enumerate().for_each(|(at, y)| f(sample(input, at), y));
}
