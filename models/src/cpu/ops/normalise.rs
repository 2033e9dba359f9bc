//! Normalisations by what a value itself holds: over all positions and the channels of a group, or over the channels of a position.

use rayon::prelude::*;

use super::activation::activate_slice;
use super::scale::scale_row;
use super::vectorised::vectorised;
use crate::Activation;
use crate::cpu::kernels::{Element, Isa};

/// Instance and group normalisation.
pub(in crate::cpu) struct Normalise {
    pub(in crate::cpu) groups: usize,
    pub(in crate::cpu) epsilon: f64,
    /// One per channel.
    pub(in crate::cpu) weight: Vec<f32>,
    /// One per channel.
    pub(in crate::cpu) bias: Vec<f32>,
}

/// Values that one thread sums at a time; sums of pieces are made in their order, whatever the number of threads.
const PIECE: usize = 16 * 1024;

impl Normalise {
    /// Normalises every value and applies an activation.
    pub(in crate::cpu) fn run<E: Element>(&self, isa: Isa, activation: Option<Activation>, values: &mut [E]) {
        let channels = self.weight.len();
        let count = (values.len() / self.groups) as f64;
        let of_group = channels / self.groups;
        // The sum over each group, for each of its channels.
        let grouped = |sums: Vec<f64>| -> Vec<f64> {
            let sums = sums.chunks_exact(of_group).map(|channels| channels.iter().sum::<f64>());
            sums.flat_map(|sum| std::iter::repeat_n(sum, of_group)).collect()
        };
        let pixels = PIECE.div_ceil(channels);
        let sums = pieces(values, pixels * channels, |piece| channel_sums(isa, channels, piece));
        let means: Vec<f64> = grouped(sums).into_iter().map(|sum| sum / count).collect();
        let narrow: Vec<f32> = means.iter().map(|mean| *mean as f32).collect();
        let squares = pieces(values, pixels * channels, |piece| squared_distances(isa, &narrow, piece));
        // Of distances from means rounded to `f32`.
        let variances = grouped(squares).into_iter().zip(means.iter().zip(&narrow));
        let scale = variances.zip(&self.weight).map(|((sum, (mean, narrow)), weight)| {
            let variance = (sum / count - (mean - f64::from(*narrow)).powi(2)).max(0.0);
            f64::from(*weight) / (variance + self.epsilon).sqrt()
        });
        let scale: Vec<f64> = scale.collect();
        let shift =
            scale.iter().zip(&means).zip(&self.bias).map(|((scale, mean), bias)| (f64::from(*bias) - mean * scale) as f32);
        let shift: Vec<f32> = shift.collect();
        let scale: Vec<f32> = scale.into_iter().map(|scale| scale as f32).collect();
        values.par_chunks_mut(pixels * channels).for_each(|piece| {
            scale_row(isa, &scale, &shift, piece);
            if let Some(activation) = activation {
                activate_slice(isa, activation, piece);
            }
        });
    }

    /// Bytes of the tensors.
    pub(in crate::cpu) fn bytes(&self) -> usize {
        (self.weight.len() + self.bias.len()) * size_of::<f32>()
    }
}

/// The sums of what `sum` gives for every piece.
fn pieces<E: Element>(values: &[E], piece: usize, sum: impl Fn(&[E]) -> Vec<f64> + Send + Sync) -> Vec<f64> {
    let sums: Vec<Vec<f64>> = values.par_chunks(piece).map(sum).collect();
    let mut sums = sums.into_iter();
    let mut all = sums.next().unwrap_or_default();
    for piece in sums {
        all.iter_mut().zip(piece).for_each(|(all, piece)| *all += piece);
    }
    all
}

fn channel_sums<E: Element>(isa: Isa, channels: usize, piece: &[E]) -> Vec<f64> {
    let mut sums = vec![0.0; channels];
    add_values(isa, piece, &mut sums);
    sums
}

fn squared_distances<E: Element>(isa: Isa, means: &[f32], piece: &[E]) -> Vec<f64> {
    let mut sums = vec![0.0; means.len()];
    add_squared_distances(isa, means, piece, &mut sums);
    sums
}

vectorised! {
    fn add_values<E>(piece: &[E], sums: &mut [f64]) {
        for pixel in piece.chunks_exact(sums.len()) {
            sums.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += f64::from(v.to_f32()));
        }
    }
}

vectorised! {
    fn add_squared_distances<E>(means: &[f32], piece: &[E], sums: &mut [f64]) {
        for pixel in piece.chunks_exact(sums.len()) {
            for ((sum, v), mean) in sums.iter_mut().zip(pixel).zip(means) {
                let distance = f64::from(v.to_f32() - mean);
                *sum += distance * distance;
            }
        }
    }
}

/// Normalisation by the length of the vector of channels.
pub(in crate::cpu) struct L2Norm {
    pub(in crate::cpu) epsilon: f64,
    /// One per channel.
    pub(in crate::cpu) weight: Vec<f32>,
}

impl L2Norm {
    /// Normalises every pixel and applies an activation.
    pub(in crate::cpu) fn run<E: Element>(&self, isa: Isa, activation: Option<Activation>, width: usize, values: &mut [E]) {
        values.par_chunks_mut(width * self.weight.len()).for_each(|row| {
            normalise_pixels(isa, self.epsilon as f32, &self.weight, row);
            if let Some(activation) = activation {
                activate_slice(isa, activation, row);
            }
        });
    }

    /// Bytes of the tensor.
    pub(in crate::cpu) fn bytes(&self) -> usize {
        self.weight.len() * size_of::<f32>()
    }
}

vectorised! {
    fn normalise_pixels<E>(epsilon: f32, weight: &[f32], row: &mut [E]) {
        for pixel in row.chunks_exact_mut(weight.len()) {
            let squares = pixel.iter().fold(0.0, |sum, v| sum + v.to_f32() * v.to_f32());
            let factor = 1.0 / (squares + epsilon).sqrt();
            pixel.iter_mut().zip(weight).for_each(|(v, weight)| *v = E::new(v.to_f32() * factor * weight));
        }
    }
}
