//! Normalisation by a sample's own groups of channels, and its gradient.

use super::forward::sample;
use super::moments::{Moments, moments};
use super::scaling::{Backward, Scaling};
use crate::cpu::kernels::{Isa, Pixels, PixelsMut};
use crate::cpu::ops::Operand;

/// How one sample was normalised.
pub(super) struct Normalised {
    scaling: Scaling,
    /// Of every channel's group, the inverse of the standard deviation.
    inverse_deviation: Vec<f64>,
}

/// A normalisation over all positions and the channels of each group; each channel is a group of its own in an instance normalisation.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupNorm {
    pub(super) groups: usize,
    pub(super) epsilon: f64,
    pub(super) channels: usize,
}

impl GroupNorm {
    /// Weights and biases among the tensors; ones and zeros if there are none.
    fn factors(&self, tensors: &[f32]) -> [Vec<f32>; 2] {
        match tensors.split_at_checked(self.channels) {
            Some((weight, bias)) if !bias.is_empty() => [weight.to_vec(), bias.to_vec()],
            _ => [vec![1.0; self.channels], vec![0.0; self.channels]],
        }
    }

    /// Writes the normalised samples; `x` has the shape of one.
    pub(super) fn forward(&self, isa: Isa, x: Operand<'_, f32>, y: PixelsMut<'_, f32>, tensors: &[f32]) -> Vec<Normalised> {
        let positions = x.shape.extent.product();
        let PixelsMut { values, stride } = y;
        let samples = values.chunks_mut(positions * stride).enumerate();
        let normalised = samples.map(|(at, y)| {
            let x = sample(x, at).pixels;
            let normalised = self.of_sample(isa, x, tensors);
            normalised.scaling.run(isa, x, PixelsMut { values: y, stride });
            normalised
        });
        normalised.collect()
    }

    fn of_sample(&self, isa: Isa, x: Pixels<'_, f32>, tensors: &[f32]) -> Normalised {
        let of_group = self.channels / self.groups;
        let groups = moments(isa, self.channels, x);
        let groups: Vec<Moments> = groups
            .chunks_exact(of_group)
            .map(|channels| channels[1..].iter().fold(channels[0], |all, channel| all.merge(*channel)))
            .collect();
        let group = |channel: usize| groups[channel / of_group];
        let inverse_deviation: Vec<f64> = (0..self.channels)
            .map(|channel| 1.0 / (group(channel).squares / group(channel).count + self.epsilon).sqrt())
            .collect();
        let [weight, bias] = self.factors(tensors);
        let scale = weight.iter().zip(&inverse_deviation).map(|(weight, inverse)| (f64::from(*weight) * inverse) as f32);
        let scale = scale.collect();
        let mean = (0..self.channels).map(|channel| group(channel).mean as f32).collect();
        Normalised { scaling: Scaling { mean, scale, bias, activation: None }, inverse_deviation }
    }

    /// Writes the gradient with respect to `x`, which has the shape of one sample, and adds those of weights and biases to `gradients`, if there are
    /// some.
    pub(super) fn backward(
        &self,
        isa: Isa,
        normalised: &[Normalised],
        x: Operand<'_, f32>,
        dy: Operand<'_, f32>,
        dx: PixelsMut<'_, f32>,
        gradients: &mut [f32],
    ) {
        let positions = x.shape.extent.product();
        let of_group = self.channels / self.groups;
        let count = (positions * of_group) as f64;
        let PixelsMut { values, stride } = dx;
        let samples = values.chunks_mut(positions * stride).zip(normalised).enumerate();
        for (at, (dx, Normalised { scaling, inverse_deviation })) in samples {
            let (x, dy) = (sample(x, at).pixels, sample(dy, at).pixels);
            let sums = scaling.gradient_sums(isa, x, dy);
            if let Some((dweight, dbias)) = gradients.split_at_mut_checked(self.channels) {
                for (channel, (dweight, dbias)) in dweight.iter_mut().zip(dbias).enumerate() {
                    *dweight += (sums[channel].centred * inverse_deviation[channel]) as f32;
                    *dbias += sums[channel].plain as f32;
                }
            }
            // Mean and variance depend on every value of the group.
            let through_statistics = |channel: usize| {
                let group = channel / of_group * of_group..(channel / of_group + 1) * of_group;
                let [mut plain, mut centred] = [0.0, 0.0];
                for other in group {
                    plain += f64::from(scaling.scale[other]) * sums[other].plain;
                    centred += f64::from(scaling.scale[other]) * sums[other].centred;
                }
                let inverse = inverse_deviation[channel];
                ((-centred * inverse * inverse / count) as f32, (-plain / count) as f32)
            };
            let (slope, shift) = (0..self.channels).map(through_statistics).unzip();
            scaling.input_gradient(isa, &Backward { slope, shift }, x, dy, PixelsMut { values: dx, stride });
        }
    }
}
