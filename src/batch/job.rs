//! One scene of a batch, from its place in the manifest to its receipt.

use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::receipt::{ClassPixels, Product, Receipt};
use super::scenes::Run;
use super::{Labelling, Outcome, Tally};
use crate::identity::difference;
use crate::manifest::BatchScene;
use crate::plan::{PlanRequest, Tiles};
use crate::source::RasterSource as _;
use crate::{Error, Existing, LayerEncoding, Location, Outputs, ProbabilityOutput, Report, Result, Target};

/// What a receipt is called, after the scene's name.
pub(super) const RECEIPT: &str = ".receipt.json";

/// What layers are called, after the scene's name.
pub(super) const PROBABILITIES: &str = "_probabilities.tif";
pub(super) const CONFIDENCE: &str = "_confidence.tif";

/// Most bytes of a receipt.
const RECEIPT_BYTES: u64 = 1 << 20;

impl Run<'_> {
    /// Labels a scene, unless its receipt says that it was labelled so before.
    pub(super) fn label(&self, scene: &BatchScene) -> Result<Outcome> {
        let batch = self.batch;
        let name = scene.name.as_str();
        let labels = batch.output.join(&format!("{name}.tif"))?;
        let identity = self.identity(scene)?;
        let job = Job::new(name, labels, &batch.scratch);
        let mut existing = batch.existing;
        if let Some(receipt) = self.receipt(name)? {
            match (difference(&receipt.identity, &identity), batch.existing) {
                (same, _) if same.is_empty() && self.is_complete(name, &receipt) => {
                    // The run that wrote it may have been killed right after.
                    job.target.tidy(&job.target.made(&job.name(".tif")))?;
                    return Ok(Outcome::Skipped);
                }
                (difference, Existing::Refuse) if !difference.is_empty() => {
                    return Err(Error::OtherRun { path: job.labels.shown(), difference });
                }
                // Its products are gone or may be replaced. From here on, nothing must say that they are complete.
                _ => {
                    job.receipt()?.delete()?;
                    existing = Existing::Overwrite;
                }
            }
        }
        let outputs = self.outputs(&job, existing);
        job.target.refuse(
            &outputs.files(),
            &scene.input.locations(),
            if self.is_present(name, &outputs) { existing } else { Existing::Overwrite },
        )?;
        job.target.create()?;
        let labelled = self.run(scene, &job, &outputs, identity);
        if labelled.is_err()
            && !outputs.is_unfinished()
            && !job.target.is_begun()
            && let Err(error) = job.target.clear()
        {
            tracing::warn!("{}", error.with_causes());
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
        self.observer.started(name, &plan);
        let report = batch.segmenter.run_then(&scene, &plan, outputs, &Tally(self.observer), |report| {
            job.target.deliver(&report.files, outputs.existing)?;
            let receipt = self.describe(identity, report, started.elapsed().as_secs_f64())?;
            job.receipt()?.write(&format!("{:#}\n", json!(receipt)), Existing::Overwrite)?;
            job.target.clear()
        })?;
        let labelled: u64 = report.labels.counts.iter().sum();
        Ok(Labelling {
            labels: job.labels.clone(),
            pixels: plan.layout.window.area() as u64,
            area_m2: scene.profile().georeference.pixel_area_m2().map(|area| area * labelled as f64),
            network: report.timings.network.busy,
        })
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
            probabilities: layers.probabilities.map(|encoding| ProbabilityOutput { path: made(PROBABILITIES), encoding }),
            confidence: layers.confidence.map(|_| made(CONFIDENCE)),
            existing,
        }
    }

    /// Whether a product lay in the output folder when the batch began.
    fn is_present(&self, name: &str, outputs: &Outputs) -> bool {
        let names = outputs.files().into_iter().map(|file| beside(name, &Location::from(file).file_name()));
        names.into_iter().any(|name| self.present.contains_key(&name))
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
            // What GDAL takes for a name need not be a file; what is not there is an error when it is opened.
            Ok(json!({ "raster": location.shown(), "version": location.version()? }))
        };
        let rasters = scene.input.locations().into_iter().map(raster).collect::<Result<Vec<_>>>()?;
        let area = match &batch.area {
            Some(area) => json!({ "layer": area.layer, "version": Location::from(&area.path).version()? }),
            None => Value::Null,
        };
        let mut identity = json!({
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
        let augmentation = batch.segmenter.augmentation();
        if !augmentation.is_none() {
            identity["options"]["tta"] = augmentation.to_string().into();
        }
        for (name, value) in batch.segmenter.refinement().parameters() {
            identity["options"][name] = value;
        }
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

/// Where a scene's products go, and what they are called.
struct Job {
    labels: Location,
    target: Target,
    /// The scene's name without its folders.
    stem: String,
}

impl Job {
    fn new(name: &str, labels: Location, scratch: &Path) -> Self {
        let stem = name.rsplit('/').next().unwrap_or(name).to_owned();
        Self { target: Target::new(&labels, scratch), labels, stem }
    }

    /// What a file of the scene is called.
    fn name(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.stem)
    }

    fn receipt(&self) -> Result<Location> {
        self.target.delivered(&self.name(RECEIPT))
    }
}
