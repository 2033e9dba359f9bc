//! A scene whose pixels are labelled, and whose files are still to be made.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ledger::{self, Durability, Ledger};
use crate::pipeline::Observer;
use crate::product::{Complete, Product, Sinks};
use crate::sink::{CompleteLabels, CompleteLayer, Temporary, suffixed};
use crate::{Error, LabelSummary, Outputs, Result, Stage, Timings};

/// What a run made.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The label raster.
    pub path: PathBuf,
    /// Pixels of every class.
    pub labels: LabelSummary,
    /// The STAC item beside it.
    pub item: PathBuf,
    /// All files that were made: the label raster, what GIS read beside it, layers, and the STAC item last.
    pub files: Vec<PathBuf>,
    /// Where the time went.
    pub timings: Timings,
}

/// A scene whose pixels are all labelled: the network has run, and what it gave is in scratch files beside the outputs. [`Labelled::finish`] makes the
/// outputs, on whatever thread, while the next scene may be labelled.
///
/// Dropped unfinished, it leaves what the same run goes on with.
#[derive(Debug)]
#[must_use = "nothing is published before `finish`"]
pub struct Labelled {
    pub(crate) scene: PathBuf,
    pub(crate) product: Product,
    pub(crate) outputs: Outputs,
    pub(crate) sinks: Sinks,
    pub(crate) ledger: Ledger,
    pub(crate) run: ledger::Run,
    /// `swath:shard` of the item, if this is a shard.
    pub(crate) shard: Option<Value>,
    pub(crate) timings: Timings,
    /// Time spent so far.
    pub(crate) spent: Duration,
}

impl Labelled {
    /// Makes the rasters with their overviews, verifies them, and publishes them with their STAC item, the labels last but for the item: where that
    /// is, everything is.
    ///
    /// # Errors
    /// If a file cannot be written, what is read back is not what was written, something exists that must stay, or the observer cancels.
    pub fn finish(self, observer: &dyn Observer) -> Result<Report> {
        self.finish_then(observer, |_| Ok(()))
    }

    /// The same; when everything has its name, `then` is called. Until it has returned, nobody else can begin to write the outputs, and what exists of
    /// them is this run's own, should it be killed.
    ///
    /// # Errors
    /// As [`Labelled::finish`], or if `then` fails.
    pub fn finish_then(self, observer: &dyn Observer, then: impl FnOnce(&Report) -> Result<()>) -> Result<Report> {
        let kept = self.ledger.is_worth_keeping().then(|| self.outputs.labels.clone());
        let report = self.publish(observer, then);
        if let (Err(_), Some(labels)) = (&report, kept) {
            say_kept(&labels);
        }
        report
    }

    fn publish(self, observer: &dyn Observer, then: impl FnOnce(&Report) -> Result<()>) -> Result<Report> {
        let started = Instant::now();
        let Self { scene, product, outputs, sinks, mut ledger, run, shard, timings, spent } = self;
        let go_on = || if observer.is_cancelled() { Err(Error::Cancelled { path: scene.clone() }) } else { Ok(()) };
        let Complete { labels: CompleteLabels { output: labels, summary, mut scratches }, layers } =
            sinks.complete(&product.steps, go_on)?;
        let item = product.describe(&outputs, &summary, shard.as_ref())?;
        // From here on, what has its name is this run's own, should it be killed between two of them.
        outputs.refuse()?;
        if ledger.entries().is_none() {
            ledger.begin(run, Durability::Process)?;
        }
        ledger.enter(ledger::Stage::Publishing)?;
        for CompleteLayer { output, scratch } in layers {
            scratches.push(scratch);
            output.publish()?;
        }
        labels.publish()?;
        item.publish()?;
        let files = files(&outputs);
        sync_folders(&files)?;
        let finishing = Stage { threads: 1, busy: started.elapsed(), ..Stage::default() };
        let timings = Timings { finishing, total: spent + started.elapsed(), ..timings };
        let report = Report { path: outputs.labels.clone(), labels: summary, item: outputs.item(), files, timings };
        then(&report)?;
        ledger.enter(ledger::Stage::Published)?;
        scratches.into_iter().try_for_each(Temporary::remove)?;
        ledger.forget()?;
        Ok(report)
    }
}

/// Says that a run that failed can go on.
pub(crate) fn say_kept(labels: &Path) {
    tracing::warn!("{}: what is done so far is kept; the same command goes on from there", labels.display());
}

fn files(outputs: &Outputs) -> Vec<PathBuf> {
    let mut files = outputs.rasters();
    files.insert(1, suffixed(&outputs.labels, ".aux.xml"));
    files.push(outputs.item());
    files
}

/// Waits until the names of files are on the disk.
pub(crate) fn sync_folders(files: &[PathBuf]) -> Result<()> {
    let mut folders: Vec<&Path> = files.iter().filter_map(|file| file.parent()).collect();
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| Error::File {
            action: "write",
            path: folder.to_owned(),
            source,
        })?;
    }
    Ok(())
}
