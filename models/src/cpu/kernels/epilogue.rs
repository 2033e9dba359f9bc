//! What happens to a sum before it is stored.
#![expect(clippy::inline_always, reason = "it runs between a kernel's sums and its stores")]

use super::{pixels::Pixels, simd::Simd};
use crate::Activation;

/// Applied to a result before it is stored: (sum + bias) + residual, then activation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epilogue<'a, E> {
    /// Added to the result, which it is as large as.
    pub(crate) residual: Option<Pixels<'a, E>>,
    /// Applied last.
    pub(crate) activation: Option<Activation>,
}

impl<E> Epilogue<'_, E> {
    /// The part of the activation that the kernels apply: a sigmoid takes another pass, and the other bent functions are left to the caller.
    pub(super) fn bounds(&self) -> Bounds {
        let free = Bounds { slope: None, low: f32::NEG_INFINITY, high: f32::INFINITY };
        match self.activation {
            None | Some(Activation::Sigmoid | Activation::HardSigmoid | Activation::HardSwish | Activation::Silu) => free,
            Some(Activation::Relu) => Bounds { low: 0.0, ..free },
            Some(Activation::LeakyRelu { slope }) => Bounds { slope: Some(slope as f32), ..free },
            Some(Activation::Clip { min, max }) => {
                Bounds { low: min.map_or(free.low, |min| min as f32), high: max.map_or(free.high, |max| max as f32), ..free }
            }
        }
    }
}

/// A piecewise linear activation: negative values times `slope`, if there is one, then limited to `low..=high`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) slope: Option<f32>,
    pub(super) low: f32,
    pub(super) high: f32,
}

impl Bounds {
    #[inline(always)]
    pub(super) fn apply<S: Simd>(self, simd: S, value: S::Vector) -> S::Vector {
        let value = self.slope.map_or(value, |slope| simd.leak(value, simd.splat(slope)));
        simd.clamp(value, simd.splat(self.low), simd.splat(self.high))
    }
}

/// The epilogue of one panel of channels at some pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finish<'a, E> {
    /// One value per channel of the panel.
    pub(super) bias: &'a [f32],
    /// From the panel's first channel at the first pixel on.
    pub(super) residual: Option<Pixels<'a, E>>,
    pub(super) bounds: Bounds,
}
