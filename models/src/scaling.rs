//! From a band's values to the network's input.

use serde::{Deserialize, Serialize};

/// How one band's values become the network's input, as MLM v1.5.2 defines its value scaling objects.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Scaling {
    /// `(x - minimum) / (maximum - minimum)`
    MinMax {
        /// Becomes 0.
        minimum: f64,
        /// Becomes 1.
        maximum: f64,
    },
    /// `(x - mean) / stddev`
    ZScore {
        /// Becomes 0.
        mean: f64,
        /// Becomes 1 above the mean.
        stddev: f64,
    },
    /// `min(max(x, minimum), maximum)`
    Clip {
        /// Lower bound.
        minimum: f64,
        /// Upper bound.
        maximum: f64,
    },
    /// `max(x, minimum)`
    ClipMin {
        /// Lower bound.
        minimum: f64,
    },
    /// `min(x, maximum)`
    ClipMax {
        /// Upper bound.
        maximum: f64,
    },
    /// `x - value`
    Offset {
        /// Subtracted.
        value: f64,
    },
    /// `x / value`
    Scale {
        /// Divides.
        value: f64,
    },
    /// `x`: MLM's `type: null`.
    #[serde(skip)]
    None,
}

impl Scaling {
    /// The same scaling if its numbers can be computed with, or why not.
    ///
    /// # Errors
    /// The reason, as `expected X, got Y`, if a number is not finite or a divisor is 0.
    pub(crate) fn checked(self) -> Result<Self, (&'static str, String)> {
        let numbers = match self {
            Self::MinMax { minimum, maximum } => [minimum, maximum, maximum - minimum],
            Self::ZScore { mean, stddev } => [mean, 0.0, stddev],
            Self::Clip { minimum, maximum } => [minimum, maximum, 1.0],
            Self::ClipMin { minimum: value } | Self::ClipMax { maximum: value } | Self::Offset { value } => [value, 0.0, 1.0],
            Self::Scale { value } => [0.0, 0.0, value],
            Self::None => [0.0, 0.0, 1.0],
        };
        if numbers.iter().any(|n| !n.is_finite()) || numbers[2] == 0.0 {
            return Err(("finite numbers and a divisor other than 0", format!("{self:?}")));
        }
        Ok(self)
    }

    /// Scales values in place, in double precision.
    pub fn apply(self, values: &mut [f32]) {
        match self {
            Self::MinMax { minimum, maximum } => each(values, |x| (x - minimum) / (maximum - minimum)),
            Self::ZScore { mean, stddev } => each(values, |x| (x - mean) / stddev),
            Self::Clip { minimum, maximum } => each(values, |x| x.max(minimum).min(maximum)),
            Self::ClipMin { minimum } => each(values, |x| x.max(minimum)),
            Self::ClipMax { maximum } => each(values, |x| x.min(maximum)),
            Self::Offset { value } => each(values, |x| x - value),
            Self::Scale { value } => each(values, |x| x / value),
            Self::None => {}
        }
    }
}

fn each(values: &mut [f32], f: impl Fn(f64) -> f64) {
    for x in values {
        *x = f(f64::from(*x)) as f32;
    }
}
