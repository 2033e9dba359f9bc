//! Pixels by their class in the reference and in the prediction.

use crate::{Error, Result};

/// Counts of pixels by their class in the reference and in the prediction, from which the usual figures follow.
///
/// Of a class, `TP` are the pixels that have it in both, `FP` those that have it in the prediction only, `FN` those in the
/// reference only. A pixel without a label is counted as missed: it is in `FN`, and thereby in recall, F1, `IoU`, accuracy and
/// kappa, but in no class's `FP` or precision.
///
/// A figure whose denominator is 0 is undefined, and `None`; scikit-learn gives 0 there and warns. All others equal those of
/// scikit-learn.
///
/// ```
/// use swath::evaluate::ConfusionMatrix;
///
/// let mut matrix = ConfusionMatrix::new(["land", "water"]);
/// matrix.add(&[0, 0, 1, 1, 255], &[0, 1, 1, 1, 0], Some(255))?;
/// assert_eq!(matrix.accuracy(), Some(0.75));
/// assert_eq!(matrix.iou(0), Some(0.5));
/// # Ok::<(), swath::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    names: Vec<String>,
    /// `(reference, prediction)`; the last column has the pixels without a label.
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// No pixels yet, for the classes of these names.
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let counts = vec![0; names.len() * (names.len() + 1)];
        Self { names, counts }
    }

    /// A matrix of counts `(reference, prediction)`, where each row ends with the number of pixels without a label.
    ///
    /// # Errors
    /// If there are not classes times (classes + 1) counts.
    pub fn from_counts<N: Into<String>>(names: impl IntoIterator<Item = N>, counts: Vec<u64>) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let expected = names.len() * (names.len() + 1);
        if counts.len() == expected { Ok(Self { names, counts }) } else { Err(Error::CountCount { expected, got: counts.len() }) }
    }

    /// Adds pixels by their classes' places; those whose reference is `ignore` are passed over.
    ///
    /// # Errors
    /// If there are not as many labels as references, or one of them is no class. Nothing is added then.
    pub fn add(&mut self, reference: &[u8], labels: &[u8], ignore: Option<u8>) -> Result<()> {
        if reference.len() != labels.len() {
            return Err(Error::LabelCount { expected: reference.len(), got: labels.len() });
        }
        let classes = self.classes();
        let pairs = || reference.iter().zip(labels).filter(|(reference, _)| ignore != Some(**reference));
        if let Some(&got) =
            pairs().flat_map(|(reference, label)| [reference, label]).find(|value| usize::from(**value) >= classes)
        {
            return Err(Error::LabelValue { classes, got });
        }
        for (&reference, &label) in pairs() {
            self.counts[usize::from(reference) * (classes + 1) + usize::from(label)] += 1;
        }
        Ok(())
    }

    /// The matrix without some classes, given by their places: their pixels of the reference do not count. Other pixels that were
    /// taken for them are still wrong, and are among those without a label.
    #[must_use]
    pub fn without(&self, excluded: &[usize]) -> Self {
        let kept: Vec<usize> = (0..self.classes()).filter(|class| !excluded.contains(class)).collect();
        let row = |&reference: &usize| {
            let lost: u64 = excluded.iter().map(|&label| self.count(reference, label)).sum();
            kept.iter().map(move |&label| self.count(reference, label)).chain([self.unlabelled(reference) + lost])
        };
        let counts = kept.iter().flat_map(row).collect();
        Self { names: kept.iter().map(|&class| self.names[class].clone()).collect(), counts }
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.names.len()
    }

    /// The classes' names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of pixels of class `reference` that were labelled `label`.
    #[must_use]
    pub fn count(&self, reference: usize, label: usize) -> u64 {
        self.row(reference)[label]
    }

    /// Number of pixels of class `reference` that were not labelled.
    #[must_use]
    pub fn unlabelled(&self, reference: usize) -> u64 {
        self.row(reference)[self.classes()]
    }

    /// Number of pixels of a class in the reference, labelled or not.
    #[must_use]
    pub fn reference_pixels(&self, class: usize) -> u64 {
        self.row(class).iter().sum()
    }

    /// Number of pixels that were labelled as a class.
    #[must_use]
    pub fn labelled_pixels(&self, class: usize) -> u64 {
        (0..self.classes()).map(|reference| self.count(reference, class)).sum()
    }

    /// Number of all pixels.
    #[must_use]
    pub fn pixels(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Number of pixels with the right label.
    #[must_use]
    pub fn right(&self) -> u64 {
        (0..self.classes()).map(|class| self.count(class, class)).sum()
    }

    /// Overall accuracy: share of the pixels with the right label, 0 to 1; `None` without pixels.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        share(self.right(), self.pixels())
    }

    /// TP / (TP + FP), 0 to 1; `None` for a class that was never given as a label.
    #[must_use]
    pub fn precision(&self, class: usize) -> Option<f64> {
        share(self.count(class, class), self.labelled_pixels(class))
    }

    /// TP / (TP + FN), 0 to 1; `None` for a class that is not in the reference.
    #[must_use]
    pub fn recall(&self, class: usize) -> Option<f64> {
        share(self.count(class, class), self.reference_pixels(class))
    }

    /// 2 TP / (2 TP + FP + FN), 0 to 1; `None` for a class that is in neither.
    #[must_use]
    pub fn f1(&self, class: usize) -> Option<f64> {
        share(2 * self.count(class, class), self.reference_pixels(class) + self.labelled_pixels(class))
    }

    /// Intersection over union, TP / (TP + FP + FN), 0 to 1; `None` for a class that is in neither.
    #[must_use]
    pub fn iou(&self, class: usize) -> Option<f64> {
        let both = self.count(class, class);
        share(both, self.reference_pixels(class) + self.labelled_pixels(class) - both)
    }

    /// The mean of [`ConfusionMatrix::iou`] over the classes that are in the reference or in the labels; `None` without pixels.
    #[must_use]
    pub fn mean_iou(&self) -> Option<f64> {
        self.mean(Self::iou)
    }

    /// The mean of [`ConfusionMatrix::f1`] over the classes that are in the reference or in the labels; `None` without pixels.
    #[must_use]
    pub fn mean_f1(&self) -> Option<f64> {
        self.mean(Self::f1)
    }

    /// The mean of a figure over the classes for which it is defined; `None` if there are none.
    pub fn mean(&self, figure: impl Fn(&Self, usize) -> Option<f64>) -> Option<f64> {
        let defined: Vec<f64> = (0..self.classes()).filter_map(|class| figure(self, class)).collect();
        (!defined.is_empty()).then(|| defined.iter().sum::<f64>() / defined.len() as f64)
    }

    /// Cohen's kappa: how far the accuracy is above that of labels given at random with the same frequencies, where 1 is perfect
    /// and 0 is chance (J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20,
    /// 1960). `None` without pixels, and where chance alone is always right.
    #[must_use]
    pub fn kappa(&self) -> Option<f64> {
        let pixels = self.pixels() as f64;
        let product = |class| self.reference_pixels(class) as f64 / pixels * (self.labelled_pixels(class) as f64 / pixels);
        let chance: f64 = (0..self.classes()).map(product).sum();
        // Chance is always right only if all pixels are of one class in both, where the sum is exact.
        self.accuracy().filter(|_| chance < 1.0).map(|accuracy| (accuracy - chance) / (1.0 - chance))
    }

    fn row(&self, reference: usize) -> &[u64] {
        let columns = self.classes() + 1;
        &self.counts[reference * columns..][..columns]
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference 0: 3 right, 1 as 1. Reference 1: 2 right, 1 as 0, 1 as 2. Class 2 is only given, class 3 nowhere.
    fn example() -> ConfusionMatrix {
        let mut matrix = ConfusionMatrix::new(["a", "b", "c", "d"]);
        matrix.add(&[0, 0, 0, 0], &[0, 0, 0, 1], None).unwrap();
        matrix.add(&[1, 1, 1, 1, 9], &[1, 1, 0, 2, 77], Some(9)).unwrap();
        matrix
    }

    #[test]
    fn figures_equal_those_computed_by_hand() {
        let matrix = example();
        assert_eq!(matrix.pixels(), 8);
        assert_eq!(matrix.count(1, 2), 1);
        assert_eq!(matrix.accuracy(), Some(5.0 / 8.0));
        let figures = |figure: fn(&ConfusionMatrix, usize) -> Option<f64>| [0, 1, 2, 3].map(|class| figure(&matrix, class));
        assert_eq!(figures(ConfusionMatrix::precision), [Some(3.0 / 4.0), Some(2.0 / 3.0), Some(0.0), None]);
        assert_eq!(figures(ConfusionMatrix::recall), [Some(3.0 / 4.0), Some(2.0 / 4.0), None, None]);
        assert_eq!(figures(ConfusionMatrix::f1), [Some(6.0 / 8.0), Some(4.0 / 7.0), Some(0.0), None]);
        assert_eq!(figures(ConfusionMatrix::iou), [Some(3.0 / 5.0), Some(2.0 / 5.0), Some(0.0), None]);
        assert_eq!(matrix.mean_iou(), Some((3.0 / 5.0 + 2.0 / 5.0) / 3.0));
        // Chance: 4/8 x 4/8 + 4/8 x 3/8 = 28/64.
        assert!((matrix.kappa().unwrap() - (40.0 - 28.0) / (64.0 - 28.0)).abs() < 1e-15);
    }

    #[test]
    fn a_pixel_without_a_label_is_missed_but_nobodys_false_one() {
        // Reference 0: 1 right, 2 without a label. Reference 1: 1 right, 1 as 0.
        let matrix = ConfusionMatrix::from_counts(["a", "b"], vec![1, 0, 2, 1, 1, 0]).unwrap();
        assert_eq!((matrix.pixels(), matrix.unlabelled(0), matrix.reference_pixels(0)), (5, 2, 3));
        assert_eq!(matrix.accuracy(), Some(2.0 / 5.0));
        assert_eq!((matrix.precision(0), matrix.recall(0)), (Some(1.0 / 2.0), Some(1.0 / 3.0)));
        assert_eq!((matrix.iou(0), matrix.f1(0)), (Some(1.0 / 4.0), Some(2.0 / 5.0)));
    }

    #[test]
    fn a_class_that_is_left_out_is_still_a_wrong_label() {
        let matrix = ConfusionMatrix::from_counts(["a", "b", "c"], vec![5, 1, 2, 1, 3, 4, 0, 0, 7, 8, 9, 0]).unwrap();
        let without = matrix.without(&[2]);
        assert_eq!(without, ConfusionMatrix::from_counts(["a", "b"], vec![5, 1, 3, 3, 4, 0]).unwrap());
    }

    #[test]
    fn nothing_has_no_figures() {
        let matrix = ConfusionMatrix::new(["a", "b", "c"]);
        assert_eq!((matrix.accuracy(), matrix.iou(0), matrix.mean_iou(), matrix.kappa()), (None, None, None, None));
        // All pixels of one class in both: chance is always right.
        assert_eq!(ConfusionMatrix::from_counts(["a"], vec![7, 0]).unwrap().kappa(), None);
    }

    #[test]
    fn foreign_labels_are_refused() {
        let mut matrix = ConfusionMatrix::new(["a", "b"]);
        assert_eq!(matrix.add(&[0], &[2], None).unwrap_err().to_string(), "expected labels below 2, got 2");
        assert_eq!(matrix.add(&[0, 1], &[0], None).unwrap_err().to_string(), "expected 2 labels, one per true one, got 1");
        let error = ConfusionMatrix::from_counts(["a", "b"], vec![0; 4]).unwrap_err();
        assert_eq!(error.to_string(), "expected 6 counts, classes times (classes + 1), got 4");
    }
}
