//! `swath segment`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::json;
use swath::plan::{Plan, PlanRequest};
use swath::source::{RasterSource as _, Scene, SceneInput};
use swath::{Error, Existing, Location, Outputs, ProbabilityOutput, Report, Segmenter, Shard, ShardReport, Target};
use swath_models::Class;

use super::args::SegmentArgs;
use super::bytes::show_bytes;
use super::fail::{self, AnyError, Exit};
use super::progress::Progress;
use super::{interrupt, print, timings, volume};

pub(super) fn run(args: &SegmentArgs) -> Result<Exit, AnyError> {
    interrupt::watch()?;
    args.remote.set_up();
    if volume::are_volumes(&args.scenes) {
        return volume::segment(args);
    }
    args.volume.refuse_for_scenes()?;
    if args.quick_look.is_some() {
        return Err("expected a volume for --quick-look, got scenes".into());
    }
    let destinations = destinations(args)?;
    let segmenter = args.models.open(args.tiles.computing(), &args.refine)?;
    let request = args.tiles.request(args.layers.layers())?;
    let mut failures = 0;
    let mut jobs = Vec::new();
    for (path, destination) in args.scenes.iter().zip(&destinations) {
        match Job::prepare(args, &segmenter, path, &request, destination) {
            Ok(job) => jobs.push(job),
            Err(error @ Error::Cancelled { .. }) => return Err(error.into()),
            Err(error) => {
                failures += 1;
                fail::report(&error);
            }
        }
    }
    if jobs.is_empty() {
        return Ok(Exit::NotStarted);
    }
    for job in &jobs {
        match job.run(args, &segmenter) {
            Ok(()) => {}
            Err(error @ Error::Cancelled { .. }) => return Err(error.into()),
            Err(error) => {
                failures += 1;
                fail::report(&error);
            }
        }
    }
    Ok(if failures == 0 { Exit::Done } else { Exit::SomeFailed })
}

/// A scene that can be labelled, as far as that shows beforehand.
struct Job<'a> {
    scene: Scene,
    plan: Plan,
    destination: &'a Destination,
}

impl<'a> Job<'a> {
    /// Opens and plans a scene, and tries whether its outputs can be written.
    fn prepare(
        args: &SegmentArgs,
        segmenter: &Segmenter,
        path: &Location,
        request: &PlanRequest,
        destination: &'a Destination,
    ) -> swath::Result<Self> {
        if interrupt::is_interrupted() {
            return Err(Error::Cancelled { path: path.shown() });
        }
        let scene = args.tiles.within(segmenter.scene(path, args.tiles.bands.as_deref())?)?;
        let plan = segmenter.plan(&scene, request)?;
        destination.check(args.shard, scene.input())?;
        if destination.target.is_staged() {
            destination.target.create()?;
        }
        if args.shard.is_none() {
            segmenter.check(&scene, &plan, &destination.outputs)?;
        }
        Ok(Self { scene, plan, destination })
    }

    /// Labels the scene and prints what it became.
    fn run(&self, args: &SegmentArgs, segmenter: &Segmenter) -> swath::Result<()> {
        let Self { scene, plan, destination } = self;
        let outputs = &destination.outputs;
        let part = args.shard.and_then(|shard| shard.part(plan));
        let whole = plan;
        let plan = part.as_ref().unwrap_or(whole);
        let name = scene.profile().path.display();
        tracing::info!(
            "{name}: {} in {} tiles of {} x {}, overlap {}, {} of {} memory planned",
            plan.layout.window.size(),
            plan.tiles(),
            plan.layout.input.x,
            plan.layout.input.y,
            plan.layout.overlap.width,
            show_bytes(plan.memory.total() as u64),
            show_bytes(plan.max_memory as u64),
        );
        if let Some(node) = plan.seams() {
            tracing::warn!(
                "{name}: node `{node}` of the network sees the whole tile, so that scores depend on where tiles are cut and seams may show; a larger --tile or --overlap makes them fainter"
            );
        }
        let progress = Progress::new(args.progress, name.to_string(), plan);
        let report = match args.shard {
            None => segmenter
                .run_then(scene, plan, outputs, &progress, |report| destination.deliver(&report.files))
                .map(|report| ShardReport::Labelled(Box::new(report))),
            Some(shard) => {
                segmenter.run_shard(scene, whole, shard, outputs, &progress, |report| destination.deliver(&report.files))
            }
        };
        progress.finish(&report);
        let report = match report? {
            ShardReport::Labelled(report) => *report,
            ShardReport::Finished(item) => {
                tracing::info!("{}: the shard is finished already", item.display());
                return Ok(());
            }
            ShardReport::Empty(item) => {
                destination.deliver(std::slice::from_ref(&item))?;
                tracing::info!("{}: the shard is empty, as there are fewer rows of tiles than shards", item.display());
                return Ok(());
            }
        };
        let megapixels = plan.layout.window.area() as f64 / 1e6;
        tracing::info!(
            "{}: {megapixels:.1} Mpx in {:.1} s ({:.2} Mpx/s)",
            destination.shown(&report.path)?.display(),
            progress.seconds(),
            megapixels / progress.seconds()
        );
        let [labels, item] = [&report.path, &report.item].map(|path| destination.shown(path));
        let report = Report { path: labels?, item: item?, ..report };
        show(args, segmenter, scene, &report, progress.seconds())
    }
}

