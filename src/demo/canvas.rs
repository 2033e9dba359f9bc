//! Draws a block of rows: ground, buildings and crowns by height, their shadows, and what the sensor makes of them.

use std::ops::Range;

use super::cover::Cover;
use super::land::Strip;
use super::noise::{Noise, hash, unit};
use super::spectrum::{Painter, SHADOW, Spectrum, scale};
use super::village::Building;

/// Direction to the sun on the ground, a unit vector: south-east.
const SUN: [f64; 2] = [0.6, 0.8];
/// How much a sunbeam rises per pixel on the ground.
const SUN_RISE: f64 = 0.8;
/// The longest shadow, in pixels: the highest crown is lower than this times `SUN_RISE`.
const SHADOW_REACH: usize = 17;
/// Width of the lattice cells of which each has at most one tree, in pixels.
const TREES: f64 = 4.6;
/// Radius of the largest crown, in pixels.
const CROWN: f64 = 4.6;
/// Share of a pixel's light that comes from each of its four neighbours, as in the point spread of a real sensor.
const BLUR: f32 = 0.11;
/// Light that the air between ground and sensor adds, in digital numbers: most in blue.
const HAZE: Spectrum = [4.0, 6.0, 10.0, 1.0];
/// Standard deviation of the sensor's noise, in digital numbers.
const SENSOR_NOISE: f32 = 3.2;

/// A block of rows being drawn. It reaches one pixel further than asked to the north and west, for the blur, and the length of a shadow
/// further to the south and east.
pub(super) struct Canvas {
    /// Row of the scene of the first row here.
    top: i64,
    height: usize,
    width: usize,
    pixels: Vec<Pixel>,
}

/// A pixel in full detail.
#[derive(Clone, Copy)]
struct Pixel {
    spectrum: Spectrum,
    cover: Cover,
    /// Above ground, in pixels.
    height: f32,
}

/// Column of the scene of the first column of a canvas.
const LEFT: i64 = -1;

/// Finished rows.
pub(super) struct Drawn {
    /// `(height, width, bands)`
    pub(super) image: Vec<[u8; 4]>,
    /// `(height, width)`
    pub(super) labels: Vec<u8>,
}

impl Canvas {
    /// Draws `rows` of a scene of the given width. `seed` is that of the sensor's noise and of the trees.
    pub(super) fn draw(strip: &Strip<'_>, painter: &Painter, seed: u64, rows: Range<usize>, width: usize) -> Drawn {
        let mut canvas = Self::ground(strip, painter, &rows, width);
        for building in strip.buildings {
            canvas.building(building, painter);
        }
        canvas.trees(strip, painter, seed);
        canvas.develop(seed, rows.len(), width)
    }

    /// The rows that a canvas for `rows` covers, as positions.
    pub(super) fn extent(rows: &Range<usize>) -> Range<f64> {
        rows.start as f64 - 1.0..(rows.end + 1 + SHADOW_REACH) as f64
    }

    fn ground(strip: &Strip<'_>, painter: &Painter, rows: &Range<usize>, width: usize) -> Self {
        let top = rows.start as i64 - 1;
        let [seen_rows, seen_columns] = [rows.len() + 2, width + 2];
        let [height, full_width] = [seen_rows + SHADOW_REACH, seen_columns + SHADOW_REACH];
        let unseen = Pixel { spectrum: [0.0; 4], cover: Cover::Field, height: 0.0 };
        let mut pixels = vec![unseen; height * full_width];
        for (row, line) in pixels.chunks_exact_mut(full_width).take(seen_rows).enumerate() {
            let y = (top + row as i64) as f64 + 0.5;
            for (column, pixel) in line.iter_mut().take(seen_columns).enumerate() {
                let x = (LEFT + column as i64) as f64 + 0.5;
                let surface = strip.surface(x, y);
                *pixel = Pixel { spectrum: painter.surface(&surface, x, y), cover: surface.cover(), height: 0.0 };
            }
        }
        Self { top, height, width: full_width, pixels }
    }

    /// Calls `paint` with every pixel within `reach` of a point and the pixel's middle.
    fn around(&mut self, [x, y]: [f64; 2], reach: f64, mut paint: impl FnMut(&mut Pixel, f64, f64)) {
        let span = |at: f64, first: i64, len: usize| {
            let start = ((at - reach).floor() as i64 - first).clamp(0, len as i64) as usize;
            let end = ((at + reach).ceil() as i64 - first).clamp(0, len as i64) as usize;
            start..end
        };
        for row in span(y, self.top, self.height) {
            for column in span(x, LEFT, self.width) {
                let [px, py] = [(LEFT + column as i64) as f64 + 0.5, (self.top + row as i64) as f64 + 0.5];
                paint(&mut self.pixels[row * self.width + column], px, py);
            }
        }
    }

