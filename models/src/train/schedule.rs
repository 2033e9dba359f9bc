//! How fast is learned, and when.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::setting::{require, require_positive};
use crate::Result;

/// The learning rate over the steps of a training: a linear warm-up times a decay.
///
/// ```
/// use swath_models::train::{Decay, Schedule};
///
/// let schedule = Schedule { rate: 1e-3, warm_up: 50, decay: Decay::Cosine { final_fraction: 0.0 } };
/// assert_eq!(schedule.rate(0, 1000), 1e-3 / 50.0);
/// assert_eq!(schedule.rate(500, 1000), 0.5e-3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The rate after the warm-up and before the decay; above 0.
    pub rate: f64,
    /// Number of steps of the warm-up: the first has a rate of `1 / warm_up`, the last the full one.
    #[serde(default)]
    pub warm_up: u64,
    /// How the rate falls, from the first step on.
    #[serde(default)]
    pub decay: Decay,
}

/// How the rate falls: from 1 at the first step to a final fraction after the last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Decay {
    /// It does not.
    Constant,
    /// Along half a period of the cosine (Loshchilov & Hutter 2017, arXiv 1608.03983, without restarts).
    Cosine {
        /// Fraction of the rate that is left at the end, 0 to 1.
        #[serde(default)]
        final_fraction: f64,
    },
    /// `(1 - step / total)^power`, as `DeepLab` has it (Chen et al. 2017, arXiv 1606.00915).
    Polynomial {
        /// The power, above 0; `DeepLab` has 0.9.
        power: f64,
        /// Fraction of the rate that is left at the end, 0 to 1.
        #[serde(default)]
        final_fraction: f64,
    },
}

impl Default for Decay {
    fn default() -> Self {
        Self::Cosine { final_fraction: 0.0 }
    }
}

impl Schedule {
    /// Checks that the settings are in their ranges.
    ///
    /// # Errors
    /// Names the setting.
    pub fn check(&self) -> Result<()> {
        let final_fraction = |value: f64| require((0.0..=1.0).contains(&value), "final_fraction", "a number of 0 to 1", value);
        require_positive("rate", self.rate)?;
        match self.decay {
            Decay::Constant => Ok(()),
            Decay::Cosine { final_fraction: end } => final_fraction(end),
            Decay::Polynomial { power, final_fraction: end } => require_positive("power", power).and(final_fraction(end)),
        }
    }

    /// The rate of a step, from 0 on, of so many in all; after the last, that of the end.
    #[must_use]
    pub fn rate(&self, step: u64, total: u64) -> f64 {
        let warm = if step < self.warm_up { (step + 1) as f64 / self.warm_up as f64 } else { 1.0 };
        let done = if step < total { step as f64 / total as f64 } else { 1.0 };
        let left = match self.decay {
            Decay::Constant => 1.0,
            Decay::Cosine { final_fraction } => final_fraction + (1.0 - final_fraction) * 0.5 * (1.0 + (PI * done).cos()),
            Decay::Polynomial { power, final_fraction } => final_fraction + (1.0 - final_fraction) * (1.0 - done).powf(power),
        };
        self.rate * warm * left
    }
}
