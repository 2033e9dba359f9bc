//! The sums that a kernel holds in registers, and where they go.
#![expect(clippy::inline_always, reason = "part of the kernels")]

use std::hint::black_box;
use std::ops::Range;

use super::{element::Element, epilogue::Finish, simd::Simd};

/// Pixels that a kernel computes at once.
pub(super) const PIXELS: usize = 6;

/// One vector of channels per pixel and column of the panel.
pub(super) type Sums<S, const N: usize> = [[<S as Simd>::Vector; N]; PIXELS];

/// Where the sums of one panel of channels are stored.
pub(super) struct Target<'a, E> {
    /// From the panel's first channel at the first pixel on.
    pub(super) output: &'a mut [E],
    /// Elements from one pixel to the next.
    pub(super) stride: usize,
    /// How many pixels there are, at most [`PIXELS`]; sums of the others are dropped.
    pub(super) pixels: usize,
    /// How many channels there are; lanes beyond are dropped.
    pub(super) channels: usize,
}

impl<E: Element> Target<'_, E> {
    /// The sums stored earlier.
    #[inline(always)]
    pub(super) fn load<S: Simd, const N: usize>(&self, simd: S) -> Sums<S, N> {
        let mut sums = [[simd.splat(0.0); N]; PIXELS];
        for (pixel, sums) in sums.iter_mut().enumerate() {
            if pixel < self.pixels {
                let values = &self.output[pixel * self.stride..][..self.channels];
                for (column, sum) in sums.iter_mut().enumerate() {
                    *sum = E::load(simd, &values[some::<S>(column, values.len())]);
                }
            }
        }
        sums
    }

    /// Stores the sums, through the epilogue if there is one.
    #[inline(always)]
    pub(super) fn store<S: Simd, const N: usize>(&mut self, simd: S, sums: &Sums<S, N>, finish: Option<&Finish<'_, E>>) {
        if self.pixels == PIXELS && self.channels == N * S::LANES {
            // Loops and slices of fixed length need no checks, and the sums stay in registers.
            for (pixel, sums) in sums.iter().enumerate() {
                self.store_pixel(simd, pixel, sums, finish, |column, _| column * S::LANES..(column + 1) * S::LANES);
            }
        } else {
            // Without this copy the compiler may keep the sums in memory all along for the sake of these stores.
            let sums = black_box(*sums);
            for (pixel, sums) in sums.iter().enumerate().take(self.pixels) {
                self.store_pixel(simd, pixel, sums, finish, some::<S>);
            }
        }
    }

    /// Stores the sums of one pixel; `span` gives the channels of a column.
    #[inline(always)]
    fn store_pixel<S: Simd, const N: usize>(
        &mut self,
        simd: S,
        pixel: usize,
        sums: &[S::Vector; N],
        finish: Option<&Finish<'_, E>>,
        span: impl Fn(usize, usize) -> Range<usize>,
    ) {
        let output = &mut self.output[pixel * self.stride..][..self.channels];
        let Some(finish) = finish else {
            for (column, &sum) in sums.iter().enumerate() {
                let span = span(column, output.len());
                E::store(simd, sum, &mut output[span]);
            }
            return;
        };
        let residual = finish.residual.map(|residual| &residual.values[pixel * residual.stride..][..output.len()]);
        for (column, &sum) in sums.iter().enumerate() {
            let span = span(column, output.len());
            let mut value = simd.add(sum, simd.load(&finish.bias[span.clone()]));
            if let Some(residual) = residual {
                value = simd.add(value, E::load(simd, &residual[span.clone()]));
            }
            E::store(simd, finish.bounds.apply(simd, value), &mut output[span]);
        }
    }
}

/// The channels of a column, of so many in all.
#[inline(always)]
fn some<S: Simd>(column: usize, channels: usize) -> Range<usize> {
    (column * S::LANES).min(channels)..((column + 1) * S::LANES).min(channels)
}
