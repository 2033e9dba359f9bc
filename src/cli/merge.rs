//! `swath merge`.

use serde_json::json;
use swath::{Error, Existing, Observer, Shards, merge};

use super::args::MergeArgs;
use super::fail::{AnyError, Exit};
use super::{interrupt, print};

pub(super) fn run(args: &MergeArgs) -> Result<Exit, AnyError> {
    interrupt::watch()?;
    let existing = if args.overwrite { Existing::Overwrite } else { Existing::Refuse };
    let shards = if args.keep { Shards::Keep } else { Shards::Remove };
    let report = merge(&args.output, existing, shards, &Interruptible)?;
    let line = if args.json {
        json!({ "labels": report.path, "item": report.item, "files": report.files }).to_string()
    } else {
        report.path.display().to_string()
    };
    print::line(line).map_err(|source| Error::File { action: "write", path: "standard output".into(), source })?;
    Ok(Exit::Done)
}

/// Hears of Ctrl-C.
#[derive(Debug)]
struct Interruptible;

impl Observer for Interruptible {
    fn tile_done(&self, _pixels: usize) {}

    fn is_cancelled(&self) -> bool {
        interrupt::is_interrupted()
    }
}
