//! What a model card and its graph say, in words.

use serde_json::{Value, json};
use swath_models::{Axes, Rank, Scaling, ScoreActivation};

/// What becomes of a band's stored value x: `x / 255`.
pub(super) fn scaling(scaling: Scaling) -> String {
    match scaling {
        Scaling::None => "as stored".into(),
        Scaling::Scale { value } => quotient("x", value),
        Scaling::Offset { value } => difference(value),
        Scaling::MinMax { minimum, maximum } => quotient(&difference(minimum), maximum - minimum),
        Scaling::ZScore { mean, stddev } => quotient(&difference(mean), stddev),
        Scaling::Clip { minimum, maximum } => format!("x, but at least {minimum} and at most {maximum}"),
        Scaling::ClipMin { minimum } => format!("x, but at least {minimum}"),
        Scaling::ClipMax { maximum } => format!("x, but at most {maximum}"),
    }
}

fn difference(value: f64) -> String {
    if value == 0.0 {
        "x".into()
    } else if value < 0.0 {
        format!("x + {}", -value)
    } else {
        format!("x - {value}")
    }
}

fn quotient(dividend: &str, divisor: f64) -> String {
    if divisor.to_bits() == 1f64.to_bits() {
        dividend.to_owned()
    } else if dividend.contains(' ') {
        format!("({dividend}) / {divisor}")
    } else {
        format!("{dividend} / {divisor}")
    }
}

/// Lengths along a network's axes, x first: `512 x 512`, of volumes with the depth.
pub(super) fn axes(rank: Rank, Axes { z, y, x }: Axes<usize>) -> String {
    match rank {
        Rank::Planar => format!("{x} x {y}"),
        Rank::Volumetric => format!("{x} x {y} x {z}"),
    }
}

/// The same as JSON.
pub(super) fn axes_json(rank: Rank, Axes { z, y, x }: Axes<usize>) -> Value {
    match rank {
        Rank::Planar => json!({ "height": y, "width": x }),
        Rank::Volumetric => json!({ "depth": z, "height": y, "width": x }),
    }
}

/// What makes a network's output probabilities.
pub(super) fn activation(activation: ScoreActivation) -> &'static str {
    match activation {
        ScoreActivation::None => "which are probabilities",
        ScoreActivation::Softmax => "then softmax",
        ScoreActivation::Sigmoid => "then sigmoid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalings_are_formulas() {
        let shown = |kind, words| assert_eq!(scaling(kind), words);
        shown(Scaling::None, "as stored");
        shown(Scaling::Scale { value: 255.0 }, "x / 255");
        shown(Scaling::Offset { value: -3.0 }, "x + 3");
        shown(Scaling::MinMax { minimum: 100.0, maximum: 600.0 }, "(x - 100) / 500");
        shown(Scaling::MinMax { minimum: 0.0, maximum: 1.0 }, "x");
        shown(Scaling::MinMax { minimum: 0.0, maximum: 10_000.0 }, "x / 10000");
        shown(Scaling::ZScore { mean: 1.5, stddev: 2.0 }, "(x - 1.5) / 2");
        shown(Scaling::Clip { minimum: 0.0, maximum: 1.0 }, "x, but at least 0 and at most 1");
    }
}
