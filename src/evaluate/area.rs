//! Areas of classes, corrected for the map's errors.

use super::ConfusionMatrix;
use crate::{Error, Result};

/// Half the width of a 95 % confidence interval, in standard errors.
const NORMAL_95: f64 = 1.96;

/// An estimate with its 95 % confidence interval, `value - margin` to `value + margin`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Half the width of the interval.
    pub margin: f64,
}

impl Estimate {
    fn new(value: f64, variance: f64) -> Self {
        Self { value, margin: NORMAL_95 * variance.sqrt() }
    }
}

/// What is known of one class's area.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassArea {
    /// Its share of the map, 0 to 1: what counting its labels gives.
    pub mapped: f64,
    /// Its true share, 0 to 1, as estimated from map and reference.
    pub share: Estimate,
    /// User's accuracy, 0 to 1: the share of what the map says is this class that is; `None` where the map never says so.
    pub users_accuracy: Option<Estimate>,
    /// Producer's accuracy, 0 to 1: the share of what is this class that the map says is; `None` for a class that is nowhere.
    pub producers_accuracy: Option<Estimate>,
}

/// The areas of the classes and the map's accuracy, by the stratified estimator of Olofsson et al., "Good practices for
/// estimating area and assessing accuracy of land change", Remote Sensing of Environment 148, 2014, equations 1 to 11.
///
/// The map's classes are the strata. The reference's pixels are taken for a random sample of each stratum, and the intervals say
/// how far off such a sample may be. So they only mean something if the reference is a sample: of a reference that covers every
/// pixel, or whole patches of neighbours, the pixels are not drawn independently, and the intervals are far too narrow.
#[derive(Clone, Debug, PartialEq)]
pub struct AreaEstimates {
    /// Overall accuracy, 0 to 1, each stratum weighted by its share of the map.
    pub accuracy: Estimate,
    /// One per class.
    pub classes: Vec<ClassArea>,
}

impl AreaEstimates {
    /// Estimates areas from the counted pixels and the number of pixels `mapped` that the whole map has of each class. Pixels
    /// without a label are no part of the map.
    ///
    /// # Errors
    /// If a class that the map has was found at fewer than two counted pixels, or there are not as many numbers as classes.
    pub fn new(matrix: &ConfusionMatrix, mapped: &[u64]) -> Result<Self> {
        let classes = matrix.classes();
        if mapped.len() != classes {
            return Err(Error::MappedCount { expected: classes, got: mapped.len() });
        }
        let sampled: Vec<u64> = (0..classes).map(|stratum| matrix.labelled_pixels(stratum)).collect();
        if let Some(stratum) = (0..classes).find(|&stratum| mapped[stratum] > 0 && sampled[stratum] < 2) {
            return Err(Error::Stratum { class: matrix.names()[stratum].clone(), got: sampled[stratum] });
        }
        let all = mapped.iter().sum::<u64>() as f64;
        let strata: Vec<Stratum> = (0..classes)
            .filter(|&class| mapped[class] > 0)
            .map(|class| Stratum { class, weight: mapped[class] as f64 / all, sampled: sampled[class] as f64 })
            .collect();
        let areas = (0..classes).map(|class| ClassArea {
            mapped: mapped[class] as f64 / all.max(1.0),
            share: share(matrix, &strata, class),
            users_accuracy: strata.iter().find(|stratum| stratum.class == class).map(|stratum| {
                let users = stratum.rate(matrix, class);
                Estimate::new(users, stratum.variance(users))
            }),
            producers_accuracy: producers_accuracy(matrix, &strata, class),
        });
        Ok(Self { accuracy: accuracy(matrix, &strata), classes: areas.collect() })
    }
}

/// The pixels to which the map gives one class.
struct Stratum {
    /// Its place.
    class: usize,
    /// Share of the map.
    weight: f64,
    /// Pixels of the reference in it.
    sampled: f64,
}

impl Stratum {
    /// Share of the sample that is of this class.
    fn rate(&self, matrix: &ConfusionMatrix, class: usize) -> f64 {
        matrix.count(class, self.class) as f64 / self.sampled
    }

    /// Variance of such a share.
    fn variance(&self, rate: f64) -> f64 {
        rate * (1.0 - rate) / (self.sampled - 1.0)
    }
}

/// Equations 1, 5 and 9 to 10.
fn share(matrix: &ConfusionMatrix, strata: &[Stratum], class: usize) -> Estimate {
    let rates = || strata.iter().map(|stratum| (stratum, stratum.rate(matrix, class)));
    let value = rates().map(|(stratum, rate)| stratum.weight * rate).sum();
    Estimate::new(value, rates().map(|(stratum, rate)| stratum.weight.powi(2) * stratum.variance(rate)).sum())
}

