//! Residuals from codewords.

use rayon::prelude::*;

use super::combine::Operand;
use super::exp::exp;
use super::vectorised::vectorised;
use crate::cpu::kernels::{Element, Isa, Pixels};

/// Codewords, and how sharply positions are assigned to them.
pub(in crate::cpu) struct Codewords {
    /// `(codewords, channels)`.
    pub(in crate::cpu) codewords: Vec<f32>,
    /// One per codeword.
    pub(in crate::cpu) scale: Vec<f32>,
}

/// Positions that one thread takes at a time; sums of pieces are made in their order, whatever the number of threads.
const PIECE: usize = 256;

impl Codewords {
    /// Writes the sums of weighted residuals, with the codewords as channels and the channels as positions along width.
    pub(in crate::cpu) fn run<E: Element>(&self, isa: Isa, input: Operand<'_, E>, output: &mut [E]) {
        let (count, positions) = (self.scale.len(), input.shape.extent.product());
        let channels = input.shape.channels;
        let pieces: Vec<Vec<f32>> = (0..positions.div_ceil(PIECE))
            .into_par_iter()
            .map(|piece| {
                let pixels =
                    Pixels { values: &input.pixels.values[piece * PIECE * input.pixels.stride..], stride: input.pixels.stride };
                let mut sums = vec![0.0; count * channels];
                let mut weights = vec![0.0; count];
                add_residuals(isa, self, pixels, PIECE.min(positions - piece * PIECE), &mut weights, &mut sums);
                sums
            })
            .collect();
        let mut sums = vec![0.0f64; count * channels];
        for piece in pieces {
            sums.iter_mut().zip(piece).for_each(|(sum, piece)| *sum += f64::from(piece));
        }
        for (channel, pixel) in output.chunks_exact_mut(count).enumerate() {
            let sums = sums.iter().skip(channel).step_by(channels);
            pixel.iter_mut().zip(sums).for_each(|(to, sum)| *to = E::new(*sum as f32));
        }
    }

    /// Bytes of the tensors.
    pub(in crate::cpu) fn bytes(&self) -> usize {
        (self.codewords.len() + self.scale.len()) * size_of::<f32>()
    }
}

vectorised! {
    /// Adds the weighted residuals of so many pixels to `sums`, `(codewords, channels)`.
    fn add_residuals<E>(codewords: &Codewords, pixels: Pixels<'_, E>, count: usize, weights: &mut [f32], sums: &mut [f32]) {
        let channels = sums.len() / weights.len();
        for pixel in pixels.channels(channels).take(count) {
            for (weight, (codeword, scale)) in weights.iter_mut().zip(codewords.codewords.chunks_exact(channels).zip(&codewords.scale)) {
                let mut lanes = [0.0f32; 16];
                for (pixel, codeword) in pixel.chunks(16).zip(codeword.chunks(16)) {
                    for (lane, (v, c)) in lanes.iter_mut().zip(pixel.iter().zip(codeword)) {
                        let distance = v.to_f32() - c;
                        *lane += distance * distance;
                    }
                }
                *weight = scale * lanes.iter().sum::<f32>();
            }
            let largest = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for weight in weights.iter_mut() {
                *weight = exp(*weight - largest);
            }
            let factor = 1.0 / weights.iter().sum::<f32>();
            for (weight, (codeword, sums)) in weights.iter().zip(codewords.codewords.chunks_exact(channels).zip(sums.chunks_exact_mut(channels))) {
                let weight = weight * factor;
                for (sum, (v, c)) in sums.iter_mut().zip(pixel.iter().zip(codeword)) {
                    *sum += weight * (v.to_f32() - c);
                }
            }
        }
    }
}
