//! `swath demo`.

use std::fs;
use std::path::{Path, PathBuf};

use gdal::Dataset;
use serde_json::json;
use swath::demo::{self, DemoScene};
use swath::evaluate::ConfusionMatrix;
use swath::plan::{PlanRequest, Tiles};
use swath::{Error, Existing, Outputs, Panels, Segmenter, check_files, preview, refuse_files};
use swath_models::{Arithmetic, Class};

use super::args::DemoArgs;
use super::fail::{self, AnyError, Exit};
use super::progress::Progress;
use super::request::{cores, half_of_free_memory};
use super::{interrupt, print};

pub(super) fn run(args: &DemoArgs) -> Result<Exit, AnyError> {
    interrupt::watch()?;
    let existing = if args.overwrite { Existing::Overwrite } else { Existing::Refuse };
    if args.only_scene {
        return only_scene(args, existing).map(|()| Exit::Done);
    }
    let outputs = Outputs::labels(args.output.join("labels.tif"), existing);
    let picture = args.output.join("preview.png");
    let [scene, truth] = ["scene.tif", "truth.tif"].map(|name| args.output.join(name));
    let files: Vec<PathBuf> = [scene, truth, picture.clone()].into_iter().chain(outputs.files()).collect();
    refuse_files(&files, existing)?;
    fs::create_dir_all(&args.output).map_err(|source| Error::File { action: "create", path: args.output.clone(), source })?;
    check_files(&outputs.files(), existing)?;
    let segmenter = Segmenter::new(demo::model()?, Arithmetic::default())?;
    let request = PlanRequest { tiles: Tiles::Keep, ..PlanRequest::new(half_of_free_memory()?, cores()) };
    match show(args, &segmenter, &request, &outputs, &picture) {
        Err(error) if Exit::of(error.as_ref()) == Exit::NotStarted => {
            fail::report(error.as_ref());
            Ok(Exit::SomeFailed)
        }
        shown => shown.map(|()| Exit::Done),
    }
}

/// Generates the scene and says where it is.
fn only_scene(args: &DemoArgs, existing: Existing) -> Result<(), AnyError> {
    refuse_files(&["scene.tif", "truth.tif"].map(|name| args.output.join(name)), existing)?;
    fs::create_dir_all(&args.output).map_err(|source| Error::File { action: "create", path: args.output.clone(), source })?;
    let files = DemoScene::new(args.seed, args.size as usize).write(&args.output)?;
    if args.json {
        return Ok(print::line(json!({ "scene": files.scene, "truth": files.truth }))?);
    }
    print::line(format!("scene    {}", files.scene.display()))?;
    Ok(print::line(format!("truth    {}", files.truth.display()))?)
}

/// Generates the scene, labels it, and prints how good the labels are.
fn show(
    args: &DemoArgs,
    segmenter: &Segmenter,
    request: &PlanRequest,
    outputs: &Outputs,
    picture: &Path,
) -> Result<(), AnyError> {
    tracing::info!("generating a scene of {0} x {0} pixels from seed {1}", args.size, args.seed);
    let files = DemoScene::new(args.seed, args.size as usize).write(&args.output)?;
    let scene = segmenter.scene(&files.scene, None)?;
    let plan = segmenter.plan(&scene, request)?;
    let progress = Progress::new(args.progress, files.scene.display().to_string(), &plan);
    let report = segmenter.run(&scene, &plan, outputs, &progress);
    progress.finish(&report);
    let report = report?;
    let seconds = progress.seconds();
    let classes = &segmenter.card().classes;
    let confusion = compare(&files.truth, &report.path, classes)?;
    preview(Panels { scene: &files.scene, truth: &files.truth, labels: &report.path }, classes, picture)?;
    let (accuracy, miou) = (confusion.accuracy().unwrap_or(0.0), confusion.mean_iou().unwrap_or(0.0));
    if args.json {
        print::line(json!({
            "scene": files.scene,
            "truth": files.truth,
            "labels": report.path,
            "preview": picture,
            "accuracy": accuracy,
            "miou": miou,
            "iou": classes.iter().enumerate().map(|(at, class)| (class.name.clone(), json!(confusion.iou(at)))).collect::<serde_json::Map<_, _>>(),
            "seconds": seconds,
        }))?;
        return Ok(());
    }
    let mut rows = vec![vec!["accuracy".to_owned(), format!("{accuracy:.4}")], vec!["mIoU".to_owned(), format!("{miou:.4}")]];
    for (at, class) in classes.iter().enumerate() {
        let iou = confusion.iou(at).map_or("absent".into(), |iou| format!("{iou:.4}"));
        rows.push(vec![format!("  {}", class.label()), iou]);
    }
    rows.push(vec!["time".into(), format!("{seconds:.1} s")]);
    print::table(&rows)?;
    print::line(format!("scene    {}", files.scene.display()))?;
    print::line(format!("truth    {}", files.truth.display()))?;
    print::line(format!("labels   {}", report.path.display()))?;
    Ok(print::line(format!("preview  {}", picture.display()))?)
}

/// Counts how labels and truth agree, row by row.
fn compare(truth: &Path, labels: &Path, classes: &[Class]) -> Result<ConfusionMatrix, AnyError> {
    let open =
        |path: &Path| Dataset::open(path).map_err(|source| Error::Gdal { action: "open".into(), path: path.into(), source });
    let (truth_set, label_set) = (open(truth)?, open(labels)?);
    let (width, height) = truth_set.raster_size();
    let (truth_band, label_band) = (truth_set.rasterband(1)?, label_set.rasterband(1)?);
    let mut confusion = ConfusionMatrix::new(classes.iter().map(|class| class.name.as_str()));
    for y in (0..height).step_by(512) {
        let size = (width, 512.min(height - y));
        let rows = |band: &gdal::raster::RasterBand<'_>| band.read_as::<u8>((0, y as isize), size, size, None);
        confusion.add(rows(&truth_band)?.data(), rows(&label_band)?.data(), None)?;
    }
    Ok(confusion)
}
