//! The sums that a kernel holds in registers, and where they go.
#![expect(clippy::inline_always, reason = "part of the kernels")]

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
    /// The elements of one vector.
    #[inline(always)]
    fn span<S: Simd>(&self, pixel: usize, column: usize) -> Range<usize> {
        let start = pixel * self.stride + (column * S::LANES).min(self.channels);
        let end = pixel * self.stride + ((column + 1) * S::LANES).min(self.channels);
        start..end
    }

    /// The sums stored earlier.
    #[inline(always)]
    pub(super) fn load<S: Simd, const N: usize>(&self, simd: S) -> Sums<S, N> {
        let mut sums = [[simd.splat(0.0); N]; PIXELS];
        for (pixel, sums) in sums.iter_mut().enumerate() {
            for (column, sum) in sums.iter_mut().enumerate() {
                if pixel < self.pixels {
                    *sum = E::load(simd, &self.output[self.span::<S>(pixel, column)]);
                }
            }
        }
        sums
    }

    /// Stores the sums, through the epilogue if there is one.
    #[inline(always)]
    pub(super) fn store<S: Simd, const N: usize>(&mut self, simd: S, sums: &Sums<S, N>, finish: Option<&Finish<'_, E>>) {
        let mut bias = [simd.splat(0.0); N];
        if let Some(finish) = finish {
            for (column, bias) in bias.iter_mut().enumerate() {
                *bias = simd.load(&finish.bias[column * S::LANES..]);
            }
        }
        // Loops of fixed length are unrolled, and the sums stay in registers.
        for (pixel, sums) in sums.iter().enumerate() {
            for (column, &sum) in sums.iter().enumerate() {
                if pixel >= self.pixels {
                    continue;
                }
                let span = self.span::<S>(pixel, column);
                let mut value = sum;
                if let Some(finish) = finish {
                    value = simd.add(value, bias[column]);
                    if let Some(residual) = finish.residual {
                        value = simd.add(value, E::load(simd, &residual[span.clone()]));
                    }
                    value = finish.bounds.apply(simd, value);
                }
                E::store(simd, value, &mut self.output[span]);
            }
        }
    }
}
