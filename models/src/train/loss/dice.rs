//! Soft Dice loss.

use serde::{Deserialize, Serialize};

use super::sums::Sums;
use crate::Result;
use crate::train::setting::{require, require_positive};

/// Soft Dice loss (Milletari et al. 2016, arXiv 1606.04797, with plain sums in the denominator): for every class, over all pixels of the batch
/// that count, `1 - (2 * sum(p * t) + smooth) / (sum(p) + sum(t) + smooth)`, averaged over the classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dice {
    /// Factor of the term.
    #[serde(default = "super::term::one")]
    pub weight: f64,
    /// Which classes, each once; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<u8>>,
    /// Added above and below, in pixels, so that a class which is absent does not count for much; above 0.
    #[serde(default = "super::term::one")]
    pub smooth: f64,
}

/// The slope of the Dice terms in the probability of a class.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slope {
    /// At every pixel that counts.
    pub(super) everywhere: f64,
    /// Beside that, at the pixels whose target is the class.
    pub(super) inside: f64,
}

impl Dice {
    pub(super) fn check(&self, classes: usize) -> Result<()> {
        require_positive("smooth", self.smooth)?;
        let chosen = self.chosen(classes);
        let is_new = |(at, class): (usize, &usize)| *class < classes && !chosen[..at].contains(class);
        let fits = !chosen.is_empty() && chosen.iter().enumerate().all(is_new);
        require(fits, "classes", format!("one or more different classes below {classes}"), format!("{chosen:?}"))
    }

    fn chosen(&self, classes: usize) -> Vec<usize> {
        self.classes.as_ref().map_or_else(|| (0..classes).collect(), |chosen| chosen.iter().map(|c| usize::from(*c)).collect())
    }

    pub(super) fn value(&self, sums: &Sums) -> f64 {
        let chosen = self.chosen(sums.classes());
        let total: f64 = chosen.iter().map(|c| 1.0 - self.ratio(sums, *c).value()).sum();
        total / chosen.len() as f64
    }

    /// Adds the slopes of the term in the probability of every class.
    pub(super) fn add_slopes(&self, sums: &Sums, slopes: &mut [Slope]) {
        let chosen = self.chosen(sums.classes());
        let factor = self.weight / chosen.len() as f64;
        for class in chosen {
            let ratio = self.ratio(sums, class);
            slopes[class].everywhere += factor * ratio.value() / ratio.below;
            slopes[class].inside -= factor * 2.0 / ratio.below;
        }
    }

    fn ratio(&self, sums: &Sums, class: usize) -> Ratio {
        let of = sums.of(class);
        Ratio { above: 2.0 * of.overlap + self.smooth, below: of.mass + of.count as f64 + self.smooth }
    }
}

/// The Dice coefficient of one class.
struct Ratio {
    above: f64,
    below: f64,
}

impl Ratio {
    fn value(&self) -> f64 {
        self.above / self.below
    }
}
