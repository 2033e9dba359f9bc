//! What several commands take.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use swath::plan::BlendChoice;
use swath::refine::{Amount, CrfChoice, Threshold};
use swath::source::BandRequest;
use swath::volume::Kept;
use swath::{Device, Location};
use swath_models::Augmentation;
use swath_refine::{Connectivity, Majority};
use swath_tiling::Window;

use crate::cli::bytes::parse_bytes;
use crate::cli::parse::{
    Overlap, Workers, parse_connectivity, parse_crf, parse_device, parse_majority, parse_overlap, parse_volume_mm3, parse_window,
    parse_workers,
};

/// What decides the tiles.
#[derive(Debug, ClapArgs)]
pub(crate) struct TileArgs {
    /// Side of the tiles that the network sees, in pixels [default: 1024, with the halo around it for `crop`; less if `--max-memory` asks for it]
    #[arg(long, value_name = "PX")]
    pub(crate) tile: Option<usize>,
    /// Pixels that neighbouring tiles share, or `auto`: what the network's halo asks for
    #[arg(long, value_name = "PX|auto", default_value = "auto", value_parser = parse_overlap)]
    pub(crate) overlap: Overlap,
    /// How overlapping tiles become one
    #[arg(long, value_enum, default_value_t)]
    pub(crate) blend: BlendChoice,
    /// Bands in the order of the model's, by name or, where none is called so, by number from 1 [default: the model card's names]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) bands: Option<Vec<BandRequest>>,
    /// Only this part of the scene, in pixels; its labels are those of the whole
    #[arg(long, value_name = "X,Y,WIDTH,HEIGHT", value_parser = parse_window)]
    pub(crate) window: Option<Window>,
    /// Only pixels whose centre lies in a polygon of this file (`GeoJSON`, `GeoPackage`, ...), in any CRS; their labels are those of the whole, tiles
    /// beside it are neither read nor run
    #[arg(long, value_name = "FILE")]
    pub(crate) aoi: Option<PathBuf>,
    /// Which layer of `--aoi`, if it has several
    #[arg(long, value_name = "NAME", requires = "aoi")]
    pub(crate) aoi_layer: Option<String>,
    /// Memory that the process may hold, such as 2GiB or 800MB [default: half of what is free]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub(crate) max_memory: Option<usize>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Tiles that are computed at once, each by an equal share of the threads, or `auto`: one per thread, fewer if memory or tiles are short
    #[arg(long, value_name = "N|auto", default_value = "auto", value_parser = parse_workers)]
    pub(crate) workers: Workers,
    /// What computes: `cpu`, `cuda` (all cards, or one), or `auto`: CUDA where there is a card, else the CPU
    #[arg(long, value_name = "auto|cpu|cuda[:N]", default_value = "auto", value_parser = parse_device)]
    pub(crate) device: Device,
    /// How the network's values are kept [default: f32 on the CPU, bf16 on CUDA]
    #[arg(long, value_enum, value_name = "PRECISION")]
    pub(crate) precision: Option<PrecisionChoice>,
}

/// What labels: models, and how they look at tiles.
#[derive(Debug, ClapArgs)]
pub(crate) struct ModelArg {
    /// Model folder; of several, given one after the other, the probabilities are averaged. They must have the same classes by name
    #[arg(short, long, required = true)]
    pub(crate) model: Vec<PathBuf>,
    /// Weights of the models in that mean, in their order [default: equal ones]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) model_weights: Option<Vec<f32>>,
    /// Views of each tile whose probabilities (of volumes, scores) are averaged: `hflip`, `flips` (both axes), `d4` (right angles, too) or, of
    /// volumetric networks, `mirrors` (all axes), and `scales=A,B,..`; joined by `+`. The network is run once for each
    #[arg(long, value_name = "VIEWS", default_value = "none")]
    pub(crate) tta: Augmentation,
}

/// What is done after the network, in this order: CRF, thresholds, majority, holes, sieve.
#[derive(Debug, ClapArgs)]
pub(crate) struct RefineArgs {
    /// Refine probabilities by the pixels' colours (Krähenbühl and Koltun 2011): `default`, `off`, or NAME=VALUE,.. of iterations, smoothness,
    /// smoothness-width, appearance, appearance-width, colour-width (in stored values) and bands=A+B+.. [default: as the model's card says]
    #[arg(long, value_name = "CRF", value_parser = parse_crf)]
    pub(crate) crf: Option<CrfChoice>,
    /// The least probability of a label, or that of each class (`building=0.7,water=0.5`); what is below has no data
    #[arg(long, value_name = "P|CLASS=P,..", value_delimiter = ',')]
    pub(crate) threshold: Vec<Threshold>,
    /// The class of what is below its threshold
    #[arg(long, value_name = "CLASS", requires = "threshold")]
    pub(crate) below: Option<String>,
    /// Give each pixel the most frequent label in a square around it, of an odd width
    #[arg(long, value_name = "PX", value_parser = parse_majority)]
    pub(crate) majority: Option<Majority>,
    /// Fill regions below this size that one class encloses: pixels, or an area such as 200m2 or 0.5ha
    #[arg(long, value_name = "AREA")]
    pub(crate) fill_holes: Option<Amount>,
    /// Give regions below this size the class with which they share the longest border: pixels, or an area
    #[arg(long, value_name = "AREA")]
    pub(crate) sieve: Option<Amount>,
    /// Which pixels are one region for `--fill-holes` and `--sieve`: those that share edges (4), or corners, too (8)
    #[arg(long, value_name = "4|8", default_value = "4", value_parser = parse_connectivity)]
    pub(crate) connectivity: Connectivity,
}

