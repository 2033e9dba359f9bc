//! Element-wise functions.

use rayon::prelude::*;

use super::exp::exp;
use super::vectorised::vectorised;
use crate::Activation;
use crate::cpu::kernels::{Element, Isa, PixelsMut};

/// Values that one thread takes at a time: more than dealing them out costs, less than a core's first cache.
pub(super) const BLOCK: usize = 4096;

/// Applies a function to every value.
pub(in crate::cpu) fn activate<E: Element>(isa: Isa, activation: Activation, values: &mut [E]) {
    values.par_chunks_mut(BLOCK).for_each(|block| activate_slice(isa, activation, block));
}

/// Applies a function to every value of pixels with so many channels; those between them are others'.
pub(in crate::cpu) fn activate_pixels<E: Element>(isa: Isa, activation: Activation, channels: usize, pixels: PixelsMut<'_, E>) {
    if pixels.stride == channels {
        return activate(isa, activation, pixels.values);
    }
    pixels.par_parts(BLOCK.div_ceil(channels)).for_each(|pixels| {
        pixels.channels(channels).for_each(|pixel| activate_slice(isa, activation, pixel));
    });
}

/// An activation after a convolution, in two parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::cpu) struct Split {
    /// What the kernels apply before they store.
    pub(in crate::cpu) inside: Option<Activation>,
    /// What takes another pass.
    pub(in crate::cpu) after: Option<Activation>,
}

impl Split {
    pub(in crate::cpu) fn of(activation: Option<Activation>) -> Self {
        match activation {
            Some(Activation::HardSigmoid | Activation::HardSwish | Activation::Silu) => Self { inside: None, after: activation },
            _ => Self { inside: activation, after: None },
        }
    }
}

vectorised! {
    /// Applies a function to every value, on this thread. Compares rather than taking `f32::max`, which would lose NaN.
    fn activate_slice<E>(activation: Activation, values: &mut [E]) {
        match activation {
            Activation::Relu => each(values, |v| if v < 0.0 { 0.0 } else { v }),
            Activation::LeakyRelu { slope } => {
                let slope = slope as f32;
                each(values, |v| if v > 0.0 { v } else { slope * v });
            }
            Activation::Sigmoid => each(values, |v| 1.0 / (1.0 + exp(-v))),
            Activation::Clip { min, max } => {
                let (min, max) = (min.map_or(f32::NEG_INFINITY, |m| m as f32), max.map_or(f32::INFINITY, |m| m as f32));
                each(values, |v| {
                    let v = if v < min { min } else { v };
                    if v > max { max } else { v }
                });
            }
            Activation::HardSigmoid => each(values, hard_sigmoid),
            Activation::HardSwish => each(values, |v| v * hard_sigmoid(v)),
            Activation::Silu => each(values, |v| v / (1.0 + exp(-v))),
        }
    }
}

#[expect(clippy::inline_always, reason = "it must take on the instruction set of its caller")]
#[inline(always)]
fn hard_sigmoid(v: f32) -> f32 {
    let v = v + 3.0;
    let v = if v < 0.0 { 0.0 } else { v };
    (if v > 6.0 { 6.0 } else { v }) / 6.0
}

/// Puts `f(value)` in the place of every value.
#[expect(clippy::inline_always, reason = "it must take on the instruction set of its caller")]
#[inline(always)]
pub(super) fn each<E: Element>(values: &mut [E], f: impl Fn(f32) -> f32) {
    for value in values {
        *value = E::new(f(value.to_f32()));
    }
}
