//! What was typed.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgAction, Args as ClapArgs, Parser, Subcommand, ValueEnum};
use swath::evaluate::Palette;
use swath::plan::BlendChoice;
use swath::refine::{Amount, CrfChoice, Threshold};
use swath::source::BandRequest;
use swath::volume::Kept;
use swath::{Device, Location, Shard};
use swath_models::{Augmentation, Class, CrfSettings, Scaling, VolumeInput};
use swath_refine::{Connectivity, Majority};
use swath_tiling::Window;

use super::bytes::parse_bytes;
use super::parse::{
    Overlap, TrainDevice, ValueMap, Workers, parse_class, parse_connectivity, parse_crf, parse_crf_settings, parse_device,
    parse_gsd, parse_majority, parse_map, parse_overlap, parse_palette, parse_scaling, parse_train_device, parse_volume,
    parse_volume_mm3, parse_window, parse_workers,
};

/// Label every pixel of rasters too large for memory.
///
/// Exit codes: 0 all labelled, 1 some rasters failed (the others are finished), 2 could not start, 130 interrupted. Standard output is data;
/// logs and the progress bar go to standard error.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Args {
    /// More messages (twice: even more); `RUST_LOG` overrides
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Label scenes: the main job
    Segment(SegmentArgs),
    /// Label many scenes: those of a list, a STAC item collection or a prefix. Run again, it goes on
    Batch(BatchArgs),
    /// Make one product of the shards that `segment --shard` labelled: byte for byte that of one process
    Merge(MergeArgs),
    /// Show what `segment` would do: tiles, overlap, memory, operations, bytes; nothing is run
    Plan(PlanArgs),
    /// Compare a label raster with a reference: confusion matrix, accuracy, per-class figures, calibration, areas
    Evaluate(EvaluateArgs),
    /// Make, look at, check and convert model folders
    Model(ModelArgs),
    /// Train a network on labelled scenes, as a recipe says
    Train(TrainArgs),
    /// Generate a scene with known truth, label it with the bundled model, and score the labels
    Demo(DemoArgs),
}

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
    /// Folder for what is made before it goes to a store; an unfinished run goes on from there [default: `$XDG_STATE_HOME/swath`, else `~/.local/state/swath`]
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

