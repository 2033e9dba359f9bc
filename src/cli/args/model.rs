//! Of `swath model`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use swath_models::{Class, CrfSettings, Scaling, VolumeInput};

use crate::cli::parse::{parse_class, parse_crf_settings, parse_gsd, parse_scaling, parse_volume};

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
