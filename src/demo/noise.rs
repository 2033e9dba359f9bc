//! Random numbers and smooth noise that are the same on every machine: integer hashes, and only such float operations as IEEE 754 rounds
//! exactly (no `sin`, no `exp`).

/// The finaliser of `SplitMix64` (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", figure 15).
pub(super) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// `SplitMix64`'s increment: the odd number nearest to 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A random number that belongs to a position of a lattice.
pub(super) fn hash(seed: u64, x: i64, y: i64) -> u64 {
    mix(mix(seed.wrapping_add((x as u64).wrapping_mul(GOLDEN))).wrapping_add((y as u64).wrapping_mul(GOLDEN)))
}

/// A number in `0..1` from the upper bits of a random one.
pub(super) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// A sequence of random numbers (`SplitMix64`).
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Between `low` and `high`, evenly.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * unit(self.bits())
    }

    /// True with probability `p`.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        unit(self.bits()) < p
    }

    /// A direction as a unit vector, turned from the x axis by at most `2 atan(spread)` either way: a rational parametrisation of the
    /// circle, so that no sine is needed.
    pub(super) fn direction(&mut self, spread: f64) -> [f64; 2] {
        let t = self.between(-spread, spread);
        [(1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t)]
    }
}

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
