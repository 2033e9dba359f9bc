//! One scene of a batch, from its place in the manifest to its receipt.

use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{fs, io};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::lanes::Run;
use super::receipt::{ClassPixels, Product, Receipt};
use super::{Labelling, Outcome};
use crate::identity::difference;
use crate::manifest::BatchScene;
use crate::plan::{PlanRequest, Tiles};
use crate::source::RasterSource as _;
use crate::{Error, Existing, LayerEncoding, Location, Observer, Outputs, ProbabilityOutput, Report, Result, Target, write_text};

/// What a receipt is called, after the scene's name.
const RECEIPT: &str = ".receipt.json";

/// What says that a scene was begun, beside its products while they are made: without a receipt, what lies where they go is its own.
const BEGUN: &str = ".begun.part";

/// Most bytes of a receipt.
const RECEIPT_BYTES: u64 = 1 << 20;

impl Run<'_> {
    /// Labels a scene, unless its receipt says that it was labelled so before.
    pub(super) fn label(&self, scene: &BatchScene) -> Result<Outcome> {
        let batch = self.batch;
        let name = scene.name.as_str();
        let labels = batch.output.join(&format!("{name}.tif"))?;
        let identity = self.identity(scene)?;
        let job = Job::new(name, &labels, &batch.scratch);
        let mut existing = batch.existing;
        if let Some(receipt) = self.receipt(name)? {
            match (difference(&receipt.identity, &identity), batch.existing) {
                (same, _) if same.is_empty() && self.is_complete(name, &receipt) => {
                    // It may have been killed just after it was written.
                    return job.clear().map(|()| Outcome::Skipped);
                }
                (difference, Existing::Refuse) if !difference.is_empty() => {
                    return Err(Error::OtherRun { path: labels.shown(), difference });
                }
                // Its products are gone or may be replaced.
                _ => existing = Existing::Overwrite,
            }
        }
        if let Some(begun) = job.begun() {
            let difference = difference(&begun, &identity);
            if !difference.is_empty() && batch.existing == Existing::Refuse {
                return Err(Error::OtherRun { path: labels.shown(), difference });
            }
            existing = Existing::Overwrite;
        }
        let outputs = self.outputs(&job, existing);
        if existing == Existing::Refuse {
            self.refuse(name, &outputs)?;
        }
        let labelled = self.run(scene, &job, &outputs, identity);
        if labelled.is_err() && !job.is_worth_keeping(&outputs) {
            job.clear()?;
        }
        labelled.map(Outcome::Labelled)
    }

    /// Labels a scene and writes its receipt.
    fn run(&self, scene: &BatchScene, job: &Job, outputs: &Outputs, identity: Value) -> Result<Labelling> {
        let started = Instant::now();
        let batch = self.batch;
        let bands = batch.bands.as_deref().or(scene.bands.as_deref());
        let name = scene.name.as_str();
        let scene = batch.segmenter.scene(scene.input.clone(), bands)?.acquired(scene.acquired);
        let scene = match &batch.area {
            Some(area) => scene.within(area)?,
            None => scene,
        };
        let plan = batch.segmenter.plan(&scene, &self.request())?;
        job.begin(&identity)?;
        self.observer.started(name, &plan);
        let report = batch.segmenter.run(&scene, &plan, outputs, &Tally(self))?;
        job.target.deliver(&report.files, outputs.existing)?;

        let receipt = self.describe(identity, &report, started.elapsed().as_secs_f64())?;
        job.target.delivered(&job.name(RECEIPT))?.write(&format!("{:#}\n", json!(receipt)), Existing::Overwrite)?;
        job.clear()?;
        let pixels = plan.layout.window.area() as u64;
        let area_m2 = scene.profile().georeference.pixel_area_m2().map(|area| area * pixels as f64);
        Ok(Labelling { labels: job.labels.clone(), pixels, area_m2, network: report.timings.network.busy })
    }

    /// How each scene is planned: of what the batch may hold, an equal share.
    fn request(&self) -> PlanRequest {
        let request = self.batch.request.clone();
        PlanRequest { max_memory: request.max_memory / self.batch.jobs, ..request }
    }

    fn outputs(&self, job: &Job, existing: Existing) -> Outputs {
        let layers = self.batch.request.layers;
        let made = |suffix: &str| job.target.made(&job.name(suffix));
        Outputs {
            labels: made(".tif"),
            probabilities: layers.probabilities.map(|encoding| ProbabilityOutput { path: made("_probabilities.tif"), encoding }),
            confidence: layers.confidence.map(|_| made("_confidence.tif")),
            existing,
        }
    }

    /// An error if a product lies in the output folder that no receipt knows.
    fn refuse(&self, name: &str, outputs: &Outputs) -> Result<()> {
        for file in outputs.files() {
            let name = beside(name, &file.file_name().unwrap_or_default().to_string_lossy());
            if self.present.contains_key(&name) {
                return Err(Error::Exists { path: self.batch.output.join(&name)?.shown() });
            }
        }
        Ok(())
    }

    /// The receipt of a scene, if there is one.
    fn receipt(&self, name: &str) -> Result<Option<Receipt>> {
        let name = format!("{name}{RECEIPT}");
        if !self.present.contains_key(&name) {
            return Ok(None);
        }
        let location = self.batch.output.join(&name)?;
        let bytes = location.read(RECEIPT_BYTES)?;
        let receipt = serde_json::from_slice(&bytes);
        receipt.map(Some).map_err(|source| Error::Receipt { path: location.shown(), source })
    }

    /// Whether all products that a receipt names are there, as long as they were.
    fn is_complete(&self, name: &str, receipt: &Receipt) -> bool {
        receipt.products.iter().all(|product| self.present.get(&beside(name, &product.name)) == Some(&product.size))
    }

    fn describe(&self, identity: Value, report: &Report, seconds: f64) -> Result<Receipt> {
        let pixels = report.labels.counts.iter();
        let classes = self.batch.segmenter.card().classes.iter().zip(pixels);
        Ok(Receipt {
            identity,
            products: report.files.iter().map(|path| Product::of(path)).collect::<Result<_>>()?,
            classes: classes.map(|(class, pixels)| ClassPixels { name: class.name.clone(), pixels: *pixels }).collect(),
            nodata: report.labels.nodata_count,
            seconds,
            created: Timestamp::now(),
            swath: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// Everything that the labels of a scene depend on, as far as it is known before the scene is opened.
    fn identity(&self, scene: &BatchScene) -> Result<Value> {
        let batch = self.batch;
        let PlanRequest { tile, overlap, blend, window, layers, .. } = batch.request;
        let arithmetic = batch.segmenter.executor().arithmetic();
        let raster = |location: &Location| {
            let version = location.version()?.ok_or_else(|| Error::Missing { path: location.shown() })?;
            Ok(json!({ "raster": location.shown(), "version": version }))
        };
        let rasters = scene.input.locations().into_iter().map(raster).collect::<Result<Vec<_>>>()?;
        let area = match &batch.area {
            Some(area) => Some(Location::from(&area.path).version()?),
            None => None,
        };
        let identity = json!({
            "model": batch.segmenter.digest(),
            "scene": rasters,
            "options": {
                "bands": batch.bands.as_ref().or(scene.bands.as_ref()).map(|bands| bands.iter().map(ToString::to_string).collect::<Vec<_>>()),
                "tile": tile,
                "overlap": overlap,
                "blend": blend.name(),
                "window": window.map(|window| [window.x, window.y, window.width, window.height]),
                "precision": arithmetic.precision.name(),
                "probabilities": layers.probabilities.map(LayerEncoding::name),
                "confidence": layers.confidence.is_some(),
                "aoi": area,
                // A limit that is given may make tiles smaller.
                "memory": (batch.request.tiles == Tiles::MayShrink).then(|| self.request().max_memory),
            },
        });
        Ok(identity)
    }
}

/// The name of a file in the folder of the scene `name`.
fn beside(name: &str, file: &str) -> String {
    match name.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{file}"),
        None => file.to_owned(),
    }
}

/// Where a scene's files are while they are made.
struct Job {
    labels: Location,
    target: Target,
    /// The scene's name without its folders.
    stem: String,
}

impl Job {
    fn new(name: &str, labels: &Location, scratch: &Path) -> Self {
        let stem = name.rsplit('/').next().unwrap_or(name).to_owned();
        Self { labels: labels.clone(), target: Target::new(labels, scratch), stem }
    }

    /// What a file of the scene is called.
    fn name(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.stem)
    }

    fn marker(&self) -> PathBuf {
        self.target.made(&self.name(BEGUN))
    }

    /// What was begun before, if anything was. What a kill tore was not begun.
    fn begun(&self) -> Option<Value> {
        serde_json::from_slice(&fs::read(self.marker()).ok()?).ok()
    }

    /// Notes what is begun.
    fn begin(&self, identity: &Value) -> Result<()> {
        self.target.create()?;
        write_text(&self.marker(), &identity.to_string(), Existing::Overwrite)
    }

    /// Whether there is anything that the same command goes on with.
    fn is_worth_keeping(&self, outputs: &Outputs) -> bool {
        outputs.labels.exists() || outputs.is_unfinished() || self.target.is_delivering()
    }

    /// Removes what is there beside the products.
    fn clear(&self) -> Result<()> {
        let path = self.marker();
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::File { action: "remove", path, source }),
            _ => self.target.clear(),
        }
    }
}

/// Passes a scene's progress on to the batch.
struct Tally<'a>(&'a Run<'a>);

impl Observer for Tally<'_> {
    fn tile_done(&self, pixels: usize) {
        self.0.observer.tile_done(pixels);
    }

    fn is_cancelled(&self) -> bool {
        self.0.is_stopped()
    }
}
