//! Of the commands that label, or say how they would.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use swath::{Location, Shard};

use super::options::{LayerArgs, LayerFlags, ModelArg, ProgressStyle, RefineArgs, RemoteArgs, TileArgs, VolumeArgs};

#[derive(Debug, ClapArgs)]
pub(crate) struct SegmentArgs {
    /// Scenes, in any format that GDAL reads: files, or URIs (`s3://`, `gs://`, `az://`, `abfs://`, `https://`); or volumes: `NIfTI` files, DICOM
    /// folders, prefixes that end with `/`
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
    /// or prefix of `NIfTI` files and DICOM folders, or a text file that names them
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
    /// folders, prefixes that end with `/`
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
