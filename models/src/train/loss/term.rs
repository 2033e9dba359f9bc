//! The terms of a loss.

use serde::{Deserialize, Serialize};

use super::{CrossEntropy, Dice, Focal};
use crate::Result;
use crate::train::setting::{require, require_not_negative};

/// One term of a [`Loss`](super::Loss), with its factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Term {
    /// Cross-entropy.
    CrossEntropy(CrossEntropy),
    /// Soft Dice loss.
    Dice(Dice),
    /// Focal loss.
    Focal(Focal),
}

impl Term {
    /// Factor of the term.
    #[must_use]
    pub fn weight(&self) -> f64 {
        match self {
            Self::CrossEntropy(term) => term.weight,
            Self::Dice(term) => term.weight,
            Self::Focal(term) => term.weight,
        }
    }

    pub(super) fn check(&self, classes: usize) -> Result<()> {
        require_not_negative("weight", self.weight())?;
        match self {
            Self::CrossEntropy(term) => term.check(classes),
            Self::Dice(term) => term.check(classes),
            Self::Focal(term) => term.check(classes),
        }
    }
}

/// Checks numbers that there must be one of for every class.
pub(super) fn check_per_class(setting: &'static str, values: Option<&[f64]>, classes: usize) -> Result<()> {
    let Some(values) = values else { return Ok(()) };
    let fits = values.len() == classes && values.iter().all(|v| *v >= 0.0 && v.is_finite());
    require(fits, setting, format!("{classes} numbers of 0 or more"), format!("{values:?}"))
}

/// The default of what is a factor of 1.
pub(super) fn one() -> f64 {
    1.0
}
