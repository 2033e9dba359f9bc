//! `swath batch`.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use serde_json::json;
use swath::batch::{Batch, BatchObserver, Outcome, Patience, Summary};
use swath::manifest::{AssetChoice, Manifest, ManifestOptions};
use swath::plan::Plan;
use swath::volume::{VolumeBatch, csv, volumes_of};
use swath::{Error, Existing, Location, Segmenter, check_files, write_text};

use super::args::{BatchArgs, ProgressStyle};
use super::bytes::show_bytes;
use super::fail::{self, AnyError, Exit};
use super::progress::{Due, add_bar, suspended};
use super::{interrupt, print, volume};

pub(super) fn run(args: &BatchArgs) -> Result<Exit, AnyError> {
    interrupt::watch()?;
    args.remote.set_up();
    if let Some(volumes) = volumes_of(&args.manifest, args.pattern.as_deref())? {
        return label_volumes(args, &volumes);
    }
    args.volume.refuse_for_scenes()?;
    let segmenter = args.models.open(args.tiles.computing(), &args.refine)?;
    let mut scenes = Manifest::read(&args.manifest, &args.options(), &args.bands(&segmenter))?.scenes;
    if args.output.is_within(&args.manifest) {
        // Products of an earlier run are no scenes.
        let is_product = |location: &Location| location.is_within(&args.output);
        scenes.retain(|scene| scene.as_ref().map_or(true, |scene| !scene.input.locations().into_iter().all(is_product)));
    }
    let progress = Progress::new(args, "scenes", scenes.len());
    let batch = Batch {
        segmenter: &segmenter,
        output: args.output.clone(),
        scratch: args.remote.scratch(),
        request: args.tiles.request(args.layers.layers())?,
        bands: args.tiles.bands.clone(),
        existing: args.existing(),
        jobs: args.jobs,
        area: args.tiles.area(),
        patience: args.patience(),
        shard: args.shard,
    };
    let summary = batch.run(scenes, &progress);
    progress.clear();
    end(args, &summary?)
}

/// Labels volumes rather than scenes.
fn label_volumes(args: &BatchArgs, volumes: &[Location]) -> Result<Exit, AnyError> {
    volume::refuse(&args.tiles, &args.manifest)?;
    if !args.asset.is_empty() || args.asset_role.is_some() {
        return Err("expected STAC items for --asset and --asset-role, got volumes".into());
    }
    if let Some(path) = &args.volume.csv {
        check_files(std::slice::from_ref(path), Existing::Overwrite)?;
    }
    let segmenter = volume::open(&args.models, &args.refine, &args.tiles)?;
    let progress = Progress::new(args, "volumes", volumes.len());
    let batch = VolumeBatch {
        segmenter: &segmenter,
        output: args.output.clone(),
        scratch: args.remote.scratch(),
        request: args.tiles.request(args.layers.layers())?,
        choice: args.volume.choice(),
        after: args.volume.after(),
        existing: args.existing(),
        jobs: args.jobs,
        patience: args.patience(),
        shard: args.shard,
    };
    let report = batch.run(volumes, &progress);
    progress.clear();
    let report = report?;
    let exit = end(args, &report.summary)?;
    if let Some(path) = &args.volume.csv {
        let rows = report.classes.iter().map(|of| (of.volume.shown(), of.classes.as_slice()));
        // What it says is known anew after each run.
        write_text(path, &csv(rows), Existing::Overwrite)?;
    }
    Ok(exit)
}

/// Prints what became of a batch, and says so to whoever started it.
fn end(args: &BatchArgs, summary: &Summary) -> Result<Exit, AnyError> {
    let shown = if args.json { print::line(summary.as_json()) } else { show(summary) };
    shown.map_err(|source| Error::File { action: "write", path: "standard output".into(), source })?;
    Ok(match () {
        () if interrupt::is_interrupted() => Exit::Interrupted,
        () if summary.failed.is_empty() => Exit::Done,
        () => Exit::SomeFailed,
    })
}

impl BatchArgs {
    /// What of the manifest is taken.
    fn options(&self) -> ManifestOptions {
        let assets = match &self.asset_role {
            Some(role) => AssetChoice::Role(role.clone()),
            None if self.asset.is_empty() => AssetChoice::All,
            None => AssetChoice::Keys(self.asset.clone()),
        };
        ManifestOptions { assets, pattern: self.pattern.clone() }
    }

    /// The names of the bands that are looked for in items.
    fn bands(&self, segmenter: &Segmenter) -> Vec<String> {
        match &self.tiles.bands {
            Some(bands) => bands.iter().map(ToString::to_string).collect(),
            None => segmenter.bands().to_vec(),
        }
    }

    fn existing(&self) -> Existing {
        if self.overwrite { Existing::Overwrite } else { Existing::Refuse }
    }