    fn building(&mut self, building: &Building, painter: &Painter) {
        let [ax, ay] = building.axis;
        // How much more or less sun than flat ground the slope on the positive side of the ridge gets.
        let slope = if building.roof.is_gabled() { 0.24 * (SUN[1] * ax - SUN[0] * ay) } else { 0.0 };
        self.around(building.centre, building.half_length + building.half_width, |pixel, x, y| {
            let Some([_, v]) = building.local(x, y, 0.0) else { return };
            let side = if v > 0.0 { slope } else { -slope };
            let ridge = if building.roof.is_gabled() { 0.5 * (building.half_width - v.abs()) } else { 0.0 };
            *pixel = Pixel {
                spectrum: scale(painter.roof(building.roof, building.id, x, y), 1.0 + side),
                cover: Cover::Roof,
                height: (building.height + ridge) as f32,
            };
        });
    }

    /// Trees stand on a jittered lattice, where the plan wants them and no building does.
    fn trees(&mut self, strip: &Strip<'_>, painter: &Painter, seed: u64) {
        let cells = |first: i64, len: usize| {
            let cell = |at: f64| (at / TREES).floor() as i64;
            cell(first as f64 - CROWN) - 1..=cell((first + len as i64) as f64 + CROWN) + 1
        };
        for row in cells(self.top, self.height) {
            for column in cells(LEFT, self.width) {
                let id = hash(seed, column, row);
                let part = |shift: u32| f64::from((id >> shift) as u16) / 65536.0;
                let centre = [(column as f64 + part(0)) * TREES, (row as f64 + part(16)) * TREES];
                if part(32) >= strip.tree_density(centre[0], centre[1]) {
                    continue;
                }
                let radius = 2.2 + (CROWN - 2.2) * part(48);
                if !strip.buildings.iter().any(|b| b.local(centre[0], centre[1], 0.6 * radius).is_some()) {
                    self.crown(centre, radius, id, painter);
                }
            }
        }
    }

    /// A crown is half a ball on a trunk; where crowns meet, the higher one is seen.
    fn crown(&mut self, centre: [f64; 2], radius: f64, id: u64, painter: &Painter) {
        self.around(centre, radius, |pixel, x, y| {
            let [dx, dy] = [(x - centre[0]) / radius, (y - centre[1]) / radius];
            // A ragged edge: the outermost pixels are missing here and there.
            let square = dx * dx + dy * dy + 0.25 * unit(hash(id, x.floor() as i64, y.floor() as i64));
            if square >= 1.0 {
                return;
            }
            let height = (radius * (1.0 + 1.6 * (1.0 - square).sqrt())) as f32;
            if height > pixel.height {
                let sun = 0.95 + 0.45 * (dx * SUN[0] + dy * SUN[1]);
                *pixel = Pixel { spectrum: scale(painter.crown(id, x, y), sun), cover: Cover::Tree, height };
            }
        });
    }

    /// Light, shadow, blur, noise and rounding.
    fn develop(&self, seed: u64, rows: usize, columns: usize) -> Drawn {
        let light = Noise::new(seed ^ 1, 900.0);
        let seen = columns + 2;
        let mut lit: Vec<Spectrum> = Vec::with_capacity((rows + 2) * seen);
        let steps: Vec<(usize, f32)> = (1..=SHADOW_REACH)
            .map(|step| {
                let at = |part: f64| (part * step as f64).round() as usize;
                (at(SUN[1]) * self.width + at(SUN[0]), (SUN_RISE * step as f64) as f32)
            })
            .collect();
        for row in 0..rows + 2 {
            for column in 0..seen {
                let at = row * self.width + column;
                let pixel = &self.pixels[at];
                let dark = steps.iter().any(|(ahead, rise)| self.pixels[at + ahead].height > pixel.height + rise);
                lit.push(if dark { std::array::from_fn(|band| pixel.spectrum[band] * SHADOW[band]) } else { pixel.spectrum });
            }
        }
        let mut drawn = Drawn { image: Vec::with_capacity(rows * columns), labels: Vec::with_capacity(rows * columns) };
        for row in 0..rows {
            let y = self.top + 1 + row as i64;
            for column in 0..columns {
                let x = column as i64;
                let at = (row + 1) * seen + column + 1;
                let bright = 1.0 + 0.06 * light.at(x as f64, y as f64) as f32;
                let noise = [hash(seed, x, y), hash(!seed, x, y)];
                drawn.image.push(std::array::from_fn(|band| {
                    let around = lit[at - 1][band] + lit[at + 1][band] + lit[at - seen][band] + lit[at + seen][band];
                    let value = (1.0 - 4.0 * BLUR) * lit[at][band] + BLUR * around;
                    let noise = SENSOR_NOISE * bell((noise[band / 2] >> (32 * (band % 2))) as u32);
                    (value * bright + HAZE[band] + noise).round().clamp(0.0, 255.0) as u8
                }));
                drawn.labels.push(self.pixels[(row + 1) * self.width + column + 1].cover as u8);
            }
        }
        drawn
    }
}

/// A nearly normal number of mean 0 and deviation 1: the sum of four even ones.
fn bell(bits: u32) -> f32 {
    /// Standard deviation of the sum of four numbers that are evenly 0 to 255: `sqrt(4 * (256^2 - 1) / 12)`.
    const DEVIATION: f32 = 147.8;
    let sum: u16 = bits.to_le_bytes().into_iter().map(u16::from).sum();
    (f32::from(sum) - 510.0) / DEVIATION
}
