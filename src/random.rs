//! Random numbers that are the same on every machine.

/// The finaliser of `SplitMix64` (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", figure 15).
pub(crate) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// `SplitMix64`'s increment: the odd number nearest to 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A random number that belongs to a position of a lattice.
pub(crate) fn hash(seed: u64, x: i64, y: i64) -> u64 {
    mix(mix(seed.wrapping_add((x as u64).wrapping_mul(GOLDEN))).wrapping_add((y as u64).wrapping_mul(GOLDEN)))
}

/// A number in `0..1` from the upper bits of a random one.
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// A sequence of random numbers (`SplitMix64`).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Between `low` and `high`, evenly.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * unit(self.bits())
    }

    /// Below `count`, evenly; 0 if it is 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        // The upper half of the product: every result has the same share of the 2^64 numbers, but for one.
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        unit(self.bits()) < p
    }

    /// A direction as a unit vector, turned from the x axis by at most `2 atan(spread)` either way: a rational parametrisation of the
    /// circle, so that no sine is needed.
    pub(crate) fn direction(&mut self, spread: f64) -> [f64; 2] {
        let t = self.between(-spread, spread);
        [(1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t)]
    }
}
