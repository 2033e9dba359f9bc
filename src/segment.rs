//! One scene, from file to finished product.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use swath_models::{Arithmetic, Executor, Fused, Golden, Model, ModelCard};
use swath_tiling::{Size, Window};

use crate::digest::Digest;
use crate::heap;
use crate::labels::Labeller;
use crate::pipeline::{self, Observer};
use crate::plan::{Plan, PlanRequest};
use crate::sink::refuse;
use crate::source::{BandRequest, RasterSource, Scene, SceneInput, limit_cache};
use crate::stac::item_path;
use crate::{
    Error, Existing, ItemDescription, LabelProduct, LabelSink, LabelSummary, LayerAsset, LayerEncoding, LayerProduct, LayerSink,
    Location, ModelReference, Result, Stage, Timings, remote,
};

/// A model that is ready to label scenes.
pub struct Segmenter {
    card: ModelCard,
    executor: Box<dyn Executor>,
    /// Where the model came from, and what it is.
    origin: Origin,
}

/// Where a model came from.
#[derive(Clone, Debug)]
struct Origin {
    /// The model card; a name for a bundled model.
    href: String,
    /// SHA-256 of card, graph and weights, one after the other; a bundled model has none.
    digest: Option<String>,
}

/// The files that a run writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// The label raster. Its STAC item goes beside it.
    pub labels: PathBuf,
    /// One band per class.
    pub probabilities: Option<ProbabilityOutput>,
    /// The probability of each pixel's label, in 8 bits.
    pub confidence: Option<PathBuf>,
    /// What happens to files that are there already.
    pub existing: Existing,
}

/// Where and how probabilities are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbabilityOutput {
    /// The file.
    pub path: PathBuf,
    /// How they are stored.
    pub encoding: LayerEncoding,
}

impl Outputs {
    /// Labels only.
    #[must_use]
    pub fn labels(path: PathBuf, existing: Existing) -> Self {
        Self { labels: path, probabilities: None, confidence: None, existing }
    }

    /// The STAC item beside the labels.
    #[must_use]
    pub fn item(&self) -> PathBuf {
        item_path(&self.labels)
    }

    /// All files that a run makes.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let layers = self.probabilities.as_ref().map(|p| p.path.clone()).into_iter().chain(self.confidence.clone());
        [self.labels.clone(), self.item()].into_iter().chain(layers).collect()
    }
}

/// What a run made.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The label raster.
    pub path: PathBuf,
    /// Pixels of every class.
    pub labels: LabelSummary,
    /// The STAC item beside it.
    pub item: PathBuf,
    /// Where the time went.
    pub timings: Timings,
}

