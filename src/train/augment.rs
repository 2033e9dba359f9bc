//! How crops are varied.

use gdal::raster::GdalDataType;

use super::recipe::AugmentSettings;
use crate::random::Random;
use crate::source::Patch;

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

/// The side of the ground that a crop covers.
pub(super) fn draw_side(settings: &AugmentSettings, crop: usize, random: &mut Random) -> usize {
    let [smallest, largest] = settings.scale.map(f64::ln);
    ((crop as f64 * random.between(smallest, largest).exp()).round() as usize).max(1)
}

/// The largest side that [`draw_side`] gives.
pub(super) fn largest_side(settings: &AugmentSettings, crop: usize) -> usize {
    ((crop as f64 * settings.scale[1]).round() as usize).max(1)
}

/// Brings a square patch and its labels to another side: pixels between their neighbours' (bilinear, half-pixel centres), validity and labels of
/// the nearest.
pub(super) fn resample(patch: &Patch, labels: &[u8], side: usize) -> (Patch, Vec<u8>) {
    let from = patch.window.width;
    let centre = |at: usize| ((at as f64 + 0.5) * from as f64 / side as f64 - 0.5).clamp(0.0, (from - 1) as f64);
    let nearest = |at: usize| ((2 * at + 1) * from / (2 * side)).min(from - 1);
    let places = || (0..side * side).map(|at| (at / side, at % side));
    let between = |band: &[f32], y: f64, x: f64| {
        let (top, left) = (y as usize, x as usize);
        let (bottom, right) = ((top + 1).min(from - 1), (left + 1).min(from - 1));
        let (down, across) = (y.fract(), x.fract());
        let value = |y: usize, x: usize| f64::from(band[y * from + x]);
        let upper = value(top, left) * (1.0 - across) + value(top, right) * across;
        let lower = value(bottom, left) * (1.0 - across) + value(bottom, right) * across;
        (upper * (1.0 - down) + lower * down) as f32
    };
    let bands = patch.pixels.chunks_exact(from * from);
    let pixels = bands.flat_map(|band| places().map(move |(y, x)| between(band, centre(y), centre(x)))).collect();
    let valid = places().map(|(y, x)| patch.valid[nearest(y) * from + nearest(x)]).collect();
    let labels = places().map(|(y, x)| labels[nearest(y) * from + nearest(x)]).collect();
    (Patch { window: patch.window, pixels, valid }, labels)
}