/// Equations 1 and 5: the share of the map whose stratum is the class in the reference.
fn accuracy(matrix: &ConfusionMatrix, strata: &[Stratum]) -> Estimate {
    let rates = || strata.iter().map(|stratum| (stratum, stratum.rate(matrix, stratum.class)));
    let value = rates().map(|(stratum, rate)| stratum.weight * rate).sum();
    Estimate::new(value, rates().map(|(stratum, rate)| stratum.weight.powi(2) * stratum.variance(rate)).sum())
}

/// Equations 3 and 7.
fn producers_accuracy(matrix: &ConfusionMatrix, strata: &[Stratum], class: usize) -> Option<Estimate> {
    let truly: f64 = strata.iter().map(|stratum| stratum.weight * stratum.rate(matrix, class)).sum();
    let own = strata.iter().find(|stratum| stratum.class == class);
    let value = own.map_or(0.0, |own| own.weight * own.rate(matrix, class)) / truly;
    let variance = |stratum: &Stratum| {
        let factor = if stratum.class == class { 1.0 - value } else { value };
        (stratum.weight * factor).powi(2) * stratum.variance(stratum.rate(matrix, class))
    };
    (truly > 0.0).then(|| Estimate::new(value, strata.iter().map(variance).sum::<f64>() / truly.powi(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paper's example, Tables 8 and 9: rows of the table are the map's classes.
    fn example() -> (ConfusionMatrix, [u64; 4]) {
        let names = ["deforestation", "forest gain", "stable forest", "stable non-forest"];
        let counts = vec![66, 0, 1, 2, 0, 0, 55, 0, 1, 0, 5, 8, 153, 9, 0, 4, 12, 11, 313, 0];
        (ConfusionMatrix::from_counts(names, counts).unwrap(), [200_000, 150_000, 3_200_000, 6_450_000])
    }

    /// The paper gives 235,086 ha +- 68,418 ha of deforestation and an accuracy of 0.95 +- 0.02; the other digits come from its
    /// equations in `NumPy`.
    #[test]
    fn the_papers_example_comes_out() {
        let (matrix, mapped) = example();
        let estimates = AreaEstimates::new(&matrix, &mapped).unwrap();
        let assert_near = |estimate: Estimate, value: f64, margin: f64| {
            assert!((estimate.value - value).abs() < 1e-8 && (estimate.margin - margin).abs() < 1e-8, "{estimate:?}");
        };
        assert_near(estimates.accuracy, 0.946_511_888_1, 0.018_483_617_7);
        let hectares = 10_000_000.0;
        let areas =
            [(235_086.247, 68_418.160), (129_846.154, 41_731.400), (3_175_221.445, 172_331.514), (6_459_846.154, 180_907.293)];
        let users =
            [(0.88, 0.074_040_98), (0.733_333_33, 0.100_757_01), (0.927_272_73, 0.039_745_37), (0.963_076_92, 0.020_533_5)];
        let producers = [
            (0.748_661_4, 0.213_309_85),
            (0.847_156_4, 0.254_408_36),
            (0.934_508_91, 0.034_324_42),
            (0.961_608_99, 0.018_361_54),
        ];
        for (place, class) in estimates.classes.iter().enumerate() {
            let (area, margin) = areas[place];
            assert_near(class.share, area / hectares, margin / hectares);
            assert_near(class.users_accuracy.unwrap(), users[place].0, users[place].1);
            assert_near(class.producers_accuracy.unwrap(), producers[place].0, producers[place].1);
        }
    }

    #[test]
    fn a_class_of_the_map_without_a_sample_has_no_estimate() {
        let matrix = ConfusionMatrix::from_counts(["a", "b"], vec![5, 1, 0, 0, 0, 0]).unwrap();
        let error = AreaEstimates::new(&matrix, &[100, 50]).unwrap_err();
        assert_eq!(error.to_string(), "expected at least 2 counted pixels where the map has class `b`, got 1");
        // What the map never has needs none.
        let matrix = ConfusionMatrix::from_counts(["a", "b"], vec![5, 0, 0, 5, 0, 0]).unwrap();
        let estimates = AreaEstimates::new(&matrix, &[100, 0]).unwrap();
        assert!((estimates.classes[1].share.value - 0.5).abs() < 1e-15);
        assert_eq!(estimates.classes[1].users_accuracy, None);
        assert_eq!(estimates.classes[1].producers_accuracy.unwrap().value.to_bits(), 0);
    }
}
