//! One scene of a batch, from its place in the manifest to its receipt.

use std::fs;
use std::path::Path;
use std::time::Instant;

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
        let started = Instant::now();
        let name = &scene.name.to_string();
        let batch = self.batch;
        let labels = batch.output.join(&format!("{name}.tif"))?;
        let identity = self.identity(scene)?;
        let mut existing = batch.existing;
        if let Some(receipt) = self.receipt(name)? {
            match (difference(&receipt.identity, &identity), batch.existing) {
                (same, _) if same.is_empty() && self.is_complete(name, &receipt) => return Ok(Outcome::Skipped),
                (difference, Existing::Refuse) if !difference.is_empty() => {
                    return Err(Error::OtherRun { path: labels.shown(), difference });
                }
                // Its products are gone or may be replaced.
                _ => existing = Existing::Overwrite,
            }
        }
        let target = Target::new(&labels, &batch.scratch)?;
        // The same names in the folder of the scene's products.
        let stem = name.rsplit('/').next().unwrap_or(name);
        let marker = target.made(&format!("{stem}{BEGUN}"));
        match (begun(&marker), batch.existing) {
            (Some(begun), Existing::Refuse) => {
                let difference = difference(&begun, &identity);
                if !difference.is_empty() {
                    return Err(Error::OtherRun { path: labels.shown(), difference });
                }
                existing = Existing::Overwrite;
            }
            (Some(_), Existing::Overwrite) => existing = Existing::Overwrite,
            (None, _) => {}
        }
        let outputs = self.outputs(&target, stem, existing);
        if existing == Existing::Refuse {
            self.refuse(name, &outputs)?;
        }
        write_text(&marker, &json!(identity).to_string(), Existing::Overwrite)?;

        let bands = batch.bands.as_deref().or(scene.bands.as_deref());
        let scene = batch.segmenter.scene(scene.input.clone(), bands)?.acquired(scene.acquired);
        let scene = match &batch.area {
            Some(area) => scene.within(area)?,
            None => scene,
        };
        let plan = batch.segmenter.plan(&scene, &self.request())?;
        self.observer.started(name, &plan);
        let report = batch.segmenter.run(&scene, &plan, &outputs, &Tally(self))?;
        target.deliver(&report.files, existing)?;

        let receipt = self.describe(identity, &report, started.elapsed().as_secs_f64())?;
        let text = format!("{:#}\n", json!(receipt));
        target.delivered(&format!("{stem}{RECEIPT}"))?.write(&text, Existing::Overwrite)?;
        fs::remove_file(&marker).map_err(|source| Error::File { action: "remove", path: marker, source })?;
        target.clear()?;

        let pixels = plan.layout.window.area() as u64;
        let area_m2 = scene.profile().georeference.pixel_area_m2().map(|area| area * pixels as f64);
        Ok(Outcome::Labelled(Labelling { labels, pixels, area_m2, network: report.timings.network.busy }))
    }

    /// How each scene is planned: of what the batch may hold, an equal share.
    fn request(&self) -> PlanRequest {
        let request = self.batch.request.clone();
        PlanRequest { max_memory: request.max_memory / self.batch.jobs, ..request }
    }

    fn outputs(&self, target: &Target, stem: &str, existing: Existing) -> Outputs {
        let layers = self.batch.request.layers;
        let made = |suffix: &str| target.made(&format!("{stem}{suffix}"));
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

/// What was begun, as the marker says. What a kill tore was not begun.
fn begun(marker: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(marker).ok()?).ok()
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
