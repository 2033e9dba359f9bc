//! From probabilities to labels.

use swath_models::{LabelTable, ModelCard};

use crate::Scores;
use crate::refine::Thresholds;

/// Pixels that are labelled together: few enough to stay in the cache for all classes.
const PIXELS: usize = 4096;

/// Which label the probabilities of a pixel stand for.
#[derive(Clone, Debug)]
pub(crate) struct Labeller {
    /// The label value of each class.
    values: Vec<u8>,
    /// The classes that may be given, by their place among `values`.
    kept: Vec<usize>,
    nodata: u8,
    /// Which labels count.
    thresholds: Option<Thresholds>,
}

/// Labels of a part of the scene, and how sure they are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Labels {
    /// `(height, width)`
    pub(crate) values: Vec<u8>,
    /// Probability of the label, `(height, width)`; NaN where there is none.
    pub(crate) confidence: Vec<f32>,
}

impl Labeller {
    pub(crate) fn new(card: &ModelCard, thresholds: Option<&Thresholds>) -> Self {
        let values: Vec<u8> = card.classes.iter().map(|class| class.value).collect();
        let kept = (0..values.len()).filter(|class| !card.dropped.contains(&values[*class])).collect();
        Self { values, kept, nodata: card.nodata, thresholds: thresholds.cloned() }
    }

    /// The same as a table, for who labels elsewhere.
    pub(crate) fn table(&self) -> LabelTable {
        let kept = (0..self.values.len()).map(|class| self.kept.contains(&class)).collect();
        LabelTable { values: self.values.clone(), kept, nodata: self.nodata }
    }

    /// The most probable class of every pixel, the first one at a tie, if it is probable enough.
    pub(crate) fn label(&self, scores: &Scores) -> Labels {
        let area = scores.window.area();
        let mut confidence = vec![f32::NEG_INFINITY; area];
        let mut values = Vec::with_capacity(area);
        // As wide as the probabilities that they are chosen by.
        let mut labels = [0; PIXELS];
        for start in (0..area).step_by(PIXELS) {
            let pixels = start..area.min(start + PIXELS);
            let (best, labels) = (&mut confidence[pixels.clone()], &mut labels[..pixels.len()]);
            labels.fill(self.nodata.into());
            for class in &self.kept {
                let value = self.values[*class].into();
                let plane = |class: usize| scores.scores[class * area..][pixels.clone()].iter().copied();
                match (scores.scores.len() == area, class) {
                    // One score is the probability of the second of two classes.
                    (true, 0) => raise(best, labels, value, plane(0).map(|p| 1.0 - p)),
                    (true, _) => raise(best, labels, value, plane(0)),
                    (false, _) => raise(best, labels, value, plane(*class)),
                }
            }
            for ((best, label), valid) in best.iter_mut().zip(&mut *labels).zip(&scores.valid[pixels.clone()]) {
                (*best, *label) = if *valid { (*best, *label) } else { (f32::NAN, self.nodata.into()) };
            }
            values.extend(labels.iter().map(|label| *label as u8));
        }
        let mut labels = Labels { values, confidence };
        if let Some(thresholds) = &self.thresholds {
            self.apply(thresholds, scores, &mut labels);
        }
        labels
    }

    /// Takes away the labels that are not probable enough.
    fn apply(&self, thresholds: &Thresholds, scores: &Scores, labels: &mut Labels) {
        let area = scores.window.area();
        let is_single = scores.scores.len() == area;
        for (pixel, (value, confidence)) in labels.values.iter_mut().zip(&mut labels.confidence).enumerate() {
            // No number is below another.
            if *confidence < thresholds.least[usize::from(*value)] {
                (*value, *confidence) = match thresholds.below {
                    None => (self.nodata, f32::NAN),
                    Some(0) if is_single => (self.values[0], 1.0 - scores.scores[pixel]),
                    Some(class) => {
                        let plane = if is_single { 0 } else { class };
                        (self.values[class], scores.scores[plane * area + pixel])
                    }
                };
            }
        }
    }

    /// One plane of probabilities for every class, `(classes, height, width)`; NaN for pixels that are not valid.
    pub(crate) fn probabilities(&self, scores: &Scores) -> Vec<f32> {
        let area = scores.window.area();
        let mut planes = if scores.scores.len() == area && self.values.len() == 2 {
            scores.scores.iter().map(|p| 1.0 - p).chain(scores.scores.iter().copied()).collect()
        } else {
            scores.scores.clone()
        };
        for plane in planes.chunks_exact_mut(area) {
            plane.iter_mut().zip(&scores.valid).filter(|(_, valid)| !**valid).for_each(|(p, _)| *p = f32::NAN);
        }
        planes
    }
}

/// Gives pixels the label `value` where its probability is higher than the best so far. Written without a branch, since several pixels
/// are compared at once then.
fn raise(best: &mut [f32], labels: &mut [u32], value: u32, probabilities: impl Iterator<Item = f32>) {
    for ((best, label), p) in best.iter_mut().zip(labels).zip(probabilities) {
        *label = if p > *best { value } else { *label };
        *best = best.max(p);
    }
}
