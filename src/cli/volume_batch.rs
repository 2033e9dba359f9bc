//! `swath batch` on volumes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::json;
use swath::batch::Patience;
use swath::plan::PlanRequest;
use swath::volume::{ClassVolume, VolumeFiles, VolumeSegmenter, csv};
use swath::{Error, Existing, Location, write_text};

use super::args::BatchArgs;
use super::fail::{self, AnyError, Exit};
use super::progress::Progress;
use super::volume::{create_folder, name_of, open, refuse};
use super::volume_place::VolumePlace;
use super::{interrupt, print};

/// Labels many volumes, `--jobs` at once; those that were labelled before are left alone.
pub(super) fn run(args: &BatchArgs, volumes: &[Location]) -> Result<Exit, AnyError> {
    let segmenter = open(&args.models, &args.refine, &args.tiles)?;
    if let Location::Local(folder) = &args.output {
        create_folder(folder)?;
    }
    let request = args.tiles.request(args.layers.layers())?;
    // Of what the batch may hold, an equal share.
    let request = PlanRequest { max_memory: request.max_memory / args.jobs, ..request };
    let cases =
        Cases { args, segmenter: &segmenter, request, volumes, owners: owners(args, volumes)?, failed: AtomicUsize::new(0) };
    let is_own = |place: &usize| args.shard.is_none_or(|shard| place % shard.count() == shard.index() - 1);
    let own: Vec<usize> = (0..volumes.len()).filter(is_own).collect();
    let started = Instant::now();
    let outcomes = cases.label(&own);
    if interrupt::is_interrupted() {
        // The first that was broken off or not begun; a batch whose last volume was finished nevertheless is done.
        let is_ended =
            |place: &&usize| outcomes.iter().any(|(tried, outcome)| tried == *place && !matches!(outcome, Outcome::Interrupted));
        if let Some(place) = own.iter().find(|place| !is_ended(place)) {
            return Err(Error::Cancelled { path: volumes[*place].shown() }.into());
        }
    }
    let (mut done, mut skipped, mut failed, mut tables) = (0, 0, 0, Vec::new());
    for (place, outcome) in outcomes {
        match outcome {
            Outcome::Labelled(classes) => {
                done += 1;
                tables.push((volumes[place].shown(), classes));
            }
            Outcome::Skipped(classes) => {
                skipped += 1;
                tables.push((volumes[place].shown(), classes));
            }
            Outcome::Failed => failed += 1,
            Outcome::Interrupted => {}
        }
    }
    if let Some(path) = &args.volume.csv {
        // What it says is known anew after each run.
        write_text(path, &csv(tables.iter().map(|(path, classes)| (path.clone(), classes.as_slice()))), Existing::Overwrite)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        print::line(json!({ "done": done, "skipped": skipped, "failed": failed, "seconds": seconds }))?;
    } else {
        let facts = [("done", done), ("skipped", skipped), ("failed", failed)].map(|(name, count)| (name, count.to_string()));
        print::facts(&facts)?;
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::SomeFailed })
}

/// Where the labels of a volume go: under its own name, without its ending.
fn labels_of(args: &BatchArgs, volume: &Location) -> swath::Result<Location> {
    args.output.join(&format!("{}.nii.gz", name_of(volume)))
}

/// The first volume of those whose labels go to each place: also where it is another shard's.
fn owners(args: &BatchArgs, volumes: &[Location]) -> swath::Result<HashMap<PathBuf, usize>> {
    let mut owners = HashMap::new();
    for (place, volume) in volumes.iter().enumerate() {
        owners.entry(labels_of(args, volume)?.shown()).or_insert(place);
    }
    Ok(owners)
}

/// What became of a volume.
enum Outcome {
    Labelled(Vec<ClassVolume>),
    /// An earlier run had labelled it.
    Skipped(Vec<ClassVolume>),
    /// It was said why.
    Failed,
    /// The user stopped it.
    Interrupted,
}

/// The volumes of a batch.
struct Cases<'a> {
    args: &'a BatchArgs,
    segmenter: &'a VolumeSegmenter,
    request: PlanRequest,
    volumes: &'a [Location],
    owners: HashMap<PathBuf, usize>,
    failed: AtomicUsize,
}

impl Cases<'_> {
    /// Labels the volumes at these places, several at once, and says what became of those that were tried, in order.
    fn label(&self, places: &[usize]) -> Vec<(usize, Outcome)> {
        let next = AtomicUsize::new(0);
        let outcomes = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..self.args.jobs.get().min(places.len()) {
                scope.spawn(|| {
                    while let Some(place) =
                        self.goes_on().then(|| next.fetch_add(1, Ordering::Relaxed)).and_then(|n| places.get(n))
                    {
                        let outcome = self.one(*place);
                        let mut outcomes = outcomes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        outcomes.push((*place, outcome));
                    }
                });
            }
        });
        let mut outcomes = outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        outcomes.sort_by_key(|(place, _)| *place);
        outcomes
    }

    /// Whether another volume is begun.
    fn goes_on(&self) -> bool {
        let failed = self.failed.load(Ordering::Relaxed);
        let is_enough = matches!(self.args.patience(), Patience::Failures(most) if failed > most);
        !is_enough && !interrupt::is_interrupted()
    }

    fn one(&self, place: usize) -> Outcome {
        match self.try_one(place) {
            Ok(outcome) => outcome,
            Err(Error::Cancelled { .. }) => Outcome::Interrupted,
            Err(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                fail::report(&error);
                Outcome::Failed
            }
        }
    }

    /// Labels a volume, unless that was done before.
    fn try_one(&self, number: usize) -> swath::Result<Outcome> {
        let Self { args, segmenter, volumes, .. } = self;
        let volume = &volumes[number];
        let labels = labels_of(args, volume)?;
        if let Some(first) = self.owners.get(&labels.shown()).filter(|first| **first != number) {
            return Err(Error::SameOutput { first: volumes[*first].shown(), second: volume.shown(), output: labels.shown() });
        }
        refuse(&args.tiles, volume)?;
        let beside = || args.output.join(&format!("{}_probabilities.nii.gz", name_of(volume)));
        let probabilities = args.layers.probabilities.then(beside).transpose()?;
        let existing = if args.overwrite { Existing::Overwrite } else { Existing::Refuse };
        let scratch = args.remote.scratch();
        let place = VolumePlace::new(labels, probabilities.as_ref(), args.volume.after(), existing, &scratch)?;
        let volume = segmenter.volume(VolumeFiles::fetch(volume, &scratch)?, &args.volume.choice())?;
        let plan = segmenter.plan(&volume, &self.request, args.volume.after())?;
        if let Some(classes) = place.finished(segmenter, &volume, &plan)? {
            tracing::info!("{}: labelled before", place.labels);
            return Ok(Outcome::Skipped(classes));
        }
        place.check(segmenter, &volume, &plan)?;
        let progress = Progress::new(args.progress, volume.location().to_string(), &plan);
        let report = place.run(segmenter, &volume, &plan, &progress);
        progress.finish(&report);
        let report = report?;
        tracing::info!("{}: {:.1} s", report.path.display(), progress.seconds());
        Ok(Outcome::Labelled(report.classes))
    }
}
