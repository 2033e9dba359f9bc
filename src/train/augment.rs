//! How crops are varied.

use gdal::raster::GdalDataType;
use swath_models::{Extent, Orientation};

use super::crop_settings::AugmentSettings;
use super::image::Symmetries;
use super::scene::TrainingScene;
use super::statistics::BandStatistics;
use crate::random::Random;
use crate::source::Patch;

/// What is done to one crop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Variation {
    /// How it is laid on itself: which way its axes go as they were.
    pub(super) symmetry: Orientation,
    /// Factor about the mean.
    pub(super) contrast: f64,
    /// Part of the range that is added.
    pub(super) brightness: f64,
}

/// What is turned by right angles, from axis `b` to the axis `a` before it, counter-clockwise if they are columns and rows, and mirrored after that.
pub(super) fn symmetry([a, b]: [usize; 2], turns: usize, mirrored: [bool; 3]) -> Orientation {
    let (mut places, mut flipped) = ([0, 1, 2], mirrored);
    if turns % 2 == 1 {
        places.swap(a, b);
    }
    flipped[a] ^= turns == 1 || turns == 2;
    flipped[b] ^= turns == 2 || turns == 3;
    // Each axis is there once.
    Orientation::new(places, flipped).unwrap_or(Orientation::SAME)
}

impl Variation {
    pub(super) fn draw(settings: &AugmentSettings, symmetries: &Symmetries, random: &mut Random) -> Self {
        let planes: &[[usize; 2]] = match symmetries {
            Symmetries::Plane => &[[1, 2]],
            Symmetries::Volume { planes } => planes,
        };
        let plane = match planes {
            [_, _, ..] if settings.rotate => planes[random.below(planes.len())],
            _ => planes.first().copied().unwrap_or([1, 2]),
        };
        let turns = if settings.rotate && !planes.is_empty() { random.below(4) } else { 0 };
        let mut mirror = || settings.flip && random.chance(0.5);
        let mirrored = match symmetries {
            Symmetries::Plane => [false, false, mirror()],
            Symmetries::Volume { .. } => [mirror(), mirror(), mirror()],
        };
        Self {
            symmetry: symmetry(plane, turns, mirrored),
            contrast: random.between(1.0 - settings.contrast, 1.0 + settings.contrast),
            brightness: random.between(-settings.brightness, settings.brightness),
        }
    }

    /// For each pixel of the varied crop, along the network's axes, where it was in the crop as it was read.
    pub(super) fn sources(&self, orientation: Orientation, extent: Extent) -> Vec<usize> {
        let read = orientation.indices(orientation.to_raster(extent));
        self.symmetry.indices(extent).into_iter().map(|at| read[at]).collect()
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
        let data_types = scene.image.data_types(bands.len());
        data_types.into_iter().zip(bands).map(|(data_type, band)| BandRange::new(data_type, band.deviation)).collect()
    };
    scenes.iter().map(ranges).collect()
}

/// The ground that a crop covers.
pub(super) fn draw_ground(settings: &AugmentSettings, crop: Extent, random: &mut Random) -> Extent {
    let [smallest, largest] = settings.scale.map(f64::ln);
    scaled(crop, random.between(smallest, largest).exp())
}

/// The largest ground that [`draw_ground`] gives.
pub(super) fn largest_ground(settings: &AugmentSettings, crop: Extent) -> Extent {
    scaled(crop, settings.scale[1])
}

/// A crop of so many times the sides, but for its slices.
fn scaled(crop: Extent, factor: f64) -> Extent {
    let side = |side: usize| ((side as f64 * factor).round() as usize).max(1);
    Extent { z: crop.z, y: side(crop.y), x: side(crop.x) }
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
            let variation = Variation { symmetry: Orientation::SAME, contrast, brightness };
            variation.shade(&mut patch, &[BandRange::new(GdalDataType::UInt8, 1.0)]);
            patch.pixels
        };
        assert_eq!(shaded(1.0, 0.0), pixels);
        assert_eq!(shaded(1.0, 0.2), [44.0, 255.0, 51.1, 255.0]);
    }

    /// `a = numpy.arange(24).reshape(2, 3, 4)`, or of `(2, 3, 3)` and `(3, 2, 3)`: `numpy.rot90(a, turns, axes)`, then `numpy.flip`.
    #[test]
    fn volumes_are_turned_and_mirrored_as_by_numpy() {
        let shown = |plane, turns, mirrored, extent| {
            let symmetry = symmetry(plane, turns, mirrored);
            assert_eq!(symmetry.to_network(extent), extent);
            Variation { symmetry, contrast: 1.0, brightness: 0.0 }.sources(Orientation::SAME, extent)
        };
        let box_ = Extent { z: 2, y: 3, x: 4 };
        let expected = [23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0];
        assert_eq!(shown([1, 2], 0, [true; 3], box_), expected);
        let expected = [2, 5, 8, 1, 4, 7, 0, 3, 6, 11, 14, 17, 10, 13, 16, 9, 12, 15];
        assert_eq!(shown([1, 2], 1, [false; 3], Extent { z: 2, y: 3, x: 3 }), expected);
        let expected = [2, 8, 14, 5, 11, 17, 1, 7, 13, 4, 10, 16, 0, 6, 12, 3, 9, 15];
        assert_eq!(shown([0, 2], 1, [false; 3], Extent { z: 3, y: 2, x: 3 }), expected);
        let expected = [15, 9, 3, 12, 6, 0, 16, 10, 4, 13, 7, 1, 17, 11, 5, 14, 8, 2];
        assert_eq!(shown([0, 2], 3, [false, true, false], Extent { z: 3, y: 2, x: 3 }), expected);
    }

    #[test]
    fn volumes_are_turned_only_where_they_are_cubes() {
        let settings = AugmentSettings::default();
        let drawn = |planes: Vec<[usize; 2]>, extent: Extent| {
            let (symmetries, mut random) = (Symmetries::Volume { planes }, Random::new(3));
            let draw = |_| Variation::draw(&settings, &symmetries, &mut random).sources(Orientation::SAME, extent);
            (0..2000).map(draw).collect::<std::collections::BTreeSet<_>>().len()
        };
        // Flips alone, those with turns in one plane, and with turns in any.
        assert_eq!(drawn(vec![], Extent { z: 2, y: 3, x: 4 }), 8);
        assert_eq!(drawn(vec![[1, 2]], Extent { z: 2, y: 3, x: 3 }), 16);
        assert_eq!(drawn(vec![[0, 1], [0, 2], [1, 2]], Extent::cube(3)), 32);
    }
}
