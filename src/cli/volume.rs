//! `swath segment` and `swath plan` on volumes.

use std::path::Path;

use serde_json::json;
use swath::plan::Plan;
use swath::refine::Refinement;
use swath::volume::{
    AfterSteps, Kept, Volume, VolumeChoice, VolumeFiles, VolumePlace, VolumeReport, VolumeSegmenter, csv, is_volume, name_of,
};
use swath::{Device, Error, Existing, Location, check_files, write_text};
use swath_volumes::{Gaps, Missing};

use super::args::{GapsChoice, ModelArg, PlanArgs, RefineArgs, SegmentArgs, TileArgs, VolumeArgs};
use super::bytes::show_bytes;
use super::fail::{self, AnyError, Exit};
use super::plan::Looks;
use super::progress::Progress;
use super::{interrupt, plan, print, timings};

/// Whether what is to be labelled are volumes rather than scenes.
pub(super) fn are_volumes(inputs: &[Location]) -> bool {
    inputs.iter().any(is_volume)
}

/// The model, ready to label; an error where something is asked for that is done to scenes only.
pub(super) fn open(models: &ModelArg, refine: &RefineArgs, tiles: &TileArgs) -> Result<VolumeSegmenter, AnyError> {
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
    let existing = if args.overwrite { Existing::Overwrite } else { Existing::Refuse };
    if let Some(path) = &args.volume.csv {
        check_files(std::slice::from_ref(path), existing)?;
    }
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
    for job in jobs {
        // Copies of a volume go with its job.
        match job.run(args, &segmenter) {
            Ok(report) => tables.push((job.volume.location().shown(), report)),
            Err(error @ Error::Cancelled { .. }) => return Err(error.into()),
            Err(error) => {
                failures += 1;
                fail::report(&error);
            }
        }
    }
    if let Some(path) = &args.volume.csv {
        let rows = tables.iter().map(|(volume, report)| (volume.clone(), report.classes.as_slice()));
        write_text(path, &csv(rows), existing)?;
    }
    Ok(if failures == 0 { Exit::Done } else { Exit::SomeFailed })
}

/// Prints the plan of each volume.
pub(super) fn plan(args: &PlanArgs) -> Result<Exit, AnyError> {
    let segmenter = open(&args.models, &args.refine, &args.tiles)?;
    for input in &args.scenes {
        refuse(&args.tiles, input)?;
        let volume = segmenter.volume(VolumeFiles::fetch(input, &args.remote.scratch())?, &args.volume.choice())?;
        let request = args.tiles.request(args.layers.layers())?;
        let plan = segmenter.plan(&volume, &request, args.volume.after())?;
        let looks = Looks { models: 1, augmentation: &args.models.tta };
        plan::print(&input.shown(), &plan, plan.tiles(), looks, args.json)?;
    }
    Ok(Exit::Done)
}

/// A volume that can be labelled, as far as that shows beforehand.
struct Job {
    volume: Volume,
    plan: Plan,
    place: VolumePlace,
}

impl Job {
    fn prepare(args: &SegmentArgs, segmenter: &VolumeSegmenter, input: &Location, others: &[Self]) -> Result<Self, AnyError> {
        if interrupt::is_interrupted() {
            return Err(Error::Cancelled { path: input.shown() }.into());
        }
        refuse(&args.tiles, input)?;
        if args.shard.is_some() {
            return Err(Error::NotForVolumes { what: "a shard", path: input.shown() }.into());
        }
        let several = args.scenes.len() > 1;
        if several && args.quick_look.is_some() {
            return Err("expected one volume for --quick-look, got several".into());
        }
        let scratch = args.remote.scratch();
        let open = || segmenter.volume(VolumeFiles::fetch(input, &scratch)?, &args.volume.choice());
        // A local one is looked at first: it may know what it is called.
        let local = if let Location::Local(_) = input { Some(open()?) } else { None };
        let name = local.as_ref().map_or_else(|| name_of(input), |volume| volume.stored_profile().name.clone());
        let within = |place: &Location, file: String| -> swath::Result<Location> {
            if !several && !place.is_folder() {
                return Ok(place.clone());
            }
            if let Location::Local(folder) = place {
                create_folder(folder)?;
            }
            place.join(&file)
        };
        let labels = within(&args.output, format!("{name}.nii.gz"))?;
        let probabilities = args.layers.probabilities.as_ref();
        let probabilities = probabilities.map(|place| within(place, format!("{name}_probabilities.nii.gz"))).transpose()?;
        if let Some(other) = others.iter().find(|other| other.place.labels == labels) {
            let first = other.volume.location().shown();
            return Err(Error::SameOutput { first, second: input.shown(), output: labels.shown() }.into());
        }
        let existing = if args.overwrite { Existing::Overwrite } else { Existing::Refuse };
        let mut place = VolumePlace::new(labels, probabilities.as_ref(), args.volume.after(), existing, &scratch)?;
        place.output.quick_look.clone_from(&args.quick_look);
        place.refuse(input)?;
        let volume = local.map_or_else(open, Ok)?;
        let plan = segmenter.plan(&volume, &args.tiles.request(args.layers.layers())?, args.volume.after())?;
        place.check(segmenter, &volume, &plan)?;
        Ok(Self { volume, plan, place })
    }

    /// Labels the volume and prints what it became.
    fn run(&self, args: &SegmentArgs, segmenter: &VolumeSegmenter) -> swath::Result<VolumeReport> {
        let Self { volume, plan, place } = self;
        let name = volume.location();
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
        let report = place.run(segmenter, volume, plan, &progress);
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
            "volume": job.volume.location().shown(),
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

fn create_folder(folder: &Path) -> swath::Result<()> {
    std::fs::create_dir_all(folder).map_err(|source| Error::File { action: "create", path: folder.into(), source })
}

/// An error for options that only scenes have.
pub(super) fn refuse(tiles: &TileArgs, volume: &Location) -> swath::Result<()> {
    let what = match tiles {
        TileArgs { aoi: Some(_), .. } => "an area of interest",
        TileArgs { bands: Some(_), .. } => "bands",
        TileArgs { device: Device::Cuda { .. }, .. } => "a CUDA device",
        _ => return Ok(()),
    };
    Err(Error::NotForVolumes { what, path: volume.shown() })
}

impl VolumeArgs {
    /// An error if one of these options is given for scenes.
    pub(super) fn refuse_for_scenes(&self) -> Result<(), AnyError> {
        let given = [
            ("--series", self.series.is_some()),
            ("--frame", self.frame.is_some()),
            ("--gaps", self.gaps != GapsChoice::Refuse),
            ("--assume-hounsfield", self.assume_hounsfield),
            ("--assume-place", self.assume_place),
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

    pub(super) fn choice(&self) -> VolumeChoice {
        let gaps = match self.gaps {
            GapsChoice::Refuse => Gaps::Refuse,
            GapsChoice::Fill => Gaps::Fill,
            GapsChoice::Resample => Gaps::Resample,
        };
        let missing = |assume| if assume { Missing::Assume } else { Missing::Refuse };
        VolumeChoice {
            series: self.series.clone(),
            frame: self.frame,
            gaps,
            hounsfield: missing(self.assume_hounsfield),
            place: missing(self.assume_place),
        }
    }

    pub(super) fn after(&self) -> AfterSteps {
        AfterSteps { kept: self.keep, smallest: self.min_size.unwrap_or(0.0), fill_holes: self.fill_cavities }
    }
}
