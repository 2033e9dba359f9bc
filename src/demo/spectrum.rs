//! What the surfaces look like: red, green, blue and near infrared, as digital numbers from 0 to 255.

use super::land::Surface;
use super::noise::{Noise, Random, hash, mix, unit};
use super::parcel::Parcel;
use super::village::Roof;

/// Digital numbers in red, green, blue and near infrared.
pub(super) type Spectrum = [f32; 4];

/// How much of the light of the sun and the sky remains in a shadow. The sky is blue, so blue keeps the most.
pub(super) const SHADOW: Spectrum = [0.40, 0.45, 0.54, 0.34];

const ASPHALT: Spectrum = [104.0, 104.0, 107.0, 103.0];
const MARKING: Spectrum = [205.0, 205.0, 203.0, 200.0];
const GRAVEL: Spectrum = [158.0, 149.0, 135.0, 160.0];
const CONCRETE: Spectrum = [150.0, 148.0, 144.0, 148.0];
const LAWN: Spectrum = [84.0, 116.0, 66.0, 168.0];
const MEADOW: Spectrum = [90.0, 118.0, 68.0, 160.0];
const DRY_MEADOW: Spectrum = [128.0, 133.0, 86.0, 152.0];
const WOOD_FLOOR: Spectrum = [36.0, 48.0, 34.0, 84.0];
const CLEAR_WATER: Spectrum = [26.0, 44.0, 52.0, 14.0];
const TURBID_WATER: Spectrum = [64.0, 80.0, 70.0, 34.0];
const SAND: Spectrum = [140.0, 132.0, 110.0, 140.0];
/// Soil between the rows, dry and moist.
const SOIL: [Spectrum; 2] = [[152.0, 128.0, 103.0, 156.0], [112.0, 93.0, 76.0, 116.0]];
/// Clover, which only its rows tell from a meadow.
const CLOVER: Spectrum = [88.0, 117.0, 67.0, 162.0];
const YOUNG_CEREAL: Spectrum = [80.0, 110.0, 65.0, 158.0];
const MAIZE: Spectrum = [66.0, 102.0, 56.0, 180.0];
const RIPENING_CEREAL: Spectrum = [132.0, 134.0, 86.0, 156.0];
const RIPE_CEREAL: Spectrum = [178.0, 157.0, 106.0, 176.0];
/// Oilseed rape in flower.
const RAPE: Spectrum = [186.0, 182.0, 62.0, 188.0];

/// Colours the surfaces of one scene.
#[derive(Debug)]
pub(super) struct Painter {
    growth: Noise,
    mottle: Noise,
    tufts: Noise,
    seed: u64,
}

