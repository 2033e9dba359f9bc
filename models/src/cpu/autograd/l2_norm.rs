//! The gradient of a normalisation by the length of the vector of channels.

use rayon::prelude::*;

use super::element_wise::chunk;
use crate::cpu::kernels::{Isa, Pixels, PixelsMut};
use crate::cpu::ops::vectorised;

/// Writes the gradient with respect to `x`, and adds that of the weights to `gradients`: with `r = 1 / sqrt(sum(x^2) + epsilon)`,
/// `dx = r * weight * dy - x * r^3 * sum(weight * dy * x)`, and `dweight` is the sum of `dy * x * r` over positions.
pub(super) fn l2_norm_gradient(
    isa: Isa,
    epsilon: f64,
    weight: &[f32],
    x: Pixels<'_, f32>,
    dy: Pixels<'_, f32>,
    dx: PixelsMut<'_, f32>,
    gradients: &mut [f32],
) {
    let pixels = chunk(weight.len());
    let parts = dx.par_parts(pixels).enumerate();
    let pieces: Vec<Vec<f32>> = parts
        .map(|(at, dx)| {
            let mut sums = vec![0.0; weight.len()];
            gradient_of_pixels(isa, epsilon as f32, weight, x.line(at, pixels), dy.line(at, pixels), dx, &mut sums);
            sums
        })
        .collect();
    for piece in pieces {
        gradients.iter_mut().zip(piece).for_each(|(all, piece)| *all += piece);
    }
}

vectorised! {
    fn gradient_of_pixels(epsilon: f32, weight: &[f32], x: Pixels<'_, f32>, dy: Pixels<'_, f32>, dx: PixelsMut<'_, f32>, sums: &mut [f32]) {
        let channels = weight.len();
        for (dx, (x, dy)) in dx.channels(channels).zip(x.channels(channels).zip(dy.channels(channels))) {
            let factor = 1.0 / (x.iter().fold(0.0, |sum, v| sum + v * v) + epsilon).sqrt();
            let products = x.iter().zip(dy).zip(weight).fold(0.0, |sum, ((x, dy), weight)| sum + weight * dy * x);
            let inward = factor * factor * factor * products;
            for ((dx, (x, dy)), (weight, sum)) in dx.iter_mut().zip(x.iter().zip(dy)).zip(weight.iter().zip(sums.iter_mut())) {
                *dx = factor * weight * dy - x * inward;
                *sum += dy * x * factor;
            }
        }
    }
}
