//! Random numbers and smooth noise that are the same on every machine: integer hashes, and only such float operations as IEEE 754 rounds
//! exactly (no `sin`, no `exp`).

pub(super) use crate::random::{Random, hash, mix, unit};

/// Value noise: random values between -1 and 1 at the corners of a square lattice, blended smoothly between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    seed: u64,
    /// Distance between lattice corners, in pixels.
    scale: f64,
}

impl Noise {
    pub(super) fn new(seed: u64, scale: f64) -> Self {
        Self { seed: mix(seed), scale }
    }

    pub(super) fn at(&self, x: f64, y: f64) -> f64 {
        let (column, along_x) = split(x / self.scale);
        let (row, along_y) = split(y / self.scale);
        let [top, bottom] = [row, row + 1].map(|r| blend(self.corner(column, r), self.corner(column + 1, r), along_x));
        blend(top, bottom, along_y)
    }

    /// Noise along a line: one of many, chosen by `line`.
    pub(super) fn along(&self, x: f64, line: i64) -> f64 {
        let (column, part) = split(x / self.scale);
        blend(self.corner(column, line), self.corner(column + 1, line), part)
    }

    fn corner(&self, column: i64, row: i64) -> f64 {
        2.0 * unit(hash(self.seed, column, row)) - 1.0
    }
}

/// Whole part and smoothed fraction (`3 t^2 - 2 t^3`).
fn split(x: f64) -> (i64, f64) {
    let whole = x.floor();
    let t = x - whole;
    (whole as i64, t * t * (3.0 - 2.0 * t))
}

fn blend(a: f64, b: f64, part: f64) -> f64 {
    a + (b - a) * part
}
