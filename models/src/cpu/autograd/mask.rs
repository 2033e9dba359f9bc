//! What activations do to gradients.

use crate::Activation;

/// The gradient of a function that is a straight line between two bounds of its result, and another one beyond them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mask {
    low: f32,
    high: f32,
    /// The function's slope beyond the bounds.
    slope: f32,
}

impl Mask {
    /// Of the identity.
    pub(super) const NONE: Self = Self { low: f32::NEG_INFINITY, high: f32::INFINITY, slope: 1.0 };

    /// `None` if the function is not made of lines.
    pub(super) fn of(activation: Activation) -> Option<Self> {
        match activation {
            Activation::Relu => Some(Self { low: 0.0, high: f32::INFINITY, slope: 0.0 }),
            Activation::LeakyRelu { slope } => Some(Self { low: 0.0, high: f32::INFINITY, slope: slope as f32 }),
            Activation::Clip { min, max } => {
                let (low, high) = (min.map_or(f32::NEG_INFINITY, |m| m as f32), max.map_or(f32::INFINITY, |m| m as f32));
                Some(Self { low, high, slope: 0.0 })
            }
            Activation::Sigmoid | Activation::HardSigmoid | Activation::HardSwish | Activation::Silu => None,
        }
    }

    /// The gradient with respect to what gave `result`.
    #[expect(clippy::inline_always, reason = "it must take on the instruction set of its caller")]
    #[inline(always)]
    pub(super) fn pass(self, result: f32, gradient: f32) -> f32 {
        if result > self.low && result < self.high { gradient } else { self.slope * gradient }
    }
}
