//! The command line: what was typed becomes a job, the engine runs it.

mod args;
mod batch;
mod bytes;
mod demo;
mod evaluate;
mod fail;
mod figures;
mod import;
mod interrupt;
mod log;
mod merge;
mod model;
mod model_list;
mod parse;
mod plan;
mod print;
mod progress;
mod request;
mod segment;
mod timings;
mod train;
mod volume;
mod words;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use fail::Exit;

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let args = Args::parse();
    log::start(&args);
    let result = match &args.command {
        Command::Segment(args) => segment::run(args),
        Command::Batch(args) => batch::run(args),
        Command::Merge(args) => merge::run(args),
        Command::Plan(args) => plan::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Model(args) => model::run(args),
        Command::Train(args) => train::run(args),
        Command::Demo(args) => demo::run(args),
    };
    match result {
        Ok(exit) => exit.code(),
        Err(error) => {
            fail::report(error.as_ref());
            Exit::of(error.as_ref()).code()
        }
    }
}
