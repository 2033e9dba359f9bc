//! `swath segment` and `swath plan` on volumes.

use std::path::{Path, PathBuf};

use serde_json::json;
use swath::plan::Plan;
use swath::refine::Refinement;
use swath::volume::{
    AfterSteps, ClassVolume, Kept, Volume, VolumeChoice, VolumeOutput, VolumeReport, VolumeSegmenter, csv, is_volume,
};
use swath::{Device, Error, Existing, Location, write_text};
use swath_volumes::Gaps;

use super::args::{BatchArgs, GapsChoice, ModelArg, PlanArgs, RefineArgs, SegmentArgs, TileArgs, VolumeArgs};
use super::bytes::show_bytes;
use super::fail::{self, AnyError, Exit};
use super::plan::Looks;
use super::progress::Progress;
use super::{interrupt, plan, print, timings};

/// Whether what is to be labelled are volumes rather than scenes.
pub(super) fn are_volumes(inputs: &[Location]) -> bool {
    inputs.iter().any(|input| matches!(input, Location::Local(path) if is_volume(path)))
}

/// The model, ready to label; an error where something is asked for that is done to scenes only.
fn open(models: &ModelArg, refine: &RefineArgs, tiles: &TileArgs) -> Result<VolumeSegmenter, AnyError> {
    let [model] = &models.model[..] else {
        return Err(format!("expected one --model for volumes, got {}", models.model.len()).into());
    };
    if refine.refinement() != Refinement::default() {
        return Err("expected volumes without --crf, --threshold, --majority, --fill-holes and --sieve, got one of them".into());
    }
    Ok(VolumeSegmenter::open(model, tiles.computing().arithmetic())?.augmented(models.tta.clone())?)
}

/// Labels volumes, all of which are planned before the first is read.
pub(super) fn segment(args: &SegmentArgs) -> Result<Exit, AnyError> {
    let segmenter = open(&args.models, &args.refine, &args.tiles)?;
    let (mut failures, mut jobs) = (0, Vec::<Job>::new());
    for input in &args.scenes {
        match Job::prepare(args, &segmenter, input, &jobs) {
            Ok(job) => jobs.push(job),
            Err(error) if Exit::of(error.as_ref()) == Exit::Interrupted => return Err(error),
            Err(error) => {
                failures += 1;
                fail::report(error.as_ref());
            }
        }
    }
    if jobs.is_empty() {
        return Ok(Exit::NotStarted);
    }
    let mut tables = Vec::new();
    for job in &jobs {
        match job.run(args, &segmenter) {
            Ok(report) => tables.push((job, report)),
            Err(error @ Error::Cancelled { .. }) => return Err(error.into()),
            Err(error) => {
                failures += 1;
                fail::report(&error);
            }
        }
    }
    if let Some(path) = &args.volume.csv {
        let existing = if args.overwrite { Existing::Overwrite } else { Existing::Refuse };
        let rows = tables.iter().map(|(job, report)| (job.volume.stored_profile().path.as_path(), report.classes.as_slice()));
        write_text(path, &csv(rows), existing)?;
    }
    Ok(if failures == 0 { Exit::Done } else { Exit::SomeFailed })
}

/// Prints the plan of each volume.
pub(super) fn plan(args: &PlanArgs) -> Result<Exit, AnyError> {
    let segmenter = open(&args.models, &args.refine, &args.tiles)?;
    for input in &args.scenes {
        let path = local(input)?;
        refuse(&args.tiles, path)?;
        let volume = segmenter.volume(path, &args.volume.choice())?;
        let request = args.tiles.request(args.layers.layers())?;
        let plan = segmenter.plan(&volume, &request, args.volume.after())?;
        let looks = Looks { models: 1, augmentation: &args.models.tta };
        plan::print(path, &plan, plan.tiles(), looks, args.json)?;
    }
    Ok(Exit::Done)
}

