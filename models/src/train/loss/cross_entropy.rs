//! Cross-entropy.

use serde::{Deserialize, Serialize};

use super::sums::Sums;
use super::term::check_per_class;
use crate::Result;

/// Cross-entropy, `-ln(p[target])`, averaged over the pixels that count with the weights of their classes, like PyTorch's `CrossEntropyLoss`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossEntropy {
    /// Factor of the term.
    #[serde(default = "super::term::one")]
    pub weight: f64,
    /// Weight of every class, 0 or more; all 1 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<Vec<f64>>,
}

impl CrossEntropy {
    pub(super) fn check(&self, classes: usize) -> Result<()> {
        check_per_class("class_weights", self.class_weights.as_deref(), classes)
    }

    fn class_weight(&self, class: usize) -> f64 {
        self.class_weights.as_ref().map_or(1.0, |weights| weights[class])
    }

    pub(super) fn value(&self, sums: &Sums) -> f64 {
        let surprise: f64 = (0..sums.classes()).map(|c| self.class_weight(c) * sums.of(c).surprise).sum();
        surprise * self.scale(sums)
    }

    /// How strongly a pixel of each class is pulled to its target.
    pub(super) fn pulls(&self, sums: &Sums) -> Vec<f64> {
        (0..sums.classes()).map(|c| self.weight * self.class_weight(c) * self.scale(sums)).collect()
    }

    /// One over the weights of all pixels that count; 0 if they are 0.
    fn scale(&self, sums: &Sums) -> f64 {
        let total: f64 = (0..sums.classes()).map(|c| self.class_weight(c) * sums.of(c).count as f64).sum();
        if total > 0.0 { total.recip() } else { 0.0 }
    }
}
