//! Copies, sums and products of values, element by element.

use rayon::prelude::*;

use super::mask::Mask;
use crate::cpu::kernels::{Isa, Pixels, PixelsMut};
use crate::cpu::ops::vectorised;

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
    fn softmax_pixels(channels: usize, results: Pixels<'_, f32>, gradient: PixelsMut<'_, f32>) {
        for (gradient, results) in gradient.channels(channels).zip(results.channels(channels)) {
            let sum = gradient.iter().zip(results).fold(0.0, |sum, (gradient, result)| sum + gradient * result);
            gradient.iter_mut().zip(results).for_each(|(gradient, result)| *gradient = result * (*gradient - sum));
        }
    }
}
