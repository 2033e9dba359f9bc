//! What a CRF takes for likely.

use crate::{Error, Result};

/// Which labellings a CRF prefers: those whose pixels have the label of their like.
///
/// The default is what `DeepLab` v2 uses on 8-bit colours (Chen et al. 2017, section 4.1): 10 iterations, smoothness 3 within 3 pixels, appearance 4
/// within 67 pixels and 3 grey levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrfParameters {
    /// How often every pixel looks at the others: mean-field steps.
    pub iterations: u32,
    /// Pixels that are near have one label; none without this kernel.
    pub smoothness: Option<Smoothness>,
    /// Pixels that are near and look alike have one label; none without this kernel.
    pub appearance: Option<Appearance>,
}

/// The kernel `weight * exp(-distance^2 / (2 width^2))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothness {
    /// What two labels cost that differ, as a potential beside `-ln p`.
    pub weight: f32,
    /// Standard deviation, in pixels.
    pub width: f32,
}

/// The kernel `weight * exp(-distance^2 / (2 width^2) - difference^2 / (2 colour_width^2))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Appearance {
    /// What two labels cost that differ, as a potential beside `-ln p`.
    pub weight: f32,
    /// Standard deviation of distances, in pixels.
    pub width: f32,
    /// Standard deviation of colours, in the units of the bands.
    pub colour_width: f32,
}

impl CrfParameters {
    /// Most iterations: mean field does not change after far fewer.
    const MOST_ITERATIONS: u32 = 1000;

    /// The widest kernel, in standard deviations or pixels: beyond any image.
    const WIDEST: f32 = 1e6;

    /// The same if a CRF can be computed with it.
    ///
    /// # Errors
    /// If there are no iterations or too many, no kernel, or a weight or width is not a positive number.
    pub fn checked(self) -> Result<Self> {
        let fail = |name, expected: &str, got: String| Err(Error::Parameter { name, expected: expected.into(), got });
        if !(1..=Self::MOST_ITERATIONS).contains(&self.iterations) {
            return fail("iterations", &format!("1 to {}", Self::MOST_ITERATIONS), self.iterations.to_string());
        }
        if self.smoothness.is_none() && self.appearance.is_none() {
            return fail("smoothness and appearance", "a weight above 0 for one of them", "0 for both".into());
        }
        let smoothness = self.smoothness.map(|s| [("smoothness", s.weight), ("smoothness-width", s.width)]);
        let appearance =
            self.appearance.map(|a| [("appearance", a.weight), ("appearance-width", a.width), ("colour-width", a.colour_width)]);
        for (name, value) in smoothness.into_iter().flatten().chain(appearance.into_iter().flatten()) {
            if !(value > 0.0 && value <= Self::WIDEST) {
                return fail(name, &format!("a number above 0, up to {}", Self::WIDEST), value.to_string());
            }
        }
        Ok(self)
    }

    /// How far from a pixel others matter to it, in pixels: twice the widest kernel, where its weight is 0.14.
    #[must_use]
    pub fn halo(&self) -> usize {
        let widths = [self.smoothness.map(|s| s.width), self.appearance.map(|a| a.width)];
        widths.into_iter().flatten().fold(0.0, |halo: f32, width| halo.max(2.0 * width)).ceil() as usize
    }
}

impl Default for CrfParameters {
    fn default() -> Self {
        Self {
            iterations: 10,
            smoothness: Some(Smoothness { weight: 3.0, width: 3.0 }),
            appearance: Some(Appearance { weight: 4.0, width: 67.0, colour_width: 3.0 }),
        }
    }
}
