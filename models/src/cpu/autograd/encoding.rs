//! The gradient of residuals from codewords.

use rayon::prelude::*;

use super::forward::sample;
use crate::cpu::kernels::{Pixels, PixelsMut};
use crate::cpu::ops::{Operand, exp};

/// Positions that one thread takes at a time.
const PIECE: usize = 256;

/// Codewords, `(codewords, channels)`, and how sharply positions are assigned to them.
pub(super) struct EncodingGradient<'a> {
    pub(super) codewords: &'a [f32],
    pub(super) scale: &'a [f32],
}

impl EncodingGradient<'_> {
    /// Writes the gradient with respect to `x`, and adds those of codewords and scales to `gradients`. `dy` holds for every sample the gradient with
    /// respect to its sums, `(channels, codewords)`.
    pub(super) fn run(&self, x: Operand<'_, f32>, dy: Operand<'_, f32>, dx: PixelsMut<'_, f32>, gradients: &mut [f32]) {
        let (channels, positions) = (x.shape.channels, x.shape.extent.product());
        let PixelsMut { values, stride } = dx;
        for (at, dx) in values.chunks_mut(positions * stride).enumerate() {
            let (x, dy) = (sample(x, at).pixels, sample(dy, at).pixels);
            // As the codewords lie.
            let dy: Vec<f32> =
                (0..self.scale.len()).flat_map(|k| dy.channels(self.scale.len()).map(move |pixel| pixel[k])).collect();
            let parts = PixelsMut { values: dx, stride }.par_parts(PIECE).enumerate();
            let pieces: Vec<Vec<f32>> = parts
                .map(|(piece, dx)| {
                    let mut sums = vec![0.0; gradients.len()];
                    self.piece(channels, x.line(piece, PIECE), &dy, dx, &mut sums);
                    sums
                })
                .collect();
            for piece in pieces {
                gradients.iter_mut().zip(piece).for_each(|(all, piece)| *all += piece);
            }
        }
    }

    /// With residuals `r = x - codeword`, weights `a = softmax(scale * |r|^2)` and the gradient `g` of a codeword's sum: that of what the softmax is
    /// taken of is `b = a * (g . r - sum(a * g . r))`, and that of a residual `a * g + 2 * b * scale * r`.
    fn piece(&self, channels: usize, x: Pixels<'_, f32>, dy: &[f32], dx: PixelsMut<'_, f32>, sums: &mut [f32]) {
        let count = self.scale.len();
        let (dcodewords, dscale) = sums.split_at_mut(count * channels);
        let (mut weights, mut distances, mut products) = (vec![0.0; count], vec![0.0; count], vec![0.0; count]);
        for (x, dx) in x.channels(channels).zip(dx.channels(channels)) {
            dx.fill(0.0);
            for (k, (codeword, dy)) in self.codewords.chunks_exact(channels).zip(dy.chunks_exact(channels)).enumerate() {
                let residuals = || x.iter().zip(codeword).map(|(x, codeword)| x - codeword);
                distances[k] = residuals().map(|r| r * r).sum();
                products[k] = residuals().zip(dy).map(|(r, dy)| r * dy).sum();
                weights[k] = self.scale[k] * distances[k];
            }
            let largest = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for weight in &mut weights {
                *weight = exp(*weight - largest);
            }
            let sum: f32 = weights.iter().sum();
            for weight in &mut weights {
                *weight /= sum;
            }
            let mean: f32 = weights.iter().zip(&products).map(|(weight, product)| weight * product).sum();
            for (k, (codeword, dy)) in self.codewords.chunks_exact(channels).zip(dy.chunks_exact(channels)).enumerate() {
                let inside = weights[k] * (products[k] - mean);
                dscale[k] += inside * distances[k];
                let factor = 2.0 * inside * self.scale[k];
                let dcodeword = &mut dcodewords[k * channels..][..channels];
                for ((dx, dcodeword), ((x, codeword), dy)) in dx.iter_mut().zip(dcodeword).zip(x.iter().zip(codeword).zip(dy)) {
                    let gradient = weights[k] * dy + factor * (x - codeword);
                    *dx += gradient;
                    *dcodeword -= gradient;
                }
            }
        }
    }
}
