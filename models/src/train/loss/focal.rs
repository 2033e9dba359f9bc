//! Focal loss.

use serde::{Deserialize, Serialize};

use super::sums::Sums;
use super::term::check_per_class;
use crate::Result;
use crate::train::setting::require_not_negative;

/// Focal loss (Lin et al. 2017, arXiv 1708.02002, eq. 5, over a softmax): `-alpha[target] * (1 - p[target])^gamma * ln(p[target])`, averaged
/// over the pixels that count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Focal {
    /// Factor of the term.
    #[serde(default = "super::term::one")]
    pub weight: f64,
    /// How much less the pixels count that are already right; 0 or more. With 0 it is cross-entropy.
    #[serde(default = "two")]
    pub gamma: f64,
    /// Factor of every class, 0 or more; all 1 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<Vec<f64>>,
}

fn two() -> f64 {
    2.0
}

impl Focal {
    pub(super) fn check(&self, classes: usize) -> Result<()> {
        require_not_negative("gamma", self.gamma)?;
        check_per_class("alpha", self.alpha.as_deref(), classes)
    }

    fn alpha(&self, class: usize) -> f64 {
        self.alpha.as_ref().map_or(1.0, |alpha| alpha[class])
    }

    /// What a pixel adds to the sum that is averaged; `rest` is `1 - p[target]`, `surprise` is `-ln(p[target])`.
    pub(super) fn at_pixel(&self, target: usize, rest: f64, surprise: f64) -> f64 {
        self.alpha(target) * rest.powf(self.gamma) * surprise
    }

    pub(super) fn value(sum: f64, sums: &Sums) -> f64 {
        sum / sums.counted() as f64
    }

    /// How strongly a pixel is pulled to its target, which has the probability `p`; `rest` is `1 - p`, summed over the other classes.
    pub(super) fn pull(&self, target: usize, p: f64, rest: f64, sums: &Sums) -> f64 {
        // p * ln(p) / (1 - p), whose limits at the ends are 0 and -1.
        let entropy = if p == 0.0 {
            0.0
        } else if rest == 0.0 {
            -1.0
        } else if p < 0.5 {
            p * p.ln() / rest
        } else {
            p * (-rest).ln_1p() / rest
        };
        self.weight * self.alpha(target) * rest.powf(self.gamma) * (1.0 - self.gamma * entropy) / sums.counted() as f64
    }
}
