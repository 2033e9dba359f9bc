//! The matrix product at the heart of every dense convolution: pixels, six at a time, times one panel of output channels.
#![expect(clippy::inline_always, reason = "the product must be compiled for the vector unit that runs it")]

use std::ops::Range;

use super::{
    element::Element,
    epilogue::Finish,
    rows::{Input, Rows},
    simd::{Job, Simd},
    sums::{PIXELS, Sums, Target},
};

/// What a product adds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Nothing: the first part of a sum.
    Zero,
    /// What the output holds: a later part of a sum.
    Output,
}

/// A sum over taps and input channels: `output[pixel][o] (+)= sum over t, c of row(t, pixel)[c] * weights[t][c][o]`, in this order.
pub(super) struct Product<'a, E: Element> {
    pub(super) input: Input<'a, E>,
    pub(super) rows: &'a Rows,
    /// Which taps take part,
    pub(super) taps: Range<usize>,
    /// and which channels of each.
    pub(super) channels: Range<usize>,
    /// `(taps, channels, lanes of the panel)`, where as many channels as are multiplied at once count as one.
    pub(super) weights: &'a [E::Weights],
    pub(super) start: Start,
    /// `None` where more of the sum is to come.
    pub(super) finish: Option<Finish<'a, E>>,
    /// From the panel's first channel at the first pixel on.
    pub(super) output: &'a mut [E],
    /// Elements of the output from one pixel to the next.
    pub(super) stride: usize,
    /// How many of the panel's lanes are output channels.
    pub(super) out_channels: usize,
}

impl<E: Element> Product<'_, E> {
    /// Computes the product with a panel of so many vectors.
    pub(super) fn run(self, simd: impl Simd, vectors: usize) {
        match vectors {
            1 => simd.vectorize(Wide::<E, 1>(self)),
            2 => simd.vectorize(Wide::<E, 2>(self)),
            3 => simd.vectorize(Wide::<E, 3>(self)),
            _ => simd.vectorize(Wide::<E, 4>(self)),
        }
    }
}

/// A product with a panel of `N` vectors.
struct Wide<'a, E: Element, const N: usize>(Product<'a, E>);

impl<E: Element, const N: usize> Job for Wide<'_, E, N> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Product { input, rows, taps, channels, weights, start, finish, output, stride, out_channels } = self.0;
        let (depth, width) = (channels.len(), N * S::LANES);
        let (whole, size) = (depth / E::CHANNELS, depth.div_ceil(E::CHANNELS) * width);
        for group in rows.groups() {
            let first = group.first * stride;
            let residual = finish.and_then(|finish| finish.residual).map(|residual| residual.after(group.first, 0));
            let finish = finish.map(|finish| Finish { residual, ..finish });
            let mut target = Target { output: &mut output[first..], stride, pixels: group.pixels, channels: out_channels };
            let mut sums = match start {
                Start::Zero => [[simd.splat(0.0); N]; PIXELS],
                Start::Output => target.load::<S, N>(simd),
            };
            let mut rest = weights;
            for tap in taps.clone() {
                let weights;
                (weights, rest) = rest.split_at(size);
                // Zeros change no sum: where kernels reach as far as maps, as dilated ones may, most taps read nothing else.
                let Some(starts) = rows.starts(group, tap) else { continue };
                let mut inputs = [[].as_slice(); PIXELS];
                for (row, start) in inputs.iter_mut().zip(starts) {
                    *row = input.row(start, channels.clone());
                }
                let (weights, last) = weights.split_at(whole * width);
                for (step, weights) in weights.chunks_exact(width).enumerate() {
                    let mut values = [[].as_slice(); PIXELS];
                    for (value, input) in values.iter_mut().zip(&inputs) {
                        #[expect(unsafe_code, reason = "a check per value would cost as much as the product")]
                        // SAFETY: there are `whole` chunks of weights, and every input was cut to `depth` channels: `whole * E::CHANNELS` or more.
                        let channels = unsafe { input.get_unchecked(step * E::CHANNELS..(step + 1) * E::CHANNELS) };
                        *value = channels;
                    }
                    add(simd, values, weights, &mut sums);
                }
                if E::CHANNELS > 1 && !last.is_empty() {
                    add(simd, inputs.map(|input| &input[whole * E::CHANNELS..]), last, &mut sums);
                }
            }
            target.store::<S, N>(simd, &sums, finish.as_ref());
        }
    }
}

/// Adds what one instruction per sum multiplies: some channels of every pixel times a panel of weights.
#[inline(always)]
fn add<E: Element, S: Simd, const N: usize>(simd: S, channels: [&[E]; PIXELS], weights: &[E::Weights], sums: &mut Sums<S, N>) {
    let mut columns = [E::load_weights(simd, &weights[..S::LANES]); N];
    for (column, vector) in columns.iter_mut().enumerate().skip(1) {
        *vector = E::load_weights(simd, &weights[column * S::LANES..(column + 1) * S::LANES]);
    }
    for pixel in 0..PIXELS {
        let channels = E::splat(simd, channels[pixel]);
        for column in 0..N {
            sums[pixel][column] = E::mul_add(simd, channels, columns[column], sums[pixel][column]);
        }
    }
}
