//! How well labels agree with the truth.

use crate::{Error, Result};

/// Counts of true against given labels, from which the usual figures follow.
///
/// ```
/// use swath::demo::Confusion;
///
/// let mut confusion = Confusion::new(2);
/// confusion.add(&[0, 0, 1, 1, 255], &[0, 1, 1, 1, 0], Some(255))?;
/// assert_eq!(confusion.accuracy(), Some(0.75));
/// assert_eq!(confusion.iou(0), Some(0.5));
/// # Ok::<(), swath::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// `(true class, given class)`
    counts: Vec<u64>,
}

impl Confusion {
    /// No pixels yet, for labels `0..classes`.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// Adds pixels; those whose truth is `ignore` are passed over.
    ///
    /// # Errors
    /// If there are not as many labels as truths, or one of them is no class.
    pub fn add(&mut self, truth: &[u8], labels: &[u8], ignore: Option<u8>) -> Result<()> {
        if truth.len() != labels.len() {
            return Err(Error::LabelCount { expected: truth.len(), got: labels.len() });
        }
        for (&truth, &label) in truth.iter().zip(labels) {
            if ignore == Some(truth) {
                continue;
            }
            if let Some(&got) = [truth, label].iter().find(|&&l| usize::from(l) >= self.classes) {
                return Err(Error::LabelValue { classes: self.classes, got });
            }
            self.counts[usize::from(truth) * self.classes + usize::from(label)] += 1;
        }
        Ok(())
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of pixels of class `truth` that were labelled `label`.
    #[must_use]
    pub fn count(&self, truth: usize, label: usize) -> u64 {
        self.counts[truth * self.classes + label]
    }

    /// Number of all pixels.
    #[must_use]
    pub fn pixels(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Share of the pixels with the right label, 0 to 1; `None` without pixels.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        let right: u64 = (0..self.classes).map(|class| self.count(class, class)).sum();
        share(right, self.pixels())
    }

    /// Pixels both of a class and labelled so, over pixels that are either (intersection over union), 0 to 1; `None` for a class that is
    /// in neither.
    #[must_use]
    pub fn iou(&self, class: usize) -> Option<f64> {
        let both = self.count(class, class);
        let truly: u64 = (0..self.classes).map(|label| self.count(class, label)).sum();
        let labelled: u64 = (0..self.classes).map(|truth| self.count(truth, class)).sum();
        share(both, truly + labelled - both)
    }

    /// The mean of [`Confusion::iou`] over the classes that are in the truth or in the labels; `None` without pixels.
    #[must_use]
    pub fn mean_iou(&self) -> Option<f64> {
        let present: Vec<f64> = (0..self.classes).filter_map(|class| self.iou(class)).collect();
        (!present.is_empty()).then(|| present.iter().sum::<f64>() / present.len() as f64)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Truth 0: 3 right, 1 as 1. Truth 1: 2 right, 1 as 0, 1 as 2. Class 2 is only given, class 3 nowhere.
    fn example() -> Confusion {
        let mut confusion = Confusion::new(4);
        confusion.add(&[0, 0, 0, 0], &[0, 0, 0, 1], None).unwrap();
        confusion.add(&[1, 1, 1, 1, 9], &[1, 1, 0, 2, 77], Some(9)).unwrap();
        confusion
    }

    #[test]
    fn figures_equal_those_computed_by_hand() {
        let confusion = example();
        assert_eq!(confusion.pixels(), 8);
        assert_eq!(confusion.count(1, 2), 1);
        assert_eq!(confusion.accuracy(), Some(5.0 / 8.0));
        assert_eq!([0, 1, 2, 3].map(|class| confusion.iou(class)), [Some(3.0 / 5.0), Some(2.0 / 5.0), Some(0.0), None]);
        assert_eq!(confusion.mean_iou(), Some((3.0 / 5.0 + 2.0 / 5.0) / 3.0));
    }

    #[test]
    fn nothing_has_no_figures() {
        let confusion = Confusion::new(3);
        assert_eq!((confusion.accuracy(), confusion.iou(0), confusion.mean_iou()), (None, None, None));
    }

    #[test]
    fn foreign_labels_are_refused() {
        let mut confusion = Confusion::new(2);
        assert_eq!(confusion.add(&[0], &[2], None).unwrap_err().to_string(), "expected labels below 2, got 2");
        assert_eq!(confusion.add(&[0, 1], &[0], None).unwrap_err().to_string(), "expected 2 labels, one per true one, got 1");
    }
}