#[derive(Debug, ClapArgs)]
pub(crate) struct SegmentArgs {
    /// Scenes, in any format that GDAL reads: files, or URIs (`s3://`, `gs://`, `az://`, `abfs://`, `https://`); or volumes: `NIfTI` files, DICOM
    /// folders
    #[arg(required = true, value_name = "SCENE")]
    pub(crate) scenes: Vec<Location>,
    #[command(flatten)]
    pub(crate) models: ModelArg,
    /// Label raster (of a volume, `.nii` or `.nii.gz`, or `.dcm` for a segmentation of DICOM images), or a folder for several scenes: a path, or a URI in a store
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Location,
    /// Replace outputs that are there already, and begin anew where a run of another model, scene or option is unfinished
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Label only part K of N, into files of its own beside the output; `swath merge` makes one of them. Any machine may label any part
    #[arg(long, value_name = "K/N")]
    pub(crate) shard: Option<Shard>,
    /// Of one volume: also draw three orthogonal slices with the labels over them
    #[arg(long, value_name = "PNG", help_heading = "Volumes")]
    pub(crate) quick_look: Option<PathBuf>,
    /// How progress is shown
    #[arg(long, value_enum, value_name = "STYLE", default_value_t)]
    pub(crate) progress: ProgressStyle,
    /// Print the result as JSON, an object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Also print where the time went, stage by stage
    #[arg(long)]
    pub(crate) timings: bool,
    #[command(flatten)]
    pub(crate) tiles: TileArgs,
    #[command(flatten)]
    pub(crate) refine: RefineArgs,
    #[command(flatten)]
    pub(crate) layers: LayerArgs,
    #[command(flatten)]
    pub(crate) volume: VolumeArgs,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BatchArgs {
    /// Scenes: a text file with a path or URI per line, a STAC item or item collection (JSON), or a folder or prefix that ends with `/`. Or volumes: a folder
    /// of `NIfTI` files and DICOM folders, or a text file that names them
    #[arg(value_name = "MANIFEST")]
    pub(crate) manifest: Location,
    #[command(flatten)]
    pub(crate) models: ModelArg,
    /// Of STAC items, only the assets with this key; may be given several times [default: those that have the model's bands]
    #[arg(long, value_name = "KEY", conflicts_with = "asset_role")]
    pub(crate) asset: Vec<String>,
    /// Of STAC items, only the assets with this role
    #[arg(long, value_name = "ROLE")]
    pub(crate) asset_role: Option<String>,
    /// Of a folder or prefix, only the files that fit, such as `*.tif` or `2024/**/*_TCI.jp2` [default: .tif, .tiff, .jp2 and .vrt]
    #[arg(long, value_name = "GLOB")]
    pub(crate) pattern: Option<String>,
    /// Folder or prefix of the products: a path, or a URI in a store
    #[arg(short, long, value_name = "URI")]
    pub(crate) output: Location,
    /// Replace products of another model, input or option; without it, they are refused
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Scenes that are labelled at once: while some wait for a store or are written, others compute. They share `--max-memory`
    #[arg(long, value_name = "N", default_value = "2")]
    pub(crate) jobs: NonZeroUsize,
    /// Begin no further scene after the first one that fails
    #[arg(long, conflicts_with = "max_failures")]
    pub(crate) fail_fast: bool,
    /// Begin no further scene when more than so many have failed [default: try all]
    #[arg(long, value_name = "N")]
    pub(crate) max_failures: Option<usize>,
    /// Every N-th scene only, from the K-th on: any number of machines share a manifest without talking to each other
    #[arg(long, value_name = "K/N")]
    pub(crate) shard: Option<Shard>,
    /// How progress is shown
    #[arg(long, value_enum, value_name = "STYLE", default_value_t)]
    pub(crate) progress: ProgressStyle,
    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) tiles: TileArgs,
    #[command(flatten)]
    pub(crate) refine: RefineArgs,
    #[command(flatten)]
    pub(crate) layers: LayerFlags,
    #[command(flatten)]
    pub(crate) volume: VolumeArgs,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct MergeArgs {
    /// Label raster to make, as it was given to `segment --shard`: a path, or a URI in a store
    pub(crate) output: Location,
    /// Keep the shards
    #[arg(long)]
    pub(crate) keep: bool,
    /// Replace outputs that are there already
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PlanArgs {
    /// Scenes, in any format that GDAL reads: files, or URIs (`s3://`, `gs://`, `az://`, `abfs://`, `https://`); or volumes: `NIfTI` files, DICOM
    /// folders
    #[arg(required = true, value_name = "SCENE")]
    pub(crate) scenes: Vec<Location>,
    #[command(flatten)]
    pub(crate) models: ModelArg,
    /// Print the plan as JSON, an object a line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) tiles: TileArgs,
    #[command(flatten)]
    pub(crate) refine: RefineArgs,
    #[command(flatten)]
    pub(crate) layers: LayerArgs,
    #[command(flatten)]
    pub(crate) volume: VolumeArgs,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EvaluateArgs {
    /// Label raster; its pixels without data have no label and count as missed. Or a label volume: Dice, HD95 and surface Dice of each class
    pub(crate) prediction: PathBuf,
    /// Reference on the same grid: class values, or colours with `--palette`; its pixels without data do not count
    pub(crate) reference: PathBuf,
    /// Classes, in the order of their values from 0, as NAME or NAME=RRGGBB [default: those that the prediction says it has, else
    /// the reference]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_class)]
    pub(crate) classes: Option<Vec<Class>>,
    /// All values of one raster and the classes that they stand for, such as `reference:1=building,2=building,7=tree`; once for
    /// each raster
    #[arg(long, value_name = "RASTER:VALUE=CLASS,..", value_parser = parse_map)]
    pub(crate) map: Vec<ValueMap>,
    /// Values of the reference that do not count
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_hyphen_values = true, conflicts_with = "palette")]
    pub(crate) ignore: Vec<i64>,
    /// The colours of a reference with three bands: `isprs` (Potsdam and Vaihingen), `classes` (the classes' own), or
    /// NAME=RRGGBB,.. where pixels of the name `ignore` do not count
    #[arg(long, value_name = "PALETTE", value_parser = parse_palette)]
    pub(crate) palette: Option<Palette>,
    /// Also give the figures without pixels from which a disc of this radius in pixels reaches another class of the reference, or
    /// pixels that do not count (ISPRS: 3)
    #[arg(long, value_name = "RADIUS", value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) erode: Option<u8>,
    /// Also give the figures without these classes: left out of the means only, and left out of the reference, where labels that
    /// name them stay wrong
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) without: Vec<String>,
    /// Probabilities of the classes, or of the labels (`--confidence` of `segment`), for the expected calibration error
    #[arg(long, value_name = "PATH")]
    pub(crate) probabilities: Option<PathBuf>,
    /// Also estimate each class's area with its 95 % confidence interval (Olofsson et al. 2014). The intervals only mean
    /// something if the reference is a random sample, stratified by the prediction's classes: neighbouring pixels, and thus
    /// references that cover everything, are none
    #[arg(long)]
    pub(crate) areas: bool,
    /// Of label volumes: how far surfaces may be apart for the surface Dice, in millimetres
    #[arg(long, value_name = "MM", default_value_t = 1.0)]
    pub(crate) surface_tolerance: f64,
    /// Write the result as JSON to a file, or to standard output instead of the tables
    #[arg(long, value_name = "PATH|-")]
    pub(crate) json: Option<PathBuf>,
    /// Draw the confusion matrix
    #[arg(long, value_name = "PATH")]
    pub(crate) png: Option<PathBuf>,
    /// Replace these files where they are there already
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
}

