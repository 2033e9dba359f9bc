//! What the terms sum up over a batch.

use super::Term;
use crate::cpu::exp;

/// Sums over the pixels that count.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    by_class: Vec<ClassSums>,
    /// For every term, what it sums up itself.
    by_term: Vec<f64>,
}

/// Sums of one class.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ClassSums {
    /// Pixels whose target is the class.
    pub(super) count: u64,
    /// `-ln(p)` of the class, where it is the target.
    pub(super) surprise: f64,
    /// `p` of the class.
    pub(super) mass: f64,
    /// `p` of the class, where it is the target.
    pub(super) overlap: f64,
}

impl Sums {
    pub(super) fn new(classes: usize, terms: usize) -> Self {
        Self { by_class: vec![ClassSums::default(); classes], by_term: vec![0.0; terms] }
    }

    pub(super) fn classes(&self) -> usize {
        self.by_class.len()
    }

    pub(super) fn of(&self, class: usize) -> ClassSums {
        self.by_class[class]
    }

    pub(super) fn of_term(&self, term: usize) -> f64 {
        self.by_term[term]
    }

    /// Number of pixels that count.
    pub(super) fn counted(&self) -> u64 {
        self.by_class.iter().map(|class| class.count).sum()
    }

    /// Makes probabilities of the logits of some pixels, and sums up.
    pub(super) fn of_pixels(terms: &[Term], classes: usize, logits: &mut [f32], targets: &[u8]) -> Self {
        let mut sums = Self::new(classes, terms.len());
        let mut behind = Vec::with_capacity(targets.len());
        for (pixel, target) in logits.chunks_exact_mut(classes).zip(targets) {
            // NaN and infinity were found before; with the largest logit taken off, nothing overflows and the sum is at least 1.
            let largest = pixel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            // There are at most 255 classes, so that `Targets::IGNORE` is none of them.
            behind.push(pixel.get(usize::from(*target)).map(|logit| f64::from(largest) - f64::from(*logit)));
            for value in pixel.iter_mut() {
                *value -= largest;
            }
        }
        for value in logits.iter_mut() {
            *value = exp(*value);
        }
        for ((pixel, target), behind) in logits.chunks_exact_mut(classes).zip(targets).zip(behind) {
            let total: f64 = pixel.iter().map(|value| f64::from(*value)).sum();
            let factor = total.recip() as f32;
            for value in pixel.iter_mut() {
                *value *= factor;
            }
            if let Some(behind) = behind {
                sums.add_pixel(terms, pixel, usize::from(*target), total.ln() + behind);
            }
        }
        sums
    }

    fn add_pixel(&mut self, terms: &[Term], probabilities: &[f32], target: usize, surprise: f64) {
        for (class, p) in self.by_class.iter_mut().zip(probabilities) {
            class.mass += f64::from(*p);
        }
        let own = &mut self.by_class[target];
        own.count += 1;
        own.surprise += surprise;
        own.overlap += f64::from(probabilities[target]);
        for (sum, term) in self.by_term.iter_mut().zip(terms) {
            if let Term::Focal(focal) = term {
                *sum += focal.at_pixel(target, rest(probabilities, target), surprise);
            }
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (a, b) in self.by_class.iter_mut().zip(&other.by_class) {
            a.count += b.count;
            a.surprise += b.surprise;
            a.mass += b.mass;
            a.overlap += b.overlap;
        }
        for (a, b) in self.by_term.iter_mut().zip(&other.by_term) {
            *a += b;
        }
    }
}

/// The probability of all classes but one, without the rounding of `1 - p`.
pub(super) fn rest(probabilities: &[f32], class: usize) -> f64 {
    probabilities.iter().enumerate().filter(|(c, _)| *c != class).map(|(_, p)| f64::from(*p)).sum()
}
