//! Where a resampling finds its values.

use crate::{Coordinates, Interpolation};

/// One output position as a mean of two input positions: `(1 - fraction) * x[low] + fraction * x[high]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Taps {
    pub(crate) low: usize,
    pub(crate) high: usize,
    pub(crate) fraction: f32,
}

/// The taps of every output position along one axis.
pub(crate) fn taps(
    input: usize,
    output: usize,
    interpolation: Interpolation,
    coordinates: Coordinates,
) -> impl Iterator<Item = Taps> {
    let end = (input - 1) as f64;
    let scale = output as f64 / input as f64;
    (0..output).map(move |x| {
        let x = x as f64;
        let source = match coordinates {
            Coordinates::HalfPixel => (x + 0.5) / scale - 0.5,
            Coordinates::Asymmetric => x / scale,
            Coordinates::AlignCorners if output == 1 => 0.0,
            Coordinates::AlignCorners => x * end / (output - 1) as f64,
        };
        let source = source.clamp(0.0, end);
        let at = |position: f64| {
            let position = position.clamp(0.0, end) as usize;
            Taps { low: position, high: position, fraction: 0.0 }
        };
        match interpolation {
            Interpolation::NearestFloor => at(source.floor()),
            Interpolation::NearestCeil => at(source.ceil()),
            Interpolation::NearestPreferFloor => at((source - 0.5).ceil()),
            Interpolation::NearestPreferCeil => at((source + 0.5).floor()),
            Interpolation::Linear => {
                let low = source.floor();
                Taps { low: low as usize, high: (low as usize + 1).min(input - 1), fraction: (source - low) as f32 }
            }
        }
    })
}
