//! How much a tile's pixels count by their place in the tile.

use half::f16;

use crate::Size;

/// Strictly positive weights of a tile's pixels: large in the middle, where the network sees most around a pixel, small at the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Taper {
    /// 1 everywhere: overlapping tiles are averaged.
    Flat,
    /// `sin²(π (i + 1) / (n + 1))` along each axis, multiplied: the Hann window of `n + 2` points without its two zeros.
    Hann,
    /// MONAI's `gaussian` importance map: `exp(-x² / (2 σ²))` with `x = i - (n - 1) / 2` and `σ = n / 8` along each axis, multiplied, and the
    /// product raised to at least `max(minimum, 1e-3)` (`monai.data.utils.compute_importance_map`, 1.5).
    MonaiGaussian,
    /// nnU-Net's importance map: `10 exp(-x² / (2 σ²))` with `x = i - ⌊n / 2⌋` and `σ = n / 8`, as the product over all axes rounded to half
    /// precision, zeros replaced by the smallest positive weight (`nnunetv2` 2.8 `compute_gaussian`; off centre for even `n`, as there).
    NnunetGaussian,
}

impl Taper {
    /// The weights of all pixels of a tile, `(depth, height, width)`.
    #[must_use]
    pub fn weights(self, tile: Size) -> Vec<f32> {
        let [z, y, x] = tile.axes().map(|len| self.along(len));
        let products = z.iter().flat_map(|wz| y.iter().map(move |wy| wz * wy)).flat_map(|wzy| x.iter().map(move |wx| wzy * wx));
        match self {
            Self::Flat | Self::Hann => products.map(|w| w as f32).collect(),
            Self::MonaiGaussian => {
                let mut weights: Vec<f32> = products.map(|w| w as f32).collect();
                let floor = weights.iter().copied().fold(f32::INFINITY, f32::min).max(1e-3);
                for weight in &mut weights {
                    *weight = weight.max(floor);
                }
                weights
            }
            Self::NnunetGaussian => {
                let mut weights: Vec<f32> = products.map(|w| f16::from_f64(10.0 * w).to_f32()).collect();
                let floor = weights.iter().copied().filter(|w| *w > 0.0).fold(f32::INFINITY, f32::min);
                for weight in &mut weights {
                    *weight = weight.max(floor);
                }
                weights
            }
        }
    }

    /// The factor of each position along one axis of `len` positions.
    fn along(self, len: usize) -> Vec<f64> {
        let n = len as f64;
        let gaussian = |i: usize, centre: f64| (-0.5 * ((i as f64 - centre) / (n / 8.0)).powi(2)).exp();
        let weight = |i: usize| match self {
            Self::Flat => 1.0,
            Self::Hann => (std::f64::consts::PI * (i as f64 + 1.0) / (n + 1.0)).sin().powi(2),
            Self::MonaiGaussian => gaussian(i, (n - 1.0) / 2.0),
            Self::NnunetGaussian => gaussian(i, (len / 2) as f64),
        };
        (0..len).map(weight).collect()
    }
}
