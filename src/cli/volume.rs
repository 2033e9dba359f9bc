//! `swath segment` and `swath plan` on volumes.

use std::path::{Path, PathBuf};

use serde_json::json;
use swath::plan::Plan;
use swath::volume::{AfterSteps, Volume, VolumeChoice, VolumeOutput, VolumeReport, VolumeSegmenter, is_volume};
use swath::{Device, Error, Existing, Location, write_text};

use super::args::{PlanArgs, SegmentArgs, TileArgs, VolumeArgs};
use super::bytes::show_bytes;
use super::fail::{self, AnyError, Exit};
use super::progress::Progress;
use super::{interrupt, plan, print, timings};

/// Whether what is to be labelled are volumes rather than scenes.
pub(super) fn are_volumes(inputs: &[Location]) -> bool {
    inputs.iter().any(|input| matches!(input, Location::Local(path) if is_volume(path)))
}

/// Labels volumes, all of which are planned before the first is read.
pub(super) fn segment(args: &SegmentArgs) -> Result<Exit, AnyError> {
    let segmenter = VolumeSegmenter::open(&args.model, args.tiles.computing().arithmetic())?;
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
        write_text(path, &csv(&tables), existing)?;
    }
    Ok(if failures == 0 { Exit::Done } else { Exit::SomeFailed })
}

/// Prints the plan of each volume.
pub(super) fn plan(args: &PlanArgs) -> Result<Exit, AnyError> {
    let segmenter = VolumeSegmenter::open(&args.model, args.tiles.computing().arithmetic())?;
    for input in &args.scenes {
        let path = local(input)?;
        refuse(&args.tiles, path)?;
        let volume = segmenter.volume(path, &args.volume.choice())?;
        let request = args.tiles.request(args.layers.layers())?;
        let plan = segmenter.plan(&volume, &request, args.volume.after())?;
        plan::print(path, &plan, plan.tiles(), args.json)?;
    }
    Ok(Exit::Done)
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
        let Location::Local(place) = &args.output else {
            return Err(Error::NotForVolumes { what: "an output in a store", path: path.into() }.into());
        };
        let place = if several || args.output.is_folder() {
            std::fs::create_dir_all(place).map_err(|source| Error::File { action: "create", path: place.clone(), source })?;
            place.join(format!("{}.nii.gz", volume.stored_profile().name))
        } else {
            place.clone()
        };
        if let Some(other) = others.iter().find(|other| other.output.path == place) {
            let first = other.volume.stored_profile().path.clone();
            return Err(Error::SameOutput { first, second: path.into(), output: place }.into());
        }
        let existing = if args.overwrite { Existing::Overwrite } else { Existing::Refuse };
        let output = VolumeOutput { path: place, after: args.volume.after(), existing };
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

/// The classes of all volumes: a header, then a line for each class of each volume.
fn csv(tables: &[(&Job, VolumeReport)]) -> String {
    let mut text = String::from("volume,value,name,voxels,ml\n");
    for (job, report) in tables {
        let path = job.volume.stored_profile().path.display().to_string().replace('"', "\"\"");
        text.extend(report.csv().lines().skip(1).map(|line| format!("\"{path}\",{line}\n")));
    }
    text
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
    fn choice(&self) -> VolumeChoice {
        VolumeChoice { series: self.series.clone(), frame: self.frame }
    }

    fn after(&self) -> AfterSteps {
        AfterSteps { kept: self.keep, smallest: self.min_size.unwrap_or(0.0), fill_holes: self.fill_holes }
    }
}
