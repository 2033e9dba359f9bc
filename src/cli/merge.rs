//! `swath merge`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use swath::{Error, Existing, Location, Observer, Report, Shards, Target, merge};

use super::args::MergeArgs;
use super::fail::{AnyError, Exit};
use super::{interrupt, print};

pub(super) fn run(args: &MergeArgs) -> Result<Exit, AnyError> {
    interrupt::watch()?;
    args.remote.set_up();
    let existing = if args.overwrite { Existing::Overwrite } else { Existing::Refuse };
    let shards = if args.keep { Shards::Keep } else { Shards::Remove };
    let folder = args.output.parent();
    let report = match &args.output {
        Location::Local(path) => merge(path, existing, shards, &Interruptible)?,
        Location::Remote(_) => merge_in_store(args, existing, shards)?,
    };
    let made = |path: &PathBuf| folder.join(&Location::from(path).file_name()).map(|location| location.shown());
    let files = report.files.iter().map(made).collect::<swath::Result<Vec<_>>>()?;
    let line = if args.json {
        json!({ "labels": args.output.shown(), "item": made(&report.item)?, "files": files }).to_string()
    } else {
        args.output.to_string()
    };
    print::line(line).map_err(|source| Error::File { action: "write", path: "standard output".into(), source })?;
    Ok(Exit::Done)
}

/// Brings the shards here, merges them, and takes what they became there.
fn merge_in_store(args: &MergeArgs, existing: Existing, shards: Shards) -> swath::Result<Report> {
    let target = Target::new(&args.output, &args.remote.scratch());
    target.create()?;
    let labels = target.made(&args.output.file_name());
    let files = [labels.clone(), labels.with_extension("json")];
    target.refuse(&files, &[], existing)?;
    let folder = args.output.parent();
    let begins = format!("{}.shard-", args.output.file_stem());
    let mut names = BTreeSet::new();
    for entry in folder.list()?.into_iter().filter(|entry| entry.name.starts_with(&begins)) {
        let path = target.made(&entry.name);
        folder.join(&entry.name)?.download(&path)?;
        // Layers have names of their own, which the item tells.
        let item: Option<Value> = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let assets = item.iter().filter_map(|item| item["assets"].as_object()).flat_map(|assets| assets.values());
        names.extend(assets.filter_map(|asset| asset["href"].as_str()?.strip_prefix("./").map(str::to_owned)));
        names.insert(entry.name);
    }
    for name in &names {
        let path = target.made(name);
        if !path.exists() {
            folder.join(name)?.download(&path)?;
        }
    }
    let report = merge(&labels, Existing::Overwrite, Shards::Keep, &Interruptible)?;
    target.deliver(&report.files, existing)?;
    if shards == Shards::Remove {
        names.iter().try_for_each(|name| folder.join(name)?.delete())?;
    }
    target.clear()?;
    Ok(report)
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