    fn patience(&self) -> Patience {
        match self.max_failures {
            _ if self.fail_fast => Patience::Failures(0),
            Some(most) => Patience::Failures(most),
            None => Patience::Endless,
        }
    }
}

/// Prints what became of a batch.
fn show(summary: &Summary) -> io::Result<()> {
    let seconds = summary.elapsed.as_secs_f64();
    let area = summary.km2_per_second().map(|speed| format!(", {speed:.3} km2/s")).unwrap_or_default();
    let mut facts = vec![
        ("done", summary.done.to_string()),
        ("skipped", format!("{} (done before)", summary.skipped)),
        ("failed", summary.failed.len().to_string()),
    ];
    if summary.left > 0 {
        facts.push(("left", summary.left.to_string()));
    }
    facts.extend([
        ("time", format!("{seconds:.1} s")),
        ("speed", format!("{:.2} Mpx/s{area}", summary.megapixels_per_second())),
        ("read", show_bytes(summary.traffic.bytes_read)),
        ("written", show_bytes(summary.traffic.bytes_written)),
        ("requests", format!("{}, {} of them tried again", summary.traffic.requests, summary.traffic.failures)),
    ]);
    print::facts(&facts)?;
    for failure in &summary.failed {
        print::line(format!("failed: {}: {}", failure.name, failure.error.with_causes()))?;
    }
    Ok(())
}

/// Shows how far a batch is, and hears of Ctrl-C.
struct Progress {
    style: ProgressStyle,
    /// What it is that is labelled: scenes or volumes.
    noun: &'static str,
    all: usize,
    ended: AtomicUsize,
    failed: AtomicUsize,
    pixels: AtomicUsize,
    started: Instant,
    bar: Option<ProgressBar>,
    due: Mutex<Due>,
}

impl Progress {
    /// Of so many, of which a shard has a part.
    fn new(args: &BatchArgs, noun: &'static str, all: usize) -> Self {
        let all = (0..all).filter(|place| args.shard.is_none_or(|shard| shard.has(*place))).count();
        let style = match args.progress {
            ProgressStyle::Auto if io::stderr().is_terminal() => ProgressStyle::Bar,
            style => style,
        };
        let template = format!("{{bar:32}} {{pos}}/{{len}} {noun}  {{msg}}  {{eta}} left");
        Self {
            style,
            noun,
            all,
            ended: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            pixels: AtomicUsize::new(0),
            started: Instant::now(),
            bar: (style == ProgressStyle::Bar).then(|| add_bar(all as u64, &template, "")),
            due: Due::new(Duration::from_secs(5), Duration::from_secs(5)),
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Labelled megapixels per second.
    fn rate(&self) -> f64 {
        self.pixels.load(Ordering::Relaxed) as f64 / 1e6 / self.started.elapsed().as_secs_f64().max(1e-9)
    }
}

/// Writes a line of progress.
fn show_event(event: &serde_json::Value) {
    suspended(|| {
        // Whoever reads progress may go away; the batch goes on.
        let _ = writeln!(io::stderr(), "{event}");
    });
}

impl BatchObserver for Progress {
    fn started(&self, scene: &str, plan: &Plan) {
        tracing::debug!("{scene}: {} in {} tiles", plan.layout.window.size(), plan.tiles());
    }

    fn tile_done(&self, pixels: usize) {
        self.pixels.fetch_add(pixels, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} failed, {:.2} Mpx/s", self.failed.load(Ordering::Relaxed), self.rate()));
        }
    }

    fn ended(&self, scene: &str, outcome: &Outcome) {
        let ended = self.ended.fetch_add(1, Ordering::Relaxed) + 1;
        let word = match outcome {
            Outcome::Labelled(_) => "done",
            Outcome::Skipped => "skipped",
            Outcome::Failed(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!("{scene}: {}", error.with_causes());
                fail::show_hint(error);
                "failed"
            }
        };
        let failed = self.failed.load(Ordering::Relaxed);
        match self.style {
            ProgressStyle::Bar => self.bar.iter().for_each(|bar| bar.inc(1)),
            ProgressStyle::Json => show_event(&json!({
                "event": "scene",
                "scene": scene,
                "outcome": word,
                "scenes": ended,
                "scenes_total": self.all,
                "failed": failed,
                "mpx_per_s": self.rate(),
                "seconds": self.started.elapsed().as_secs_f64(),
            })),
            ProgressStyle::Auto => {
                if self.due.lock().is_ok_and(|mut due| due.is_due(2)) {
                    tracing::info!("{ended} of {} {}, {failed} failed, {:.2} Mpx/s", self.all, self.noun, self.rate());
                }
            }
            ProgressStyle::None => {}
        }
    }

    fn is_cancelled(&self) -> bool {
        interrupt::is_interrupted()
    }
}
