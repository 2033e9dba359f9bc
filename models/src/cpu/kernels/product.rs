//! The matrix product at the heart of every dense convolution: six pixels times one panel of output channels.
#![expect(clippy::inline_always, reason = "the product must be compiled for the vector unit that runs it")]

use std::{hint::black_box, ops::Range};

use super::{
    epilogue::Finish,
    simd::{Job, Simd},
    sums::{PIXELS, Target},
};

/// What a product adds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Nothing: the first part of a sum.
    Zero,
    /// What the output holds: a later part of a sum.
    Output,
}

/// A sum over taps and input channels: `output[pixel][o] (+)= sum over t, c of rows[t][pixel][c] * weights[t][c][o]`, in this order.
pub(super) struct Product<'a> {
    /// For every tap the input's channels at each pixel.
    pub(super) rows: &'a [[&'a [f32]; PIXELS]],
    /// Which of these channels take part.
    pub(super) channels: Range<usize>,
    /// `(taps, channels, lanes of the panel)`
    pub(super) weights: &'a [f32],
    pub(super) start: Start,
    /// `None` where more of the sum is to come.
    pub(super) finish: Option<Finish<'a>>,
    pub(super) target: Target<'a>,
}

impl Product<'_> {
    /// Computes the product with a panel of so many vectors.
    pub(super) fn run(self, simd: impl Simd, vectors: usize) {
        match vectors {
            1 => simd.vectorize(Wide::<1>(self)),
            2 => simd.vectorize(Wide::<2>(self)),
            3 => simd.vectorize(Wide::<3>(self)),
            _ => simd.vectorize(Wide::<4>(self)),
        }
    }
}

/// A product with a panel of `N` vectors.
struct Wide<'a, const N: usize>(Product<'a>);

impl<const N: usize> Job for Wide<'_, N> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Product { rows, channels, weights, start, finish, mut target } = self.0;
        let (depth, width) = (channels.len(), N * S::LANES);
        let mut sums = match start {
            Start::Zero => [[simd.splat(0.0); N]; PIXELS],
            Start::Output => target.load::<S, N>(simd),
        };
        for (rows, weights) in rows.iter().zip(weights.chunks_exact(depth * width)) {
            let mut inputs = [[].as_slice(); PIXELS];
            for (input, row) in inputs.iter_mut().zip(rows) {
                *input = &row[channels.clone()];
            }
            for (channel, weights) in weights.chunks_exact(width).enumerate() {
                let mut columns = [simd.splat(0.0); N];
                for (column, vector) in columns.iter_mut().enumerate() {
                    *vector = simd.load(&weights[column * S::LANES..(column + 1) * S::LANES]);
                }
                for pixel in 0..PIXELS {
                    #[expect(unsafe_code, reason = "a check per value would cost as much as the product")]
                    // SAFETY: there are `depth` chunks of weights in this loop, and every input was cut to `depth` channels above.
                    let value = simd.splat(unsafe { *inputs[pixel].get_unchecked(channel) });
                    for column in 0..N {
                        sums[pixel][column] = simd.mul_add(value, columns[column], sums[pixel][column]);
                    }
                }
            }
        }
        // Without this copy the compiler may keep the sums in memory all along for the sake of the stores.
        let sums = black_box(sums);
        target.store::<S, N>(simd, &sums, finish.as_ref());
    }
}