impl Painter {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            growth: Noise::new(seed ^ 1, 70.0),
            mottle: Noise::new(seed ^ 2, 14.0),
            tufts: Noise::new(seed ^ 3, 4.0),
            seed: mix(seed),
        }
    }

    /// A random number in -1..1 for a pixel.
    fn grain(&self, x: f64, y: f64) -> f64 {
        2.0 * unit(hash(self.seed, x.floor() as i64, y.floor() as i64)) - 1.0
    }

    /// The spectrum of a surface at a point.
    pub(super) fn surface(&self, surface: &Surface, x: f64, y: f64) -> Spectrum {
        let grain = self.grain(x, y);
        match *surface {
            Surface::MainRoad { across, along } => {
                let dash = across.abs() < 0.6 && along.rem_euclid(12.0) < 6.0;
                let edge = (across.abs() - 3.9).abs() < 0.35;
                if dash || edge { blend(ASPHALT, MARKING, 0.7) } else { scale(ASPHALT, 1.0 + 0.04 * grain) }
            }
            Surface::Street { along } => scale(ASPHALT, 1.08 + 0.08 * self.growth.along(along, 1) + 0.04 * grain),
            Surface::Lane { across, id } => {
                // Some lanes are paved; on gravel the wheels leave two bright tracks.
                let worn = if (across - 1.0).abs() < 0.5 { 1.06 } else { 0.96 };
                let base = if id % 3 == 0 { ASPHALT } else { GRAVEL };
                scale(tint(base, id, 0.1), worn + 0.05 * grain)
            }
            Surface::Yard => scale(CONCRETE, 1.0 + 0.08 * self.mottle.at(x, y) + 0.04 * grain),
            Surface::Water { depth, id } => {
                let turbid = 0.8 * unit(mix(id)) + 0.15 * self.growth.at(x, y);
                let open = tint(blend(CLEAR_WATER, TURBID_WATER, turbid.clamp(0.0, 1.0) as f32), id, 0.15);
                let shallow = (1.0 - depth / 3.0).clamp(0.0, 1.0) as f32;
                scale(blend(open, SAND, 0.3 * shallow), 1.0 + 0.05 * self.mottle.at(x, y) + 0.03 * grain)
            }
            Surface::Bank { .. } | Surface::Hedge => self.grass(blend(MEADOW, LAWN, 0.5), 0.1, x, y),
            Surface::Verge => self.grass(blend(MEADOW, DRY_MEADOW, 0.4), 0.1, x, y),
            Surface::Garden => self.grass(LAWN, 0.14, x, y),
            Surface::Wood => scale(WOOD_FLOOR, 1.0 + 0.15 * grain),
            Surface::Meadow { parcel } => {
                let dry = (unit(mix(parcel.id ^ 1)) + 0.3 * self.growth.at(x, y)).clamp(0.0, 1.0) as f32;
                self.grass(tint(blend(MEADOW, DRY_MEADOW, dry * dry), parcel.id, 0.08), 0.12, x, y)
            }
            Surface::Crop { parcel } => self.crop(&parcel, x, y),
        }
    }

    /// Grass: irregular in every direction, unlike the rows of a crop.
    fn grass(&self, base: Spectrum, contrast: f64, x: f64, y: f64) -> Spectrum {
        let rough = contrast * (0.8 * self.mottle.at(x, y) + 0.5 * self.tufts.at(x, y)) + 0.04 * self.grain(x, y);
        // Thicker grass is darker in red and brighter in near infrared.
        let gains = [1.0 + rough, 1.0 + 0.7 * rough, 1.0 + rough, 1.0 - 0.5 * rough];
        std::array::from_fn(|band| base[band] * gains[band] as f32)
    }

    /// A crop in rows over soil, with the tracks of the tractor.
    fn crop(&self, parcel: &Parcel, x: f64, y: f64) -> Spectrum {
        let mut random = Random::new(parcel.id);
        let soil = blend(SOIL[0], SOIL[1], random.between(0.0, 1.0) as f32);
        let crop = match random.bits() % 18 {
            0..4 => CLOVER,
            4..7 => YOUNG_CEREAL,
            7..10 => MAIZE,
            10..13 => RIPENING_CEREAL,
            13..17 => RIPE_CEREAL,
            _ => RAPE,
        };
        let crop = tint(crop, parcel.id, 0.08);
        // A fifth of the fields is just sown; on the others the plants have nearly closed.
        let stage = if random.chance(0.2) { random.between(0.0, 0.15) } else { random.between(0.6, 1.0) };
        let rows = random.between(3.0, 6.5);
        let tracks = random.between(16.0, 27.0);
        let closed = (stage + 0.2 * self.growth.at(x, y)).clamp(0.0, 1.0);
        let ridge = wave(parcel.across / rows);
        let cover = (closed + 0.16 * ridge).clamp(0.0, 1.0);
        let bright = 1.0 + 0.055 * ridge + 0.03 * self.mottle.at(x, y) + 0.03 * self.grain(x, y);
        let plants = scale(blend(soil, crop, cover as f32), bright);
        let track = (parcel.across / tracks).rem_euclid(1.0) * tracks;
        if track < 0.9 || (2.4..3.3).contains(&track) { blend(plants, soil, 0.5) } else { plants }
    }

    /// The spectrum of a roof in full sun.
    pub(super) fn roof(&self, roof: Roof, id: u64, x: f64, y: f64) -> Spectrum {
        let mut random = Random::new(id);
        let base = match roof {
            Roof::RedTile => blend([168.0, 92.0, 70.0, 132.0], [142.0, 86.0, 70.0, 120.0], random.between(0.0, 1.0) as f32),
            Roof::BrownTile => [128.0, 100.0, 84.0, 122.0],
            Roof::Slate => blend([86.0, 88.0, 96.0, 90.0], [128.0, 126.0, 123.0, 128.0], random.between(0.0, 1.0) as f32),
            Roof::BlueMetal => [92.0, 118.0, 156.0, 132.0],
            Roof::Bright => blend([214.0, 211.0, 205.0, 204.0], CONCRETE, random.between(0.0, 1.0) as f32),
        };
        scale(tint(base, id, 0.12), 1.0 + 0.05 * self.grain(x, y))
    }

    /// The spectrum of a crown in full sun.
    pub(super) fn crown(&self, id: u64, x: f64, y: f64) -> Spectrum {
        let conifer = unit(mix(id ^ 1)) < 0.25;
        let base = if conifer { [48.0, 68.0, 48.0, 108.0] } else { [66.0, 94.0, 52.0, 154.0] };
        scale(tint(base, id, 0.15), 1.0 + 0.14 * self.grain(x, y))
    }
}

/// A wave between -1 and 1 with period 1, made of two parabolas.
fn wave(x: f64) -> f64 {
    let t = 2.0 * (x - x.floor()) - 1.0;
    4.0 * t * (1.0 - t.abs())
}

/// A spectrum with its bands a little brighter or darker, each by at most `amount`: no two fields, roofs or trees look the same.
fn tint(spectrum: Spectrum, id: u64, amount: f64) -> Spectrum {
    let mut random = Random::new(mix(id ^ 9));
    spectrum.map(|v| v * (1.0 + random.between(-amount, amount)) as f32)
}

pub(super) fn scale(spectrum: Spectrum, factor: f64) -> Spectrum {
    spectrum.map(|v| v * factor as f32)
}

pub(super) fn blend(a: Spectrum, b: Spectrum, part: f32) -> Spectrum {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * part)
}