/// Which rasters are written beside the labels, and where.
#[derive(Debug, ClapArgs)]
pub(crate) struct LayerArgs {
    /// Also write each class's probability: a file, or a folder for several scenes
    #[arg(long, value_name = "PATH")]
    pub(crate) probabilities: Option<Location>,
    /// How probabilities are stored
    #[arg(long, value_enum, value_name = "TYPE", default_value_t, requires = "probabilities")]
    pub(crate) probability_type: ProbabilityType,
    /// Also write the label's probability in 8 bits: a file, or a folder for several scenes
    #[arg(long, value_name = "PATH")]
    pub(crate) confidence: Option<Location>,
}

/// Which rasters are written beside the labels, under names that follow from the scene's.
#[derive(Debug, ClapArgs)]
pub(crate) struct LayerFlags {
    /// Also write each class's probability: `NAME_probabilities.tif`
    #[arg(long)]
    pub(crate) probabilities: bool,
    /// How probabilities are stored
    #[arg(long, value_enum, value_name = "TYPE", default_value_t, requires = "probabilities")]
    pub(crate) probability_type: ProbabilityType,
    /// Also write the label's probability in 8 bits: `NAME_confidence.tif`
    #[arg(long)]
    pub(crate) confidence: bool,
}

/// What only volumes have.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Volumes")]
pub(crate) struct VolumeArgs {
    /// Of the DICOM series in a folder, the one with this `SeriesInstanceUID`
    #[arg(long, value_name = "UID")]
    pub(crate) series: Option<String>,
    /// Of a file with several volumes, the one with this number, from 0
    #[arg(long, value_name = "N")]
    pub(crate) frame: Option<usize>,
    /// What is done about DICOM slices that are missing, or not equally far apart
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    pub(crate) gaps: GapsChoice,
    /// Take what CT images without slope and intercept store for Hounsfield units; without it they are an error
    #[arg(long)]
    pub(crate) assume_hounsfield: bool,
    /// Take DICOM images that do not say where they lie for a stack in the order of their numbers (or of their files' names): the first pixel at 0, rows towards the left, columns towards the back, 1 mm apart where nothing else is said; without it they are an error
    #[arg(long)]
    pub(crate) assume_place: bool,
    /// Which connected components of each class but the first, the background, keep their label
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    pub(crate) keep: Kept,
    /// Give smaller components of each class but the first the first one's label
    #[arg(long, value_name = "MM3", value_parser = parse_volume_mm3)]
    pub(crate) min_size: Option<f64>,
    /// Give background that one class encloses its label
    #[arg(long)]
    pub(crate) fill_cavities: bool,
    /// Write how much of each volume each class has, in voxels and millilitres, as CSV
    #[arg(long, value_name = "PATH")]
    pub(crate) csv: Option<PathBuf>,
}

/// What is done about DICOM slices that are missing, or not equally far apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum GapsChoice {
    /// They are an error
    #[default]
    Refuse,
    /// Missing slices are made up by linear interpolation between those beside the gap
    Fill,
    /// All slices are interpolated linearly at equal distances
    Resample,
}

/// How stores are reached.
#[derive(Debug, ClapArgs)]
pub(crate) struct RemoteArgs {
    /// Do not sign requests: for public buckets. Credentials and endpoints come from the environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`)
    #[arg(long)]
    pub(crate) anonymous: bool,
    /// Folder for what is made before it goes to a store, and for copies of volumes that are in one; an unfinished run goes on from there [default: `$XDG_STATE_HOME/swath`, else `~/.local/state/swath`]
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
}

/// How the network's values are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PrecisionChoice {
    /// 32-bit floating point
    F32,
    /// 16 bits; on the CPU for processors that multiply them (`avx512_bf16`): 0.6 of the time; scores of trained networks changed by up to 7e-2, the labels of 1 pixel in 1,700 or fewer
    Bf16,
    /// 16 bits with more digits and a smaller range; on CUDA only
    F16,
    /// 32 bits, of which CUDA multiplies the highest 19; on CUDA only
    Tf32,
}

/// How probabilities are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProbabilityType {
    /// 32-bit floating point, NaN where there is no data
    #[default]
    F32,
    /// 8 bits in steps of 1/254 with the band's scale set, 255 where there is no data
    U8,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressStyle {
    /// A bar on a terminal, spaced log lines elsewhere
    #[default]
    Auto,
    /// A bar
    Bar,
    /// One JSON object a line on standard error; of the log, only warnings and errors
    Json,
    /// Nothing
    None,
}
