//! Softmax over the channels.

use rayon::prelude::*;

use super::activation::each;
use super::exp::exp;
use super::vectorised::vectorised;
use crate::Shape;
use crate::cpu::kernels::{Element, Isa};

/// `exp(x) / sum(exp(x))` over the channels of every position.
pub(in crate::cpu) fn softmax<E: Element>(isa: Isa, shape: Shape, values: &mut [E]) {
    values.par_chunks_mut(shape.extent.x * shape.channels).for_each(|row| softmax_pixels(isa, shape.channels, row));
}

vectorised! {
    /// Softmax of pixels, each with its channels together.
    fn softmax_pixels<E>(channels: usize, pixels: &mut [E]) {
        for pixel in pixels.chunks_exact_mut(channels) {
            let largest = pixel.iter().map(|v| v.to_f32()).fold(f32::NEG_INFINITY, f32::max);
            each(pixel, |v| exp(v - largest));
            let sum = pixel.iter().fold(0.0, |sum, v| sum + v.to_f32());
            let factor = 1.0 / sum;
            each(pixel, |v| v * factor);
        }
    }
}

vectorised! {
    /// Softmax of the pixels of a row whose channels are apart, each in a slice of its own: the same bits as with the channels together.
    fn softmax_planes(channels: &mut [&mut [f32]], largest: &mut [f32], factor: &mut [f32]) {
        largest.fill(f32::NEG_INFINITY);
        for line in channels.iter() {
            largest.iter_mut().zip(line.iter()).for_each(|(largest, v)| *largest = largest.max(*v));
        }
        factor.fill(0.0);
        for line in channels.iter_mut() {
            for ((v, largest), sum) in line.iter_mut().zip(largest.iter()).zip(factor.iter_mut()) {
                *v = exp(*v - largest);
                *sum += *v;
            }
        }
        each(factor, |sum| 1.0 / sum);
        for line in channels.iter_mut() {
            line.iter_mut().zip(factor.iter()).for_each(|(v, factor)| *v *= factor);
        }
    }
}
