//! Stochastic gradient descent.

use serde::{Deserialize, Serialize};

use super::parts::Part;
use crate::Result;
use crate::train::setting::{require, require_fraction, require_not_negative};

/// Stochastic gradient descent with momentum, as PyTorch has it: `v = momentum * v + g`, `value -= rate * v`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sgd {
    /// How much of the velocity is kept at every step.
    pub momentum: f64,
    /// Whether the step is `g + momentum * v` in place of `v` (Nesterov's, as in Sutskever et al. 2013).
    pub nesterov: bool,
    /// Share of a kernel that is added to its gradient.
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { momentum: 0.9, nesterov: false, weight_decay: 1e-4 }
    }
}

impl Sgd {
    pub(super) fn check(&self) -> Result<()> {
        require_fraction("momentum", self.momentum)?;
        require(self.momentum > 0.0 || !self.nesterov, "momentum", "a number above 0 with nesterov", self.momentum)?;
        require_not_negative("weight_decay", self.weight_decay)
    }

    pub(super) fn apply(&self, part: Part<'_>, rate: f64) {
        let (momentum, rate) = (self.momentum as f32, rate as f32);
        let decay = if part.decays { self.weight_decay as f32 } else { 0.0 };
        let [velocities, _] = part.memories;
        for ((value, gradient), velocity) in part.values.iter_mut().zip(part.gradients).zip(velocities) {
            let gradient = gradient + decay * *value;
            *velocity = *velocity * momentum + gradient;
            let step = if self.nesterov { gradient + momentum * *velocity } else { *velocity };
            *value -= rate * step;
        }
    }
}