/// Prints what a scene became.
fn show(args: &SegmentArgs, segmenter: &Segmenter, scene: &Scene, report: &Report, seconds: f64) -> swath::Result<()> {
    let classes = || segmenter.card().classes.iter().zip(&report.labels.counts);
    let written = if args.json {
        let class = |(class, pixels): (&Class, &u64)| json!({ "value": class.value, "name": class.name, "pixels": pixels });
        let mut line = json!({
            "scene": scene.profile().path,
            "labels": report.path,
            "item": report.item,
            "classes": classes().map(class).collect::<Vec<_>>(),
            "nodata": report.labels.nodata_count,
            "seconds": seconds,
        });
        if args.timings {
            line["timings"] = timings::as_json(&report.timings);
        }
        print::line(line)
    } else {
        let total = (report.labels.counts.iter().sum::<u64>() + report.labels.nodata_count) as f64;
        let row = |name: &str, count: u64| {
            vec![format!("  {name}"), count.to_string(), format!("{:.2} %", 100.0 * count as f64 / total)]
        };
        let mut rows: Vec<Vec<String>> = classes().map(|(class, count)| row(class.label(), *count)).collect();
        rows.push(row("no data", report.labels.nodata_count));
        let labelled = print::line(report.path.display()).and_then(|()| print::table(&rows));
        labelled.and_then(|()| if args.timings { timings::show(&report.timings) } else { Ok(()) })
    };
    written.map_err(|source| Error::File { action: "write", path: "standard output".into(), source })
}

/// Where each scene's products go: the places given, or files named after the scenes in the folders given.
fn destinations(args: &SegmentArgs) -> Result<Vec<Destination>, AnyError> {
    let several = args.scenes.len() > 1;
    let layers = &args.layers;
    if several {
        for folder in [Some(&args.output), layers.probabilities.as_ref(), layers.confidence.as_ref()].into_iter().flatten() {
            if let Location::Local(folder) = folder {
                std::fs::create_dir_all(folder).map_err(|source| Error::File {
                    action: "create",
                    path: folder.clone(),
                    source,
                })?;
            }
        }
    }
    let destinations = args.scenes.iter().map(|scene| -> swath::Result<Destination> {
        let place = |location: &Location, suffix: &str| {
            if several || location.is_folder() {
                location.join(&format!("{}{suffix}.tif", scene.file_stem()))
            } else {
                Ok(location.clone())
            }
        };
        let labels = place(&args.output, "")?;
        let probabilities = layers.probabilities.as_ref().map(|folder| place(folder, "_probabilities")).transpose()?;
        let confidence = layers.confidence.as_ref().map(|folder| place(folder, "_confidence")).transpose()?;
        Destination::new(args, &labels, probabilities.as_ref(), confidence.as_ref())
    });
    let destinations: Vec<Destination> = destinations.collect::<swath::Result<_>>()?;
    let outputs: Vec<&Outputs> = destinations.iter().map(|destination| &destination.outputs).collect();
    check_distinct(&args.scenes, &outputs)?;
    Ok(destinations)
}

/// Where a scene's products are made, and where they go.
struct Destination {
    outputs: Outputs,
    target: Target,
}

impl Destination {
    fn new(
        args: &SegmentArgs,
        labels: &Location,
        probabilities: Option<&Location>,
        confidence: Option<&Location>,
    ) -> swath::Result<Self> {
        let existing = if args.overwrite { Existing::Overwrite } else { Existing::Refuse };
        // Shards that run on one machine do not share a staging folder.
        let own =
            args.shard.map_or_else(|| Ok(labels.clone()), |shard| labels.parent().join(&shard.file_name(&labels.file_name())))?;
        let target = Target::new(&own, &args.remote.scratch());
        let made = |location: &Location| target.place(location, labels);
        let encoding = args.layers.probability_type.encoding();
        let probabilities = probabilities.map(made).transpose()?.map(|path| ProbabilityOutput { path, encoding });
        let outputs = Outputs { labels: made(labels)?, probabilities, confidence: confidence.map(made).transpose()?, existing };
        Ok(Self { outputs, target })
    }

    /// An error if products exist where they go, and must stay.
    fn check(&self, shard: Option<Shard>, scene: &SceneInput) -> swath::Result<()> {
        let outputs = shard.map(|shard| shard.outputs(&self.outputs));
        self.target.refuse(&outputs.as_ref().unwrap_or(&self.outputs).files(), &scene.locations(), self.outputs.existing)
    }

    /// Where a file goes that is made here.
    fn shown(&self, made: &Path) -> swath::Result<PathBuf> {
        if !self.target.is_staged() {
            return Ok(made.to_owned());
        }
        Ok(self.target.delivered(&made.file_name().unwrap_or_default().to_string_lossy())?.shown())
    }

    /// Takes finished files to where they go.
    fn deliver(&self, files: &[PathBuf]) -> swath::Result<()> {
        self.target.deliver(files, self.outputs.existing)?;
        self.target.clear()
    }
}

/// An error if a file would be written twice, or in the place of a scene.
fn check_distinct(scenes: &[Location], outputs: &[&Outputs]) -> Result<(), Error> {
    let mut taken: HashMap<PathBuf, &Location> = HashMap::new();
    for (scene, outputs) in scenes.iter().zip(outputs) {
        for output in outputs.files() {
            let file = plain(&output);
            let is_output = |scene: &&Location| match scene {
                Location::Local(path) => plain(path) == file || std::fs::canonicalize(path).is_ok_and(|path| path == file),
                Location::Remote(_) => false,
            };
            if let Some(scene) = scenes.iter().find(is_output) {
                return Err(Error::OutputIsScene { output, scene: scene.shown() });
            }
            match taken.insert(file, scene) {
                Some(first) if std::ptr::eq(first, scene) => return Err(Error::OutputTwice { scene: scene.shown(), output }),
                Some(first) => return Err(Error::SameOutput { first: first.shown(), second: scene.shown(), output }),
                None => {}
            }
        }
    }
    Ok(())
}

/// A path that is the same for all spellings of one: its folder without links and `..`, and its name.
fn plain(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().and_then(|folder| std::fs::canonicalize(folder).ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}
