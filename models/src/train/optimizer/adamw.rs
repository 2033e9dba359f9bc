//! Adam with decoupled weight decay.

use serde::{Deserialize, Serialize};

use super::parts::Part;
use crate::Result;
use crate::train::setting::{require, require_fraction, require_not_negative};

/// Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101), with the defaults, and the order of operations, of PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamW {
    /// How much of the mean of the gradients is kept at every step.
    pub beta1: f64,
    /// How much of the mean of their squares is kept.
    pub beta2: f64,
    /// Added to the root of that mean.
    pub epsilon: f64,
    /// Share of a kernel that is taken off at every step, times the rate.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 1e-2 }
    }
}

/// The factors of one step.
#[derive(Clone, Copy)]
pub(super) struct Step {
    own: AdamW,
    decay: f64,
    size: f64,
    root: f64,
}

impl AdamW {
    pub(super) fn check(&self) -> Result<()> {
        require_fraction("beta1", self.beta1)?;
        require_fraction("beta2", self.beta2)?;
        // Where a gradient has always been 0, the root is 0 too.
        let epsilon = self.epsilon as f32;
        require(epsilon > 0.0 && epsilon.is_finite(), "epsilon", "a number above 0 that an f32 can hold", self.epsilon)?;
        require_not_negative("weight_decay", self.weight_decay)
    }

    /// The step number `number`, from 1 on.
    pub(super) fn step(self, number: u64, rate: f64) -> Step {
        let kept = |beta: f64| 1.0 - beta.powf(number as f64);
        Step { own: self, decay: rate * self.weight_decay, size: rate / kept(self.beta1), root: kept(self.beta2).sqrt() }
    }
}

impl Step {
    pub(super) fn apply(&self, part: Part<'_>) {
        let AdamW { beta1, beta2, epsilon, .. } = self.own;
        let (keep2, add1, add2, epsilon) = (beta2 as f32, (1.0 - beta1) as f32, (1.0 - beta2) as f32, epsilon as f32);
        let keep = if part.decays { (1.0 - self.decay) as f32 } else { 1.0 };
        let (size, root) = (self.size as f32, self.root as f32);
        let [means, squares] = part.memories;
        for (((value, gradient), mean), square) in part.values.iter_mut().zip(part.gradients).zip(means).zip(squares) {
            *value *= keep;
            *mean += add1 * (gradient - *mean);
            *square = *square * keep2 + add2 * gradient * gradient;
            *value -= size * (*mean / (square.sqrt() / root + epsilon));
        }
    }
}