/// Labels many volumes, one after the other; those that were labelled before are left alone.
pub(super) fn batch(args: &BatchArgs, volumes: &[PathBuf]) -> Result<Exit, AnyError> {
    let segmenter = open(&args.models, &args.refine, &args.tiles)?;
    let place = |path: &Path| Error::NotForVolumes { what: "an output in a store", path: path.into() };
    let Location::Local(folder) = &args.output else { return Err(place(&volumes[0]).into()) };
    create_folder(folder)?;
    let is_own = |number: usize| args.shard.is_none_or(|shard| number % shard.count() == shard.index() - 1);
    let mut names = std::collections::HashMap::new();
    let (mut done, mut skipped, mut failed, mut tables) = (0, 0, 0, Vec::new());
    let started = std::time::Instant::now();
    for (number, path) in volumes.iter().enumerate() {
        let name = place_of(folder, path);
        // Also where the other one is another shard's.
        let result = match names.insert(name.clone(), path) {
            Some(first) => Err(Error::SameOutput { first: first.clone(), second: path.clone(), output: name }.into()),
            None if !is_own(number) => continue,
            None => one(args, &segmenter, path, name),
        };
        match result {
            Ok(Labelled { classes, was_there }) => {
                if was_there {
                    skipped += 1;
                } else {
                    done += 1;
                }
                tables.push((path.as_path(), classes));
            }
            Err(error) if Exit::of(error.as_ref()) == Exit::Interrupted => return Err(error),
            Err(error) => {
                failed += 1;
                fail::report(error.as_ref());
            }
        }
        if args.fail_fast && failed > 0 || args.max_failures.is_some_and(|most| failed > most) {
            break;
        }
    }
    if let Some(path) = &args.volume.csv {
        // What it says is known anew after each run.
        write_text(path, &csv(tables.iter().map(|(path, classes)| (*path, classes.as_slice()))), Existing::Overwrite)?;
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

/// Where a volume's labels go: under its own name, without its ending.
fn place_of(folder: &Path, volume: &Path) -> PathBuf {
    folder.join(format!("{}.nii.gz", name_of(volume)))
}

fn name_of(volume: &Path) -> String {
    let name = volume.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if volume.is_dir() { name } else { name.trim_end_matches(".gz").trim_end_matches(".nii").to_owned() }
}

fn create_folder(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|source| Error::File { action: "create", path: folder.into(), source })
}

/// One of many volumes.
struct Labelled {
    classes: Vec<ClassVolume>,
    /// Whether that was done before.
    was_there: bool,
}

/// Labels one of many volumes, unless that was done before.
fn one(args: &BatchArgs, segmenter: &VolumeSegmenter, path: &Path, place: PathBuf) -> Result<Labelled, AnyError> {
    if interrupt::is_interrupted() {
        return Err(Error::Cancelled { path: path.into() }.into());
    }
    refuse(&args.tiles, path)?;
    let volume = segmenter.volume(path, &args.volume.choice())?;
    let plan = segmenter.plan(&volume, &args.tiles.request(args.layers.layers())?, args.volume.after())?;
    let existing = if args.overwrite { Existing::Overwrite } else { Existing::Refuse };
    let beside = || place.with_file_name(format!("{}_probabilities.nii.gz", name_of(path)));
    let probabilities = args.layers.probabilities.then(beside);
    let output = VolumeOutput { path: place, probabilities, quick_look: None, after: args.volume.after(), existing };
    if let Some(classes) = segmenter.finished(&volume, &plan, &output)? {
        tracing::info!("{}: labelled before", output.path.display());
        return Ok(Labelled { classes, was_there: true });
    }
    output.check(&volume)?;
    let progress = Progress::new(args.progress, path.display().to_string(), &plan);
    let report = segmenter.run(&volume, &plan, &output, &progress);
    progress.finish(&report);
    let report = report?;
    tracing::info!("{}: {:.1} s", report.path.display(), progress.seconds());
    Ok(Labelled { classes: report.classes, was_there: false })
}

/// A volume that can be labelled, as far as that shows beforehand.
struct Job {
    volume: Volume,
    plan: Plan,
    output: VolumeOutput,
}

impl Job {
    fn prepare(args: &SegmentArgs, segmenter: &VolumeSegmenter, input: &Location, others: &[Self]) -> Result<Self, AnyError> {
        let path = local(input)?;
        if interrupt::is_interrupted() {
            return Err(Error::Cancelled { path: path.into() }.into());
        }
        refuse(&args.tiles, path)?;
        if args.shard.is_some() {
            return Err(Error::NotForVolumes { what: "a shard", path: path.into() }.into());
        }
        let volume = segmenter.volume(path, &args.volume.choice())?;
        let plan = segmenter.plan(&volume, &args.tiles.request(args.layers.layers())?, args.volume.after())?;
        let several = args.scenes.len() > 1;
        if several && args.quick_look.is_some() {
            return Err("expected one volume for --quick-look, got several".into());
        }
        let Location::Local(place) = &args.output else {
            return Err(Error::NotForVolumes { what: "an output in a store", path: path.into() }.into());
        };
        let place = if several || args.output.is_folder() {
            create_folder(place)?;
            place.join(format!("{}.nii.gz", volume.stored_profile().name))
        } else {
            place.clone()
        };
        if let Some(other) = others.iter().find(|other| other.output.path == place) {
            let first = other.volume.stored_profile().path.clone();
            return Err(Error::SameOutput { first, second: path.into(), output: place }.into());
        }
        let existing = if args.overwrite { Existing::Overwrite } else { Existing::Refuse };
        let probabilities = match &args.layers.probabilities {
            None => None,
            Some(Location::Remote(_)) => {
                return Err(Error::NotForVolumes { what: "an output in a store", path: path.into() }.into());
            }
            Some(Location::Local(folder)) if several || args.layers.probabilities.as_ref().is_some_and(Location::is_folder) => {
                create_folder(folder)?;
                Some(folder.join(format!("{}_probabilities.nii.gz", volume.stored_profile().name)))
            }
            Some(Location::Local(file)) => Some(file.clone()),
        };
        let (quick_look, after) = (args.quick_look.clone(), args.volume.after());
        let output = VolumeOutput { path: place, probabilities, quick_look, after, existing };
        output.check(&volume)?;
        Ok(Self { volume, plan, output })
    }

    /// Labels the volume and prints what it became.
    fn run(&self, args: &SegmentArgs, segmenter: &VolumeSegmenter) -> swath::Result<VolumeReport> {
        let Self { volume, plan, output } = self;
        let name = volume.stored_profile().path.display();
        let tile = plan.layout.input;
        tracing::info!(
            "{name}: {} in {} tiles of {} x {} x {}, {} of {} memory planned",
            volume.size(),
            plan.tiles(),
            tile.x,
            tile.y,
            tile.z,
            show_bytes(plan.memory.total() as u64),
            show_bytes(plan.max_memory as u64),
        );
        let progress = Progress::new(args.progress, name.to_string(), plan);
        let report = segmenter.run(volume, plan, output, &progress);
        progress.finish(&report);
        let report = report?;
        let megavoxels = volume.size().area() as f64 / 1e6;
        let seconds = progress.seconds();
        tracing::info!("{}: {megavoxels:.1} Mvoxels in {seconds:.1} s", report.path.display());
        show(args, self, &report, seconds).map_err(|source| Error::File {
            action: "write",
            path: "standard output".into(),
            source,
        })?;
        Ok(report)
    }
}

/// Prints what a volume became.
fn show(args: &SegmentArgs, job: &Job, report: &VolumeReport, seconds: f64) -> std::io::Result<()> {
    if args.json {
        let mut line = json!({
            "volume": job.volume.stored_profile().path,
            "labels": report.path,
            "item": report.item,
            "classes": report.classes,
            "nodata": report.nodata,
            "seconds": seconds,
        });
        if args.timings {
            line["timings"] = timings::as_json(&report.timings);
        }
        return print::line(line);
    }
    print::line(report.path.display())?;
    let heads = ["  class", "voxels", "ml"].map(str::to_owned).to_vec();
    let classes = report
        .classes
        .iter()
        .map(|class| vec![format!("  {}", class.name), class.voxels.to_string(), format!("{:.3}", class.ml)]);
    let nodata = (report.nodata > 0).then(|| vec!["  no data".to_owned(), report.nodata.to_string()]);
    print::table(&[heads].into_iter().chain(classes).chain(nodata).collect::<Vec<_>>())?;
    if args.timings { timings::show(&report.timings) } else { Ok(()) }
}

fn local(input: &Location) -> Result<&Path, Error> {
    match input {
        Location::Local(path) => Ok(path),
        Location::Remote(_) => Err(Error::NotForVolumes { what: "a store", path: input.shown() }),
    }
}

/// An error for options that only scenes have.
fn refuse(tiles: &TileArgs, path: &Path) -> Result<(), Error> {
    let what = match tiles {
        TileArgs { aoi: Some(_), .. } => "an area of interest",
        TileArgs { bands: Some(_), .. } => "bands",
        TileArgs { device: Device::Cuda { .. }, .. } => "a CUDA device",
        _ => return Ok(()),
    };
    Err(Error::NotForVolumes { what, path: PathBuf::from(path) })
}

impl VolumeArgs {
    /// An error if one of these options is given for scenes.
    pub(super) fn refuse_for_scenes(&self) -> Result<(), AnyError> {
        let given = [
            ("--series", self.series.is_some()),
            ("--frame", self.frame.is_some()),
            ("--gaps", self.gaps != GapsChoice::Refuse),
            ("--keep", self.keep != Kept::All),
            ("--min-size", self.min_size.is_some()),
            ("--fill-cavities", self.fill_cavities),
            ("--csv", self.csv.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(format!("expected volumes for {option}, got scenes").into()),
            None => Ok(()),
        }
    }

    fn choice(&self) -> VolumeChoice {
        let gaps = match self.gaps {
            GapsChoice::Refuse => Gaps::Refuse,
            GapsChoice::Fill => Gaps::Fill,
            GapsChoice::Resample => Gaps::Resample,
        };
        VolumeChoice { series: self.series.clone(), frame: self.frame, gaps }
    }

    fn after(&self) -> AfterSteps {
        AfterSteps { kept: self.keep, smallest: self.min_size.unwrap_or(0.0), fill_holes: self.fill_cavities }
    }
}
