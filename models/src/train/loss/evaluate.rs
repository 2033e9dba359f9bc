//! Loss and gradient.

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};
use serde::{Deserialize, Serialize};

use super::Term;
use super::dice::Slope;
use super::focal::Focal;
use super::sums::{Sums, rest};
use crate::train::finite::first_not_finite;
use crate::train::setting::require;
use crate::train::{Batch, Targets};
use crate::{Error, Result};

/// Pixels that are computed together; fixed, so that sums are the same for any number of threads.
const CHUNK: usize = 4096;

/// What is minimised: a weighted sum of terms.
///
/// ```
/// use swath_models::Shape;
/// use swath_models::train::{Batch, CrossEntropy, Loss, Targets, Term};
///
/// let loss = Loss::new(vec![Term::CrossEntropy(CrossEntropy { weight: 1.0, class_weights: None })]);
/// let shape = Shape::planar(2, 1, 2);
/// let scores = Batch::new(1, shape, vec![0.0, 0.0, 5.0, 1.0])?;
/// let evaluated = loss.evaluate(&scores, &Targets::new(1, shape.extent, vec![1, Targets::IGNORE])?)?;
/// assert_eq!(evaluated.value, 2f64.ln());
/// assert_eq!(evaluated.gradient.values(), [0.5, -0.5, 0.0, 0.0]);
/// # Ok::<(), swath_models::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Loss {
    terms: Vec<Term>,
}

/// The loss of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// The loss.
    pub value: f64,
    /// Its derivative with respect to every score.
    pub gradient: Batch,
}

impl Loss {
    /// The sum of the terms.
    #[must_use]
    pub fn new(terms: Vec<Term>) -> Self {
        Self { terms }
    }

    /// The terms.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Checks that the settings of the terms are in their ranges and fit so many classes.
    ///
    /// # Errors
    /// Names the setting.
    pub fn check(&self, classes: usize) -> Result<()> {
        require(!self.terms.is_empty(), "loss", "at least one term", "none")?;
        // Fewer cannot be told apart, and a target of 255 does not count.
        require((2..=usize::from(Targets::IGNORE)).contains(&classes), "classes", "2 to 255 classes", classes)?;
        self.terms.iter().try_for_each(|term| term.check(classes))
    }

    /// The loss of logits and its gradient, both 0 if no pixel counts.
    ///
    /// # Errors
    /// If [`Loss::check`] fails, targets and scores do not fit each other, or a score is not finite; the error names the sample.
    pub fn evaluate(&self, scores: &Batch, targets: &Targets) -> Result<Evaluated> {
        let shape = scores.shape();
        let classes = shape.channels;
        self.check(classes)?;
        check_targets(scores, targets)?;
        check_scores(scores)?;
        let mut values = scores.values().to_vec();
        let chunks: Vec<Sums> = values
            .par_chunks_mut(CHUNK * classes)
            .zip(targets.classes().par_chunks(CHUNK))
            .map(|(logits, targets)| Sums::of_pixels(&self.terms, classes, logits, targets))
            .collect();
        let mut sums = Sums::new(classes, self.terms.len());
        for chunk in &chunks {
            sums.add(chunk);
        }
        if sums.counted() == 0 {
            values.fill(0.0);
            return Ok(Evaluated { value: 0.0, gradient: Batch::new(scores.samples(), shape, values)? });
        }
        let gradient = Gradient::new(&self.terms, &sums);
        values
            .par_chunks_mut(CHUNK * classes)
            .zip(targets.classes().par_chunks(CHUNK))
            .for_each(|(probabilities, targets)| gradient.replace(probabilities, targets));
        Ok(Evaluated { value: self.value(&sums), gradient: Batch::new(scores.samples(), shape, values)? })
    }

    fn value(&self, sums: &Sums) -> f64 {
        let of = |(index, term): (usize, &Term)| match term {
            Term::CrossEntropy(term) => term.value(sums),
            Term::Dice(term) => term.value(sums),
            Term::Focal(_) => Focal::value(sums.of_term(index), sums),
        };
        self.terms.iter().enumerate().map(|term| term.1.weight() * of(term)).sum()
    }
}

/// What the gradient at a pixel is made of, beside its probabilities.
struct Gradient<'a> {
    sums: &'a Sums,
    /// How strongly a pixel of each class is pulled to its target by the cross-entropies.
    pulls: Vec<f64>,
    /// Pulls that depend on the probabilities.
    focal: Vec<&'a Focal>,
    /// Of all Dice terms, per class.
    slopes: Vec<Slope>,
}

impl<'a> Gradient<'a> {
    fn new(terms: &'a [Term], sums: &'a Sums) -> Self {
        let classes = sums.classes();
        let mut own = Self { sums, pulls: vec![0.0; classes], focal: Vec::new(), slopes: vec![Slope::default(); classes] };
        for term in terms {
            match term {
                Term::CrossEntropy(term) => own.pulls.iter_mut().zip(term.pulls(sums)).for_each(|(sum, pull)| *sum += pull),
                Term::Dice(term) => term.add_slopes(sums, &mut own.slopes),
                Term::Focal(term) => own.focal.push(term),
            }
        }
        own
    }

    /// Replaces the probabilities of some pixels by the gradient with respect to their logits.
    fn replace(&self, probabilities: &mut [f32], targets: &[u8]) {
        for (pixel, target) in probabilities.chunks_exact_mut(self.pulls.len()).zip(targets) {
            if *target == Targets::IGNORE {
                pixel.fill(0.0);
                continue;
            }
            let target = usize::from(*target);
            let own = f64::from(pixel[target]);
            let rest = rest(pixel, target);
            let focal: f64 = self.focal.iter().map(|focal| focal.pull(target, own, rest, self.sums)).sum();
            let pull = self.pulls[target] + focal;
            let inside = self.slopes[target].inside;
            let mean: f64 = pixel.iter().zip(&self.slopes).map(|(p, slope)| f64::from(*p) * slope.everywhere).sum();
            let mean = mean + own * inside;
            for (class, (value, slope)) in pixel.iter_mut().zip(&self.slopes).enumerate() {
                let p = f64::from(*value);
                // `p - 1` of the target is what the others have, with the opposite sign.
                let (off, slope) = if class == target { (-rest, slope.everywhere + inside) } else { (p, slope.everywhere) };
                *value = (pull * off + p * (slope - mean)) as f32;
            }
        }
    }
}

fn check_targets(scores: &Batch, targets: &Targets) -> Result<()> {
    let (shape, classes) = (scores.shape(), scores.shape().channels);
    if (targets.samples(), targets.extent()) != (scores.samples(), shape.extent) {
        let [expected, got] = [(scores.samples(), shape.extent), (targets.samples(), targets.extent())]
            .map(|(samples, extent)| format!("{samples} samples of {} x {} x {}", extent.z, extent.y, extent.x));
        return Err(Error::TargetShape { expected, got });
    }
    let wrong = |target: &u8| *target != Targets::IGNORE && usize::from(*target) >= classes;
    match targets.classes().par_iter().position_first(wrong) {
        Some(at) => {
            let sample = at / shape.extent.product();
            Err(Error::TargetClass { sample, class: targets.classes()[at], classes })
        }
        None => Ok(()),
    }
}

fn check_scores(scores: &Batch) -> Result<()> {
    match first_not_finite(scores.values()) {
        Some(bad) => Err(Error::Score { sample: bad.index / scores.shape().elements(), value: bad.value }),
        None => Ok(()),
    }
}