#[derive(Debug, ClapArgs)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct TrainArgs {
    /// Recipe (TOML): scenes, labels, classes, network, loss, optimiser
    pub(crate) recipe: PathBuf,
    /// Model folder to make [default: the recipe's]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Go on where a training of this recipe was stopped or killed; the weights are those of one that was not, bit for bit. Without a checkpoint,
    /// the folder must be empty
    #[arg(long, conflicts_with = "overwrite")]
    pub(crate) resume: bool,
    /// Replace what an earlier training left in the folder
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Show what would be learned from, and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Memory that a validation may hold; a quarter of it bounds GDAL's cache [default: half of what is free]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub(crate) max_memory: Option<usize>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// What computes the gradients: `cpu`, `cuda` or `cuda:N` (builds with the feature `candle-cuda`), or `auto`: CUDA if this build and the machine
    /// have it
    #[arg(long, value_name = "auto|cpu|cuda[:N]", default_value = "auto", value_parser = parse_train_device)]
    pub(crate) device: TrainDevice,
    /// How progress is shown
    #[arg(long, value_enum, value_name = "STYLE", default_value_t)]
    pub(crate) progress: ProgressStyle,
    /// Print the result, or with `--dry-run` what would be done, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// Folder for the scene, its truth, the label map and the preview
    #[arg(short, long, value_name = "DIR", default_value = "swath-demo")]
    pub(crate) output: PathBuf,
    /// Replace these files where they are there already
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Seed of the scene: the same seed gives the same scene
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Side of the scene in pixels
    #[arg(long, value_name = "PX", default_value_t = 3000, value_parser = clap::value_parser!(u32).range(64..=100_000))]
    pub(crate) size: u32,
    /// Only write the scene and its truth, such as for training
    #[arg(long)]
    pub(crate) only_scene: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// How progress is shown
    #[arg(long, value_enum, value_name = "STYLE", default_value_t)]
    pub(crate) progress: ProgressStyle,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ModelArgs {
    #[command(subcommand)]
    pub(crate) command: ModelCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// List the networks that `model new` makes: paper, parameters, operations, receptive field, stride
    List(ListArgs),
    /// Make a model folder with random weights: for trials, benches and as the start of training
    New(NewArgs),
    /// Show what a model is: bands, classes, layers, parameters, operations, receptive field
    Inspect(InspectArgs),
    /// Check a model folder: that card, graph and weights agree, and the golden input if there is one
    Check(CheckArgs),
    /// Make a model folder from an ONNX or Keras file, or from weights of PyTorch for a network of Swath's
    Import(ImportArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ListArgs {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct NewArgs {
    /// Name of the network, such as `fcn_resnet50`: `model list` has them all
    pub(crate) network: String,
    /// Channels of every level of a `unet` network, the finest first: as many levels as numbers [default: the network's own]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) widths: Vec<usize>,
    /// How many bands, or their names: `3` or `red,green,blue`
    #[arg(long, value_name = "N|LIST", value_delimiter = ',', required = true)]
    pub(crate) bands: Vec<String>,
    /// How many classes, or their names, with colours if you like: `6` or `water=0000FF,land`
    #[arg(long, value_name = "N|LIST", value_delimiter = ',', required = true)]
    pub(crate) classes: Vec<String>,
    /// How a band's values are scaled, for all bands or once for each [default: none]
    #[arg(long, value_name = "KIND:VALUES", value_parser = parse_scaling)]
    pub(crate) scaling: Vec<Scaling>,
    /// What the network needs of volumes, if it takes any: the object that the card has under `swath:volume`, or a file that holds it
    #[arg(long, value_name = "JSON|FILE", value_parser = parse_volume)]
    pub(crate) volume: Option<VolumeInput>,
    /// Seed of the weights: the same seed gives the same weights
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Folder to make
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct InspectArgs {
    /// Model folder
    pub(crate) model: PathBuf,
    /// List every layer
    #[arg(long)]
    pub(crate) layers: bool,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    /// Model folder
    pub(crate) model: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ImportArgs {
    /// ONNX, Keras HDF5 (.h5, .hdf5), PyTorch `state_dict` (.pt, .pth, .bin) or safetensors
    pub(crate) file: PathBuf,
    /// The network that a file of nothing but weights belongs to, such as `fcn_resnet50`
    #[arg(long, value_name = "NAME")]
    pub(crate) network: Option<String>,
    /// How weights for some bands become those for others, in the first convolution; without it, another number of bands is an error
    #[arg(long, value_enum, value_name = "RULE", requires = "network")]
    pub(crate) adapt_bands: Option<BandRule>,
    /// Folder to make
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Name of the model [default: the file's]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Bands in the order of the network's input: names, or numbers from 1 for a place in the file
    #[arg(long, value_name = "LIST", value_delimiter = ',', required = true)]
    pub(crate) bands: Vec<String>,
    /// How a band's stored values are scaled, for all bands or once for each: `none`, `scale:V` (x / V), `offset:V` (x - V), `min-max:A,B`,
    /// `z-score:MEAN,STDDEV`, `clip:A,B`
    #[arg(long, value_name = "KIND:VALUES", required = true, value_parser = parse_scaling)]
    pub(crate) scaling: Vec<Scaling>,
    /// Classes in the order of the network's output, as NAME or NAME=RRGGBB; a network with one output scores the second of two
    #[arg(long, value_name = "LIST", value_delimiter = ',', required = true, value_parser = parse_class)]
    pub(crate) classes: Vec<Class>,
    /// What the network's output is
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) scores: ScoreKind,
    /// Which output, if the file has several
    #[arg(long, value_name = "NAME")]
    pub(crate) head: Option<String>,
    /// Ground sample distances that the network was trained for, in metres
    #[arg(long, value_name = "MIN,MAX", value_parser = parse_gsd)]
    pub(crate) gsd: Option<swath_models::GsdRange>,
    /// What the network needs of volumes, if it takes any: the object that the card has under `swath:volume`, or a file that holds it
    #[arg(long, value_name = "JSON|FILE", value_parser = parse_volume)]
    pub(crate) volume: Option<VolumeInput>,
    /// The CRF that the model asks for: `default`, or NAME=VALUE,.. as for `segment`, which may say otherwise
    #[arg(long, value_name = "CRF", value_parser = parse_crf_settings, conflicts_with = "volume")]
    pub(crate) crf: Option<CrfSettings>,
    /// Classes that are never given as a label, by name
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) drop: Vec<String>,
    /// Safetensors file with an `input` and the `output` that another implementation gives, for `model check`
    #[arg(long, value_name = "FILE")]
    pub(crate) golden: Option<PathBuf>,
}

/// How weights for some bands become those for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BandRule {
    /// The file's bands over and over, scaled by their number over that of the network's
    Repeat,
    /// Their mean for every band, scaled alike
    Mean,
    /// The file's bands first, zeros for further ones
    Zero,
}

/// What a network's output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScoreKind {
    /// Logits: a softmax (a sigmoid for one output) makes them probabilities
    Logits,
    /// Probabilities
    Probabilities,
}