impl std::fmt::Debug for Segmenter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segmenter").field("card", &self.card).field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Segmenter {
    /// Makes a bundled model ready.
    ///
    /// # Errors
    /// If card, graph and weights disagree.
    pub fn new(model: Model, arithmetic: Arithmetic) -> Result<Self> {
        let origin = Origin { href: format!("swath:{}", model.card.name), digest: None };
        Self::prepare(model, origin, arithmetic)
    }

    /// Reads a model folder and makes it ready.
    ///
    /// # Errors
    /// If a file of it is missing or damaged, or card, graph and weights disagree.
    pub fn open(folder: &Path, arithmetic: Arithmetic) -> Result<Self> {
        let model = Model::read(folder)?;
        let files = Model::files(folder);
        let mut digest = Digest::default();
        for path in &files {
            digest.add_file(path).map_err(|source| Error::File { action: "read", path: path.clone(), source })?;
        }
        let href = fs::canonicalize(&files[0]).unwrap_or_else(|_| files[0].clone()).display().to_string();
        Self::prepare(model, Origin { href, digest: Some(digest.hex()) }, arithmetic)
    }

    fn prepare(model: Model, origin: Origin, arithmetic: Arithmetic) -> Result<Self> {
        let executor = Fused::new(model.probabilities(), &model.weights, arithmetic)?;
        Ok(Self { card: model.card, executor: Box::new(executor), origin })
    }

    /// What the model needs and what its labels mean.
    #[must_use]
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// What runs the network. Its graph gives probabilities.
    #[must_use]
    pub fn executor(&self) -> &dyn Executor {
        self.executor.as_ref()
    }

    /// Runs the golden input of a model folder through the network as it is, and returns the largest difference from the golden output; `None`
    /// if the folder has none.
    ///
    /// # Errors
    /// If they differ by more than [`Golden::TOLERANCE`].
    pub fn check_golden(folder: &Path) -> Result<Option<f32>> {
        let Some(golden) = Golden::read(folder)? else { return Ok(None) };
        let model = Model::read(folder)?;
        Ok(Some(golden.check(&Fused::new(model.graph, &model.weights, Arithmetic::default())?)?))
    }

    /// Looks at a scene and finds the model's bands in it: those of the card by name, or those that the user chose.
    ///
    /// # Errors
    /// If the scene cannot be opened or lacks a band, or not as many bands are chosen as the model takes.
    pub fn scene(&self, input: impl Into<SceneInput>, bands: Option<&[BandRequest]>) -> Result<Scene> {
        let own: Vec<BandRequest> =
            self.card.bands.iter().map(|name| name.parse().unwrap_or_else(|never| match never {})).collect();
        let requests = bands.unwrap_or(&own);
        if requests.len() != own.len() {
            let (model, names) = (self.card.name.clone(), self.card.bands.join(", "));
            return Err(Error::BandCount { model, expected: own.len(), names, got: requests.len() });
        }
        let scene = Scene::open(input, requests)?;
        self.warn_of_gsd(&scene);
        Ok(scene)
    }

    fn warn_of_gsd(&self, scene: &Scene) {
        let metres = scene.profile().georeference.pixel_area_m2().map(f64::sqrt);
        if let (Some(gsd), Some(metres)) = (self.card.gsd, metres)
            && !(gsd.minimum..=gsd.maximum).contains(&metres)
        {
            let path = scene.profile().path.display();
            let (minimum, maximum) = (gsd.minimum, gsd.maximum);
            tracing::warn!("{path} has {metres:.2} m per pixel; model `{}` is for {minimum} to {maximum} m", self.card.name);
        }
    }

    /// Plans how a scene is labelled.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn plan(&self, scene: &Scene, request: &PlanRequest) -> Result<Plan> {
        Plan::new(scene, self.executor.as_ref(), request)
    }

    /// Labels a scene. The outputs appear when all of them are complete; after an error there are none, except that finished rasters stay where
    /// only the STAC item about them cannot be written.
    ///
    /// # Errors
    /// If something exists already, cannot be read or written, or a score is not a number.
    pub fn run(&self, scene: &Scene, plan: &Plan, outputs: &Outputs, observer: &dyn Observer) -> Result<Report> {
        let started = Instant::now();
        limit_cache(plan.memory.cache);
        if plan.memory.remote > 0 {
            remote::limit_cache(plan.memory.remote);
        }
        let mut sinks = Sinks::create(&self.card, scene, plan, outputs)?;
        let labeller = Labeller::new(&self.card);
        let origin = plan.layout.window;
        let timings = pipeline::run(scene, self.executor.as_ref(), &self.card.scaling, plan, observer, |scores| {
            let labels = labeller.label(&scores);
            let window = Window { x: scores.window.x - origin.x, y: scores.window.y - origin.y, ..scores.window };
            if let Some(sink) = &mut sinks.probabilities {
                sink.write(window, &labeller.probabilities(&scores))?;
            }
            if let Some(sink) = &mut sinks.confidence {
                sink.write(window, &labels.confidence)?;
            }
            sinks.labels.write(window, &labels.values)
        })?;
        let stitched = Instant::now();
        self.executor.trim();
        heap::trim();
        let labels = sinks.finish(|| {
            let path = scene.profile().path.clone();
            if observer.is_cancelled() { Err(Error::Cancelled { path }) } else { Ok(()) }
        })?;
        let item = self.describe(scene, plan, outputs, &labels)?;
        let finishing = Stage { threads: 1, busy: stitched.elapsed(), ..Stage::default() };
        let timings = Timings { finishing, total: started.elapsed(), ..timings };
        Ok(Report { path: outputs.labels.clone(), labels, item, timings })
    }

    /// Writes the STAC item beside the labels.
    fn describe(&self, scene: &Scene, plan: &Plan, outputs: &Outputs, summary: &LabelSummary) -> Result<PathBuf> {
        let profile = scene.profile();
        let sources = scene.input().locations().into_iter().map(Location::shown);
        let sources: Vec<String> = sources.map(|path| fs::canonicalize(&path).unwrap_or(path).display().to_string()).collect();
        let names = class_names(&self.card);
        let confidence = [CONFIDENCE.to_owned()];
        let item = ItemDescription {
            labels: &outputs.labels,
            size: plan.layout.window.size(),
            georeference: &profile.georeference.window(plan.layout.window),
            classes: &self.card.classes,
            nodata: self.card.nodata,
            summary,
            probabilities: outputs.probabilities.as_ref().map(|p| LayerAsset {
                path: &p.path,
                bands: &names,
                encoding: p.encoding,
            }),
            confidence: outputs.confidence.as_deref().map(|path| LayerAsset {
                path,
                bands: &confidence,
                encoding: LayerEncoding::U8,
            }),
            sources: &sources,
            model: ModelReference { name: &self.card.name, version: None, href: &self.origin.href },
            parameters: self.parameters(scene, plan),
            acquired: profile.acquired,
            created: Timestamp::now(),
            existing: outputs.existing,
        };
        item.write()?;
        Ok(outputs.item())
    }

    /// Everything that the labels depend on.
    fn parameters(&self, scene: &Scene, plan: &Plan) -> Map<String, Value> {
        let layout = &plan.layout;
        let Window { x, y, width, height, .. } = layout.window;
        let parameters = json!({
            "model_sha256": self.origin.digest,
            "bands": scene.bands().numbers(),
            "tile": [layout.input.y, layout.input.x],
            "overlap": [layout.overlap.height, layout.overlap.width],
            "blend": plan.blend.name(),
            "window": { "x": x, "y": y, "width": width, "height": height },
            "device": "cpu",
            "precision": plan.arithmetic.precision.name(),
            "convolutions": plan.arithmetic.convolutions.name(),
            "equals_whole": plan.equals_whole(),
        });
        let mut parameters = parameters.as_object().cloned().unwrap_or_default();
        parameters.extend(scene.parameters());
        parameters
    }
}

