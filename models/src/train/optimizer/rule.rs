//! The rules by which parameters are changed.

use serde::{Deserialize, Serialize};

use super::{AdamW, Sgd};
use crate::Result;

/// By which rule an [`Optimizer`](super::Optimizer) changes parameters. Weight decay is for kernels only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Rule {
    /// Adam with decoupled weight decay.
    #[serde(rename = "adamw")]
    AdamW(AdamW),
    /// Stochastic gradient descent.
    Sgd(Sgd),
}

impl Rule {
    /// Checks that the settings are in their ranges.
    ///
    /// # Errors
    /// Names the setting.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::AdamW(rule) => rule.check(),
            Self::Sgd(rule) => rule.check(),
        }
    }

    /// What PyTorch calls the values that are kept from step to step, one of each per parameter.
    pub(super) fn memories(&self) -> &'static [&'static str] {
        match self {
            Self::AdamW(_) => &["exp_avg", "exp_avg_sq"],
            Self::Sgd(_) => &["momentum_buffer"],
        }
    }
}
