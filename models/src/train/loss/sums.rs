//! What the terms sum up over a batch.

use super::Term;

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
        for (pixel, target) in logits.chunks_exact_mut(classes).zip(targets) {
            let target = usize::from(*target);
            // NaN and infinity were found before; with the largest logit taken off, nothing overflows and the sum is at least 1.
            let largest = pixel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            // There are at most 255 classes, so that `Targets::IGNORE` is none of them.
            let logit = pixel.get(target).copied();
            let mut total = 0.0;
            for value in pixel.iter_mut() {
                *value = (*value - largest).exp();
                total += f64::from(*value);
            }
            for value in pixel.iter_mut() {
                *value = (f64::from(*value) / total) as f32;
            }
            let Some(logit) = logit else { continue };
            for (class, p) in sums.by_class.iter_mut().zip(pixel.iter()) {
                class.mass += f64::from(*p);
            }
            let surprise = total.ln() - (f64::from(logit) - f64::from(largest));
            let own = &mut sums.by_class[target];
            own.count += 1;
            own.surprise += surprise;
            own.overlap += f64::from(pixel[target]);
            for (sum, term) in sums.by_term.iter_mut().zip(terms) {
                if let Term::Focal(focal) = term {
                    *sum += focal.at_pixel(target, rest(pixel, target), surprise);
                }
            }
        }
        sums
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
