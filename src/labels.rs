//! From probabilities to labels.

use swath_models::ModelCard;

use crate::Scores;

/// Which label the probabilities of a pixel stand for.
#[derive(Clone, Debug)]
pub(crate) struct Labeller {
    /// The label value of each class.
    values: Vec<u8>,
    /// The classes that may be given, by their place among `values`.
    kept: Vec<usize>,
    nodata: u8,
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
    pub(crate) fn new(card: &ModelCard) -> Self {
        let values: Vec<u8> = card.classes.iter().map(|class| class.value).collect();
        let kept = (0..values.len()).filter(|class| !card.dropped.contains(&values[*class])).collect();
        Self { values, kept, nodata: card.nodata }
    }

    /// The most probable class of every pixel, the first one at a tie.
    pub(crate) fn label(&self, scores: &Scores) -> Labels {
        let area = scores.window.area();
        let mut best = vec![f32::NEG_INFINITY; area];
        let mut values = vec![self.nodata; area];
        for class in &self.kept {
            let value = self.values[*class];
            let planes = scores.scores.chunks_exact(area);
            let probability: Box<dyn Iterator<Item = f32>> = match (planes.len(), class) {
                // One score is the probability of the second of two classes.
                (1, 0) => Box::new(scores.scores.iter().map(|p| 1.0 - p)),
                (1, _) => Box::new(scores.scores.iter().copied()),
                _ => Box::new(scores.scores[class * area..(class + 1) * area].iter().copied()),
            };
            for ((best, label), p) in best.iter_mut().zip(&mut values).zip(probability) {
                if p > *best {
                    (*best, *label) = (p, value);
                }
            }
        }
        for ((best, label), valid) in best.iter_mut().zip(&mut values).zip(&scores.valid) {
            if !valid {
                (*best, *label) = (f32::NAN, self.nodata);
            }
        }
        Labels { values, confidence: best }
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
