//! The gradient of a function that takes negative values times a weight per channel.

use rayon::prelude::*;

use super::element_wise::chunk;
use crate::cpu::kernels::{Isa, Pixels, PixelsMut};
use crate::cpu::ops::vectorised;

/// Writes the gradient with respect to `x`, and adds that of the weights to `gradients`: one for each channel, or one for all.
pub(super) fn prelu_gradient(
    isa: Isa,
    slopes: &[f32],
    x: Pixels<'_, f32>,
    dy: Pixels<'_, f32>,
    dx: PixelsMut<'_, f32>,
    gradients: &mut [f32],
) {
    let pixels = chunk(slopes.len());
    let parts = dx.par_parts(pixels).enumerate();
    let pieces: Vec<Vec<f32>> = parts
        .map(|(at, dx)| {
            let mut sums = vec![0.0; slopes.len()];
            gradient_of_pixels(isa, slopes, x.line(at, pixels), dy.line(at, pixels), dx, &mut sums);
            sums
        })
        .collect();
    for piece in pieces {
        let weights = gradients.len();
        piece.into_iter().enumerate().for_each(|(channel, sum)| gradients[channel % weights] += sum);
    }
}

vectorised! {
    fn gradient_of_pixels(slopes: &[f32], x: Pixels<'_, f32>, dy: Pixels<'_, f32>, dx: PixelsMut<'_, f32>, sums: &mut [f32]) {
        let channels = slopes.len();
        for (dx, (x, dy)) in dx.channels(channels).zip(x.channels(channels).zip(dy.channels(channels))) {
            for ((dx, (x, dy)), (slope, sum)) in dx.iter_mut().zip(x.iter().zip(dy)).zip(slopes.iter().zip(sums.iter_mut())) {
                *dx = if *x > 0.0 { *dy } else { slope * dy };
                *sum += if *x > 0.0 { 0.0 } else { x * dy };
            }
        }
    }
}
