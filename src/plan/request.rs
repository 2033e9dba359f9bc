//! What the user may decide.

use std::fmt;

use swath_models::Convolutions;
use swath_tiling::{Blend, Taper, Window};

use crate::LayerEncoding;

/// How overlapping tiles become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum BlendChoice {
    /// Mean weighted by a Hann window
    #[default]
    Hann,
    /// Mean weighted by MONAI's Gaussian
    Gaussian,
    /// Mean weighted by nnU-Net's Gaussian; tiles are spread evenly, by default with half of each shared, and start wherever that is
    Nnunet,
    /// Plain mean
    Flat,
    /// Each pixel from the tile in whose middle it lies: with the network's halo, equal to inference on the whole scene
    Crop,
}

impl BlendChoice {
    /// The same for the mosaic.
    #[must_use]
    pub fn blend(self) -> Blend {
        match self {
            Self::Hann => Blend::Taper(Taper::Hann),
            Self::Gaussian => Blend::Taper(Taper::MonaiGaussian),
            Self::Nnunet => Blend::Taper(Taper::NnunetGaussian),
            Self::Flat => Blend::Taper(Taper::Flat),
            Self::Crop => Blend::Crop,
        }
    }

    /// How a network's convolutions are computed: a crop promises what the whole scene at once would give, bit for bit, which Winograd's algorithm
    /// would keep only with far larger overlaps.
    #[must_use]
    pub fn convolutions(self) -> Convolutions {
        match self {
            Self::Hann | Self::Gaussian | Self::Nnunet | Self::Flat => Convolutions::Winograd,
            Self::Crop => Convolutions::Direct,
        }
    }

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hann => "hann",
            Self::Gaussian => "gaussian",
            Self::Nnunet => "nnunet",
            Self::Flat => "flat",
            Self::Crop => "crop",
        }
    }
}

/// Which rasters are written beside the labels, and how they are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// One band for each class.
    pub probabilities: Option<LayerEncoding>,
    /// One band.
    pub confidence: Option<LayerEncoding>,
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |name, encoding: Option<LayerEncoding>| encoding.map(|encoding| format!(", {name} as {}", encoding.name()));
        let layers = [named("probabilities", self.probabilities), named("confidence", self.confidence)];
        write!(f, "labels{}", layers.into_iter().flatten().collect::<String>())
    }
}

/// What a plan may do where memory is short. Fewer workers, fewer threads and narrower swaths change no label; other tiles do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiles {
    /// Smaller tiles may be chosen: for a limit that is given, and so says the same tomorrow.
    MayShrink,
    /// Too little memory is an error: for a limit that depends on what else the machine does.
    Keep,
}

/// What the user decides of a plan; `None` is left to the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanRequest {
    /// Side of the tiles that the network sees, in pixels.
    pub tile: Option<usize>,
    /// Pixels that neighbouring tiles share.
    pub overlap: Option<usize>,
    /// How overlapping tiles become one.
    pub blend: BlendChoice,
    /// The part of the scene that is labelled.
    pub window: Option<Window>,
    /// Most bytes that the process may hold.
    pub max_memory: usize,
    /// What may give way where that is not enough.
    pub tiles: Tiles,
    /// Threads that compute, and most that read.
    pub threads: usize,
    /// How many tiles are computed at once, each by an equal share of the threads; at most as many as there are threads.
    pub workers: Option<usize>,
    /// What is written beside the labels.
    pub layers: Layers,
}

impl PlanRequest {
    /// Everything left to the plan but memory (bytes) and threads; tiles may shrink.
    #[must_use]
    pub fn new(max_memory: usize, threads: usize) -> Self {
        let (tile, overlap, window, workers) = (None, None, None, None);
        let (blend, tiles, layers) = (BlendChoice::default(), Tiles::MayShrink, Layers::default());
        Self { tile, overlap, blend, window, max_memory, tiles, threads, workers, layers }
    }
}
