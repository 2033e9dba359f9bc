//! Whether a prediction is as sure as it is right.

/// Bins of equal width.
const BINS: usize = 15;
/// Steps in which confidences are summed: sums of integers do not depend on their order.
const STEPS: f64 = 4_294_967_296.0;

/// Labels by their confidence, in 15 bins of equal width; bin k holds confidences above k / 15 and up to (k + 1) / 15, the first
/// one also 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calibration {
    bins: [ReliabilityBin; BINS],
}

/// The labels in one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReliabilityBin {
    /// How many there are.
    pub pixels: u64,
    /// How many are right.
    pub right: u64,
    /// Sum of their confidences, in steps of 2^-32.
    confidence: u128,
}

impl ReliabilityBin {
    /// Share of the labels that are right, 0 to 1; `None` without labels.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        (self.pixels > 0).then(|| self.right as f64 / self.pixels as f64)
    }

    /// Mean confidence of the labels, 0 to 1; `None` without labels.
    #[must_use]
    pub fn confidence(&self) -> Option<f64> {
        (self.pixels > 0).then(|| self.confidence as f64 / STEPS / self.pixels as f64)
    }
}

impl Calibration {
    /// The bins, from the least to the most confident.
    #[must_use]
    pub fn bins(&self) -> &[ReliabilityBin] {
        &self.bins
    }

    /// Expected calibration error, 0 to 1: the mean difference of accuracy and confidence over the bins, weighted by their labels
    /// (C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 5). `None` without labels.
    #[must_use]
    pub fn expected_error(&self) -> Option<f64> {
        let pixels: u64 = self.bins.iter().map(|bin| bin.pixels).sum();
        let gap = |bin: &ReliabilityBin| (bin.right as f64 - bin.confidence as f64 / STEPS).abs();
        (pixels > 0).then(|| self.bins.iter().map(gap).sum::<f64>() / pixels as f64)
    }

    /// Adds a label with its confidence, 0 to 1.
    pub(super) fn add(&mut self, confidence: f64, right: bool) {
        let bin = &mut self.bins[((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1];
        bin.pixels += 1;
        bin.right += u64::from(right);
        bin.confidence += (confidence * STEPS).round() as u128;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.pixels += more.pixels;
            bin.right += more.right;
            bin.confidence += more.confidence;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_weighted_by_labels() {
        let mut calibration = Calibration::default();
        // Three labels of 0.9, of which two are right: |2/3 - 0.9|. One of 0.5 that is right: |1 - 0.5|.
        for right in [true, true, false] {
            calibration.add(0.9, right);
        }
        calibration.add(0.5, true);
        let expected = (0.7 + 0.5) / 4.0;
        assert!((calibration.expected_error().unwrap() - expected).abs() < 1e-9);
        assert_eq!(calibration.bins()[13].accuracy(), Some(2.0 / 3.0));
        assert!((calibration.bins()[7].confidence().unwrap() - 0.5).abs() < 1e-9);
        assert_eq!((calibration.bins()[0].accuracy(), Calibration::default().expected_error()), (None, None));
    }

    #[test]
    fn the_edges_of_bins_belong_to_the_lower_one() {
        let mut calibration = Calibration::default();
        for confidence in [0.0, 1.0 / 15.0, 0.2, 1.0] {
            calibration.add(confidence, true);
        }
        let filled: Vec<usize> = (0..BINS).filter(|bin| calibration.bins()[*bin].pixels > 0).collect();
        assert_eq!((filled, calibration.bins()[0].pixels), (vec![0, 2, 14], 2));
    }
}