/// The band of a confidence raster.
const CONFIDENCE: &str = "confidence";

fn class_names(card: &ModelCard) -> Vec<String> {
    card.classes.iter().map(|class| class.name.clone()).collect()
}

/// The rasters of a run while they are written.
struct Sinks {
    labels: LabelSink,
    probabilities: Option<LayerSink>,
    confidence: Option<LayerSink>,
}

impl Sinks {
    fn create(card: &ModelCard, scene: &Scene, plan: &Plan, outputs: &Outputs) -> Result<Self> {
        // It is written last; that it must not be shows now.
        refuse(&outputs.item(), outputs.existing)?;
        let size: Size = plan.layout.window.size();
        let georeference = scene.profile().georeference.window(plan.layout.window);
        let layer = |path: &Path, bands: Vec<String>, encoding: LayerEncoding| {
            LayerSink::create(LayerProduct {
                path: path.to_owned(),
                size,
                georeference: georeference.clone(),
                bands,
                encoding,
                existing: outputs.existing,
                threads: plan.finish_threads,
            })
        };
        Ok(Self {
            labels: LabelSink::create(LabelProduct {
                path: outputs.labels.clone(),
                size,
                georeference: georeference.clone(),
                classes: card.classes.clone(),
                nodata: card.nodata,
                existing: outputs.existing,
                threads: plan.finish_threads,
            })?,
            probabilities: outputs.probabilities.as_ref().map(|p| layer(&p.path, class_names(card), p.encoding)).transpose()?,
            confidence: outputs
                .confidence
                .as_deref()
                .map(|path| layer(path, vec![CONFIDENCE.to_owned()], LayerEncoding::U8))
                .transpose()?,
        })
    }

    /// Publishes all rasters once all are complete, the labels last: where they are, everything is.
    fn finish(self, go_on: impl Fn() -> Result<()>) -> Result<LabelSummary> {
        go_on()?;
        let probabilities = self.probabilities.map(LayerSink::complete).transpose()?;
        go_on()?;
        let confidence = self.confidence.map(LayerSink::complete).transpose()?;
        go_on()?;
        let labels = self.labels.complete()?;
        go_on()?;
        for layer in [probabilities, confidence].into_iter().flatten() {
            layer.publish()?;
        }
        labels.output.publish()?;
        Ok(labels.summary)
    }
}
