//! Random numbers.

/// The generator `SplitMix64` (Steele, Lea & Flood 2014): small, seedable, the same everywhere.
pub(crate) struct SplitMix(u64);

impl SplitMix {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in -1..1, from the top 24 bits.
    pub(crate) fn symmetric(&mut self) -> f64 {
        (self.bits() >> 40) as f64 / f64::from(1 << 23) - 1.0
    }

    /// As good as normal with mean 0 and variance 1: the sum of twelve uniforms, of variance 1/12 each. Additions give the same bits everywhere,
    /// which the logarithm and cosine of the usual transformations do not.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.symmetric()).sum::<f64>() / 2.0
    }
}
