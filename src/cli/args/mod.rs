//! What was typed.

mod demo;
mod evaluate;
mod label;
mod model;
mod options;
mod train;

use clap::{ArgAction, Parser, Subcommand};

pub(crate) use demo::DemoArgs;
pub(crate) use evaluate::EvaluateArgs;
pub(crate) use label::{BatchArgs, MergeArgs, PlanArgs, SegmentArgs};
pub(crate) use model::{BandRule, CheckArgs, ImportArgs, InspectArgs, ListArgs, ModelArgs, ModelCommand, NewArgs, ScoreKind};
pub(crate) use options::{
    GapsChoice, LayerArgs, LayerFlags, ModelArg, PrecisionChoice, ProbabilityType, ProgressStyle, RefineArgs, RemoteArgs,
    TileArgs, VolumeArgs,
};
pub(crate) use train::TrainArgs;

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
