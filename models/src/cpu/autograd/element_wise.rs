//! Copies, sums and products of values, element by element.

use rayon::prelude::*;

use super::mask::Mask;
use crate::Activation;
use crate::cpu::kernels::{Isa, Pixels, PixelsMut};
use crate::cpu::ops::{exp, vectorised};

/// Values that one thread takes at a time: more than dealing them out costs, less than a core's second cache.
const CHUNK: usize = 16 * 1024;

/// Pixels that one thread takes at a time.
pub(super) fn chunk(channels: usize) -> usize {
    (CHUNK / channels).max(1)
}

/// Copies all pixels.
pub(super) fn copy(isa: Isa, channels: usize, from: Pixels<'_, f32>, to: PixelsMut<'_, f32>) {
    let pixels = chunk(channels);
    to.par_parts(pixels).enumerate().for_each(|(at, to)| copy_pixels(isa, channels, from.line(at, pixels), to));
}

/// Adds all pixels.
pub(super) fn add(isa: Isa, channels: usize, from: Pixels<'_, f32>, to: PixelsMut<'_, f32>) {
    let pixels = chunk(channels);
    to.par_parts(pixels).enumerate().for_each(|(at, to)| add_pixels(isa, channels, from.line(at, pixels), to));
}

/// Puts the gradient with respect to a function's argument in the place of that with respect to its results.
pub(super) fn apply_mask(isa: Isa, mask: Mask, channels: usize, results: Pixels<'_, f32>, gradient: PixelsMut<'_, f32>) {
    let pixels = chunk(channels);
    let parts = gradient.par_parts(pixels).enumerate();
    parts.for_each(|(at, gradient)| mask_pixels(isa, mask, channels, results.line(at, pixels), gradient));
}

/// The same for the sigmoid: `result * (1 - result)` times the gradient.
pub(super) fn apply_sigmoid(isa: Isa, channels: usize, results: Pixels<'_, f32>, gradient: PixelsMut<'_, f32>) {
    let pixels = chunk(channels);
    let parts = gradient.par_parts(pixels).enumerate();
    parts.for_each(|(at, gradient)| sigmoid_pixels(isa, channels, results.line(at, pixels), gradient));
}

/// The same for a function whose slope its argument tells.
pub(super) fn apply_slope(isa: Isa, bent: Bent, channels: usize, arguments: Pixels<'_, f32>, gradient: PixelsMut<'_, f32>) {
    let pixels = chunk(channels);
    let parts = gradient.par_parts(pixels).enumerate();
    parts.for_each(|(at, gradient)| slope_pixels(isa, bent, channels, arguments.line(at, pixels), gradient));
}

/// A function that is not made of straight lines, or not told by its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bent {
    HardSigmoid,
    HardSwish,
    Silu,
}

impl Bent {
    /// `None` for other functions.
    pub(super) fn of(activation: Activation) -> Option<Self> {
        match activation {
            Activation::HardSigmoid => Some(Self::HardSigmoid),
            Activation::HardSwish => Some(Self::HardSwish),
            Activation::Silu => Some(Self::Silu),
            Activation::Relu | Activation::LeakyRelu { .. } | Activation::Sigmoid | Activation::Clip { .. } => None,
        }
    }
}

/// The same for the softmax: `result * (gradient - sum(gradient * result))`.
pub(super) fn apply_softmax(isa: Isa, channels: usize, results: Pixels<'_, f32>, gradient: PixelsMut<'_, f32>) {
    let pixels = chunk(channels);
    let parts = gradient.par_parts(pixels).enumerate();
    parts.for_each(|(at, gradient)| softmax_pixels(isa, channels, results.line(at, pixels), gradient));
}

/// Calls `f` with each value and the other's at its place, in runs as long as they lie next to each other in both.
#[expect(clippy::inline_always, reason = "it must take on the instruction set of its caller")]
#[inline(always)]
fn each(channels: usize, from: Pixels<'_, f32>, to: PixelsMut<'_, f32>, f: impl Fn(&mut f32, f32)) {
    if from.stride == channels && to.stride == channels {
        to.values.iter_mut().zip(from.values).for_each(|(to, from)| f(to, *from));
    } else {
        let pixels = to.channels(channels).zip(from.channels(channels));
        pixels.for_each(|(to, from)| to.iter_mut().zip(from).for_each(|(to, from)| f(to, *from)));
    }
}

vectorised! {
    fn copy_pixels(channels: usize, from: Pixels<'_, f32>, to: PixelsMut<'_, f32>) {
        each(channels, from, to, |to, from| *to = from);
    }
}

vectorised! {
    fn add_pixels(channels: usize, from: Pixels<'_, f32>, to: PixelsMut<'_, f32>) {
        each(channels, from, to, |to, from| *to += from);
    }
}

vectorised! {
    fn mask_pixels(mask: Mask, channels: usize, results: Pixels<'_, f32>, gradient: PixelsMut<'_, f32>) {
        each(channels, results, gradient, |gradient, result| *gradient = mask.pass(result, *gradient));
    }
}

vectorised! {
    fn sigmoid_pixels(channels: usize, results: Pixels<'_, f32>, gradient: PixelsMut<'_, f32>) {
        each(channels, results, gradient, |gradient, result| *gradient *= result * (1.0 - result));
    }
}

vectorised! {
    /// At their bends the hard functions have the slope of the flat side, as in PyTorch.
    fn slope_pixels(bent: Bent, channels: usize, arguments: Pixels<'_, f32>, gradient: PixelsMut<'_, f32>) {
        match bent {
            Bent::HardSigmoid => {
                each(channels, arguments, gradient, |dy, x| *dy *= if x > -3.0 && x < 3.0 { 1.0 / 6.0 } else { 0.0 });
            }
            Bent::HardSwish => each(channels, arguments, gradient, |dy, x| {
                let inside = (2.0 * x + 3.0) / 6.0;
                let slope = if x < 3.0 { inside } else { 1.0 };
                *dy *= if x > -3.0 { slope } else { 0.0 };
            }),
            Bent::Silu => each(channels, arguments, gradient, |dy, x| {
                let sigmoid = 1.0 / (1.0 + exp(-x));
                *dy *= sigmoid * (1.0 + x * (1.0 - sigmoid));
            }),
        }
    }
}

vectorised! {
    fn softmax_pixels(channels: usize, results: Pixels<'_, f32>, gradient: PixelsMut<'_, f32>) {
        for (gradient, results) in gradient.channels(channels).zip(results.channels(channels)) {
            let sum = gradient.iter().zip(results).fold(0.0, |sum, (gradient, result)| sum + gradient * result);
            gradient.iter_mut().zip(results).for_each(|(gradient, result)| *gradient = result * (*gradient - sum));
        }
    }
}
