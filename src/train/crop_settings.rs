//! What a recipe says of crops: which are taken, and how they are varied.

use std::num::{NonZeroU64, NonZeroUsize};

use serde::Deserialize;
use swath_models::{Extent, Rank};

/// Which crops are taken.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingSettings {
    /// A crop, in pixels at the network's resolution.
    pub crop: CropSize,
    /// Crops per epoch.
    pub samples: NonZeroU64,
    /// How likely each scene is.
    #[serde(default)]
    pub scenes: SceneWeight,
    /// Share of crops that are placed on a pixel of one of `classes`, 0 to 1; the others lie anywhere.
    #[serde(default)]
    pub balance: f64,
    /// The classes that crops are placed on, each as often; all where absent.
    pub classes: Option<Vec<String>>,
}

/// How large a crop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a side of at least 1, or depth, height and width for volumes")]
pub enum CropSize {
    /// A square, or a cube for networks that take volumes.
    Side(NonZeroUsize),
    /// Depth, height and width.
    Sides([NonZeroUsize; 3]),
}

impl CropSize {
    /// What a network of this rank sees of a crop.
    #[must_use]
    pub fn extent(self, rank: Rank) -> Extent {
        match (self, rank) {
            (Self::Side(side), Rank::Planar) => Extent::plane(side.get()),
            (Self::Side(side), Rank::Volumetric) => Extent::cube(side.get()),
            (Self::Sides([z, y, x]), _) => Extent { z: z.get(), y: y.get(), x: x.get() },
        }
    }
}

/// How likely a scene is to be sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SceneWeight {
    /// By the root of its area: large scenes are seen more often, but not so much that small ones are lost.
    #[default]
    RootArea,
    /// By its area: every pixel is as likely.
    Area,
    /// All the same.
    Equal,
}

/// How crops are varied. Labels follow as they are, never in between.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentSettings {
    /// Mirrored, half of them; volumes along each axis.
    pub flip: bool,
    /// Turned by right angles; volumes about the axes across which pixels are square, within a twentieth.
    pub rotate: bool,
    /// Smallest and largest ground that a crop covers, as a multiple of its side; for scenes only.
    pub scale: [f64; 2],
    /// Contrast about each band's mean: a factor of `1 - contrast` to `1 + contrast`.
    pub contrast: f64,
    /// Brightness: up to this part of a band's range is added or taken away.
    pub brightness: f64,
}

impl Default for AugmentSettings {
    fn default() -> Self {
        Self { flip: true, rotate: true, scale: [1.0, 1.0], contrast: 0.0, brightness: 0.0 }
    }
}
