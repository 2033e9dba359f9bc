//! How crops are varied.

use gdal::raster::GdalDataType;

use super::recipe::AugmentSettings;
use super::scene::TrainingScene;
use super::statistics::BandStatistics;
use crate::random::Random;
use crate::source::{Patch, RasterSource as _};

/// What is done to one crop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Variation {
    /// Right angles that it is turned by, counter-clockwise.
    pub(super) turns: usize,
    /// Whether left and right are swapped, after that.
    pub(super) mirrored: bool,
    /// Factor about the mean.
    pub(super) contrast: f64,
    /// Part of the range that is added.
    pub(super) brightness: f64,
}

impl Variation {
    pub(super) fn draw(settings: &AugmentSettings, random: &mut Random) -> Self {
        Self {
            turns: if settings.rotate { random.below(4) } else { 0 },
            mirrored: settings.flip && random.chance(0.5),
            contrast: random.between(1.0 - settings.contrast, 1.0 + settings.contrast),
            brightness: random.between(-settings.brightness, settings.brightness),
        }
    }

    /// Where the pixel at a place of the varied crop was before, both row by row; `side` is the crop's.
    pub(super) fn source(&self, at: usize, side: usize) -> usize {
        let last = side - 1;
        let (y, x) = (at / side, at % side);
        let x = if self.mirrored { last - x } else { x };
        let (y, x) = match self.turns {
            1 => (x, last - y),
            2 => (last - y, last - x),
            3 => (last - x, y),
            _ => (y, x),
        };
        y * side + x
    }

    /// Changes contrast and brightness of a crop's valid pixels.
    pub(super) fn shade(&self, patch: &mut Patch, ranges: &[BandRange]) {
        let change = (self.contrast - 1.0).abs() + self.brightness.abs();
        if change <= 0.0 {
            return;
        }
        for (band, range) in patch.pixels.chunks_exact_mut(patch.valid.len()).zip(ranges) {
            let valid = || patch.valid.iter().enumerate().filter(|(_, valid)| **valid).map(|(at, _)| at);
            let count = valid().count().max(1);
            let mean = valid().map(|at| f64::from(band[at])).sum::<f64>() / count as f64;
            let shift = self.brightness * range.span;
            for at in valid() {
                let varied = (f64::from(band[at]) - mean) * self.contrast + mean + shift;
                band[at] = varied.clamp(range.least, range.most) as f32;
            }
        }
    }
}

/// What values a band may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct BandRange {
    /// What brightness is a part of: 255 for bytes, else four standard deviations.
    span: f64,
    /// The smallest value of the type.
    least: f64,
    /// The largest one.
    most: f64,
}

impl BandRange {
    /// The range of a band of this type and standard deviation.
    pub(super) fn new(data_type: GdalDataType, deviation: f64) -> Self {
        let bits = i32::from(data_type.bits());
        let (least, most) = match (data_type.is_integer(), data_type.is_signed()) {
            (true, false) => (0.0, 2f64.powi(bits) - 1.0),
            (true, true) => (-2f64.powi(bits - 1), 2f64.powi(bits - 1) - 1.0),
            (false, _) => (f64::from(f32::MIN), f64::from(f32::MAX)),
        };
        Self { span: if data_type == GdalDataType::UInt8 { most } else { 4.0 * deviation }, least, most }
    }
}

/// The ranges of the bands of each scene, which may be of different types.
pub(super) fn band_ranges(scenes: &[TrainingScene], bands: &[BandStatistics]) -> Vec<Vec<BandRange>> {
    let ranges = |scene: &TrainingScene| {
        let stored = scene.image.scene();
        let data_types = stored.bands().numbers().iter().map(|number| stored.profile().bands[number - 1].data_type);
        data_types.zip(bands).map(|(data_type, band)| BandRange::new(data_type, band.deviation)).collect()
    };
    scenes.iter().map(ranges).collect()
}

/// The side of the ground that a crop covers.
pub(super) fn draw_side(settings: &AugmentSettings, crop: usize, random: &mut Random) -> usize {
    let [smallest, largest] = settings.scale.map(f64::ln);
    ((crop as f64 * random.between(smallest, largest).exp()).round() as usize).max(1)
}

/// The largest side that [`draw_side`] gives.
pub(super) fn largest_side(settings: &AugmentSettings, crop: usize) -> usize {
    ((crop as f64 * settings.scale[1]).round() as usize).max(1)
}

