//! Of `swath train`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::options::ProgressStyle;
use crate::cli::bytes::parse_bytes;
use crate::cli::parse::{TrainDevice, parse_train_device};

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