/// A patch and its labels that have been brought to another side.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Resampled {
    pub(super) patch: Patch,
    /// Classes, `(height, width)`.
    pub(super) labels: Vec<u8>,
}

/// Brings a square patch and its labels to another side: pixels between their valid neighbours' (bilinear, half-pixel centres), validity and labels
/// of the nearest.
pub(super) fn resample(patch: &Patch, labels: &[u8], side: usize) -> Resampled {
    let from = patch.window.width;
    let centre = |at: usize| ((at as f64 + 0.5) * from as f64 / side as f64 - 0.5).clamp(0.0, (from - 1) as f64);
    let nearest = |at: usize| ((2 * at + 1) * from / (2 * side)).min(from - 1);
    let places = || (0..side * side).map(|at| (at / side, at % side));
    // The two neighbours along an axis and what each counts.
    let neighbours = |at: f64| {
        let first = at as usize;
        [(first, 1.0 - at.fract()), ((first + 1).min(from - 1), at.fract())]
    };
    let between = |band: &[f32], y: f64, x: f64| {
        let corners =
            neighbours(y).into_iter().flat_map(|(y, down)| neighbours(x).map(|(x, across)| (y * from + x, down * across)));
        let valid = corners.filter(|(at, _)| patch.valid[*at]);
        let [sum, weights] =
            valid.fold([0.0; 2], |[sum, weights], (at, weight)| [sum + weight * f64::from(band[at]), weights + weight]);
        if weights > 0.0 { (sum / weights) as f32 } else { 0.0 }
    };
    let bands = patch.pixels.chunks_exact(from * from);
    let pixels = bands.flat_map(|band| places().map(move |(y, x)| between(band, centre(y), centre(x)))).collect();
    let valid = places().map(|(y, x)| patch.valid[nearest(y) * from + nearest(x)]).collect();
    let labels = places().map(|(y, x)| labels[nearest(y) * from + nearest(x)]).collect();
    Resampled { patch: Patch { window: patch.window, pixels, valid, wanted: None }, labels }
}

#[cfg(test)]
mod tests {
    use swath_tiling::Window;

    use super::*;

    #[test]
    fn pixels_between_others_are_made_of_valid_ones() {
        let window = Window::plane(0, 0, 2, 2);
        for nothing in [f32::NAN, -9999.0] {
            let patch =
                Patch { window, pixels: vec![4.0, nothing, 8.0, 8.0], valid: vec![true, false, true, true], wanted: None };
            let Resampled { patch, labels } = resample(&patch, &[0, 1, 2, 3], 4);
            #[rustfmt::skip]
            let valid = [
                true, true, false, false,
                true, true, false, false,
                true, true, true, true,
                true, true, true, true,
            ];
            assert_eq!(patch.valid, valid);
            assert_eq!(labels, [0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3]);
            // The second of the first row has a quarter of what is not there; the first of the second one a quarter of what is below.
            assert_eq!((patch.pixels[1], patch.pixels[4]), (4.0, 5.0));
            // Of the four weights 9, 3, 3 and 1 (of 16), one of 3 is left out.
            assert!((patch.pixels[5] - (9.0 * 4.0 + 3.0 * 8.0 + 8.0) / 13.0).abs() < 1e-6, "{}", patch.pixels[5]);
            assert!(patch.pixels.iter().all(|pixel| (0.0..=8.0).contains(pixel)), "{:?}", patch.pixels);
        }
    }

    #[test]
    fn what_is_not_varied_stays_and_the_rest_is_kept_within_its_type() {
        let pixels = vec![-7.0, 300.0, 0.1, 255.0];
        let patch = Patch { window: Window::plane(0, 0, 2, 2), pixels: pixels.clone(), valid: vec![true; 4], wanted: None };
        let shaded = |contrast: f64, brightness: f64| {
            let mut patch = patch.clone();
            let variation = Variation { turns: 0, mirrored: false, contrast, brightness };
            variation.shade(&mut patch, &[BandRange::new(GdalDataType::UInt8, 1.0)]);
            patch.pixels
        };
        assert_eq!(shaded(1.0, 0.0), pixels);
        assert_eq!(shaded(1.0, 0.2), [44.0, 255.0, 51.1, 255.0]);
    }
}
