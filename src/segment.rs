//! One scene, from file to finished product.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Map, Value, json};
use swath_models::{Arithmetic, Augmentation, Augmented, Executor, Fused, Golden, Model, ModelCard, ScoreActivation};
use swath_refine::LabelSteps;
use swath_tiling::{TileGrid, Window};

use crate::computing::Computing;
use crate::digest::Digest;
use crate::ensemble::{Combined, Part};
use crate::heap;
use crate::identity::difference;
use crate::labelled::{say_kept, sync_folders};
use crate::labels::Labeller;
use crate::ledger::{self, Durability, Ledger};
use crate::pipeline::{self, LabelledPart, LabelsWanted, Observer, RowSink, Scores};
use crate::plan::{Layout, Plan, PlanRequest};
use crate::product::{Product, Sinks};
use crate::refine::{Refine, Refinement};
use crate::resume::recover;
use crate::shard::ShardFacts;
use crate::sink::Start;
use crate::sink::space::{self, Need};
use crate::source::{BandRequest, DECODED, RasterSource, STORED, Scene, SceneInput};
use crate::{Error, Existing, Labelled, LayerEncoding, Location, Outputs, ProbabilityOutput, Report, Result, Shard, ShardReport};

/// A model that is ready to label scenes, or several whose probabilities are averaged.
pub struct Segmenter {
    card: ModelCard,
    executor: Box<dyn Executor>,
    /// Where the models came from, and what they are; one at least.
    origins: Vec<Origin>,
    /// The names of the bands, each once.
    bands: Vec<String>,
    /// Of every band of the card, its place among them.
    places: Vec<usize>,
    /// How each tile is looked at.
    augmentation: Augmentation,
    /// What is done after the network.
    refinement: Refinement,
}

/// A model folder, and how much it has to say among several.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelChoice {
    /// The folder.
    pub folder: PathBuf,
    /// Its share of the mean, relative to the others'.
    pub weight: f32,
}

/// Where a model came from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The model card; a name for a bundled model.
    pub(crate) href: String,
    /// SHA-256 of card, graph and weights, one after the other; a bundled model has none.
    pub(crate) digest: Option<String>,
    /// Its `mlm:name`.
    name: String,
    /// Its share, if there are others.
    weight: f32,
}

impl Origin {
    /// That of a model folder with this card.
    pub(crate) fn of(folder: &Path, card: &ModelCard) -> Result<Self> {
        let files = Model::files(folder);
        let mut digest = Digest::default();
        for path in &files {
            digest.add_file(path).map_err(|source| Error::File { action: "read", path: path.clone(), source })?;
        }
        let href = fs::canonicalize(&files[0]).unwrap_or_else(|_| files[0].clone()).display().to_string();
        Ok(Self { href, digest: Some(digest.hex()), name: card.name.clone(), weight: 1.0 })
    }

    /// That of a model without a folder.
    pub(crate) fn bundled(card: &ModelCard) -> Self {
        let name = card.name.clone();
        Self { href: format!("swath:{name}"), digest: None, name, weight: 1.0 }
    }
}

impl std::fmt::Debug for Segmenter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segmenter").field("card", &self.card).field("origins", &self.origins).finish_non_exhaustive()
    }
}

impl Segmenter {
    /// Makes a bundled model ready.
    ///
    /// # Errors
    /// If card, graph and weights disagree.
    pub fn new(model: Model, arithmetic: Arithmetic) -> Result<Self> {
        Self::new_on(model, Computing::on_the_processor(arithmetic))
    }

    /// The same, wherever `computing` says.
    ///
    /// # Errors
    /// If card, graph and weights disagree, or what is to compute is missing.
    pub fn new_on(model: Model, computing: Computing) -> Result<Self> {
        let origin = Origin::bundled(&model.card);
        Self::prepare(model, origin, computing)
    }

    /// Reads a model folder and makes it ready.
    ///
    /// # Errors
    /// If a file of it is missing or damaged, or card, graph and weights disagree.
    pub fn open(folder: &Path, arithmetic: Arithmetic) -> Result<Self> {
        Self::open_on(folder, Computing::on_the_processor(arithmetic))
    }

    /// The same, wherever `computing` says.
    ///
    /// # Errors
    /// As [`Segmenter::open`], or if what is to compute is missing.
    pub fn open_on(folder: &Path, computing: Computing) -> Result<Self> {
        let model = Model::read(folder)?;
        let origin = Origin::of(folder, &model.card)?;
        Self::prepare(model, origin, computing)
    }

    /// Labels with an executor of one's own, whose graph is the card's and gives probabilities.
    ///
    /// # Errors
    /// If card and graph disagree.
    pub fn with_executor(card: ModelCard, executor: Box<dyn Executor>) -> Result<Self> {
        let plain = ModelCard { activation: ScoreActivation::None, ..card.clone() };
        plain.check(executor.graph(), Path::new(&card.name))?;
        let origin = Origin::bundled(&card);
        Ok(Self::single(card, executor, origin))
    }

    /// Reads model folders and makes their mean ready: of several models, with the same classes by name, the probabilities are averaged.
    ///
    /// # Errors
    /// As [`Segmenter::open_on`], or if there is none, a weight is not above 0, or the models differ in what has to be the same.
    pub fn open_all(models: &[ModelChoice], computing: Computing) -> Result<Self> {
        let is_share = |weight: f32| weight > 0.0 && weight.is_finite();
        if models.is_empty() || !models.iter().all(|model| is_share(model.weight)) {
            let got = models.iter().map(|model| model.weight.to_string()).collect::<Vec<_>>().join(", ");
            return Err(Error::ModelWeights { models: models.len(), got });
        }
        if let [only] = models {
            return Self::open_on(&only.folder, computing);
        }
        let (mut parts, mut origins) = (Vec::new(), Vec::new());
        for &ModelChoice { ref folder, weight } in models {
            let model = Model::read(folder)?;
            origins.push(Origin { weight, ..Origin::of(folder, &model.card)? });
            let executor = computing.executor(model.probabilities(), &model.weights)?;
            parts.push(Part { card: model.card, executor, weight });
        }
        let Combined { card, executor, bands, places } = Combined::new(parts)?;
        let (augmentation, refinement) = (Augmentation::none(), Refinement::default());
        Ok(Self { card, executor, origins, bands, places, augmentation, refinement })
    }

    /// The same, with each tile looked at in several views whose probabilities are averaged.
    ///
    /// # Errors
    /// If the network cannot be run on such views.
    pub fn augmented(self, augmentation: Augmentation) -> Result<Self> {
        if augmentation.is_none() {
            return Ok(self);
        }
        let executor = Box::new(Augmented::new(self.executor, augmentation.clone())?);
        Ok(Self { executor, augmentation, ..self })
    }

    /// The same, with what is done after the network.
    ///
    /// # Errors
    /// If it names a class or band that the model has not, or a number that nothing can be computed with.
    pub fn refined(self, refinement: Refinement) -> Result<Self> {
        Refine::new(&refinement, &self.card, None)?;
        Ok(Self { refinement, ..self })
    }

    /// What is done after the network.
    #[must_use]
    pub fn refinement(&self) -> &Refinement {
        &self.refinement
    }

    /// How each tile is looked at.
    #[must_use]
    pub fn augmentation(&self) -> &Augmentation {
        &self.augmentation
    }

    /// The names of the bands that are taken of a scene, each once.
    #[must_use]
    pub fn bands(&self) -> &[String] {
        &self.bands
    }

    fn prepare(model: Model, origin: Origin, computing: Computing) -> Result<Self> {
        let executor = computing.executor(model.probabilities(), &model.weights)?;
        Ok(Self::single(model.card, executor, origin))
    }

    /// One model, looked at as it is.
    fn single(card: ModelCard, executor: Box<dyn Executor>, origin: Origin) -> Self {
        let bands = card.bands.clone();
        let (places, origins) = ((0..bands.len()).collect(), vec![origin]);
        let (augmentation, refinement) = (Augmentation::none(), Refinement::default());
        Self { card, executor, origins, bands, places, augmentation, refinement }
    }

    /// What the model needs and what its labels mean.
    #[must_use]
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// SHA-256 of card, graph and weights, in hexadecimal digits; a bundled model has none. Those of several models are joined, with their shares.
    #[must_use]
    pub fn digest(&self) -> Option<String> {
        if let [origin] = self.origins.as_slice() {
            return origin.digest.clone();
        }
        let digest = |origin: &Origin| Some(format!("{}x{}", origin.weight, origin.digest.as_deref()?));
        self.origins.iter().map(digest).collect::<Option<Vec<_>>>().map(|digests| digests.join("+"))
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
        let own: Vec<BandRequest> = self.bands.iter().map(|name| name.parse().unwrap_or_else(|never| match never {})).collect();
        let requests = bands.unwrap_or(&own);
        if requests.len() != own.len() {
            let (model, names) = (self.card.name.clone(), self.bands.join(", "));
            return Err(Error::BandCount { model, expected: own.len(), names, got: requests.len() });
        }
        let requests: Vec<BandRequest> = self.places.iter().map(|place| requests[*place].clone()).collect();
        let scene = Scene::open(input, &requests)?;
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
    /// As [`Plan::new`], or if an area on the ground is asked for and the scene does not say how large its pixels are.
    pub fn plan(&self, scene: &Scene, request: &PlanRequest) -> Result<Plan> {
        let refine = Refine::new(&self.refinement, &self.card, Some(scene.profile()))?;
        Plan::refined(scene, self.executor.as_ref(), request, refine)
    }

    /// Labels a scene. The outputs appear when all of them are complete.
    ///
    /// A run that was killed, interrupted or failed is gone on with, if it was the same: of the same model, scene and options. What it had done is
    /// checked and kept, and the rasters are those of a run without a break, byte for byte.
    ///
    /// # Errors
    /// If something exists already, there is an unfinished run of another model, scene or option, the disk is too full, something cannot be read or
    /// written, or a score is not a number.
    pub fn run(&self, scene: &Scene, plan: &Plan, outputs: &Outputs, observer: &dyn Observer) -> Result<Report> {
        self.run_then(scene, plan, outputs, observer, |_| Ok(()))
    }

    /// The same; when the outputs have their names, `then` is called, which may take them elsewhere. If it fails, the same run goes on there.
    ///
    /// # Errors
    /// As [`Segmenter::run`], or if `then` fails.
    pub fn run_then(
        &self,
        scene: &Scene,
        plan: &Plan,
        outputs: &Outputs,
        observer: &dyn Observer,
        then: impl FnOnce(&Report) -> Result<()>,
    ) -> Result<Report> {
        let labelled = self.label(scene, plan, outputs, observer)?;
        self.finish(labelled, observer, then)
    }

    /// The first half of [`Segmenter::run`]: the network has run when it returns. [`Labelled::finish`] is the second.
    ///
    /// # Errors
    /// As [`Segmenter::run`].
    pub fn label(&self, scene: &Scene, plan: &Plan, outputs: &Outputs, observer: &dyn Observer) -> Result<Labelled> {
        self.label_part(scene, plan, outputs, None, observer)
    }

    /// Labels one of several parts of the scene that `plan` is for; `outputs` are the whole's. [`merge`](crate::merge) makes them of all shards.
    ///
    /// # Errors
    /// As [`Segmenter::run_then`].
    pub fn run_shard(
        &self,
        scene: &Scene,
        plan: &Plan,
        shard: Shard,
        outputs: &Outputs,
        observer: &dyn Observer,
        then: impl FnOnce(&Report) -> Result<()>,
    ) -> Result<ShardReport> {
        let [whole, mut outputs] = [outputs, &shard.outputs(outputs)].map(Clone::clone);
        let identity = self.identity(scene, plan);
        let found = if outputs.existing == Existing::Refuse { ShardFacts::read(&outputs.item())? } else { None };
        if let Some(found) = found {
            let difference = difference(&found.identity, &identity);
            if !difference.is_empty() {
                return Err(Error::OtherRun { path: outputs.labels, difference });
            }
            if found.rows == 0 {
                return Ok(ShardReport::Empty(outputs.item()));
            }
            if outputs.rasters().iter().all(|raster| raster.exists()) {
                return Ok(ShardReport::Finished(outputs.item()));
            }
            // A raster of it was lost; what is left is its own.
            outputs.existing = Existing::Overwrite;
        }
        whole.refuse()?;
        let part = shard.part(plan);
        let window = part.as_ref().map(|part| plan.to_output(part.layout.window));
        let facts = ShardFacts {
            shard,
            first_row: window.map_or(0, |window| window.y),
            rows: window.map_or(0, |window| window.height),
            identity,
            whole: self.product(scene, plan),
        };
        let Some(part) = part else {
            facts.write_alone(&outputs.item(), outputs.existing)?;
            return Ok(ShardReport::Empty(outputs.item()));
        };
        let labelled = self.label_part(scene, &part, &outputs, Some(&facts), observer)?;
        let report = self.finish(labelled, observer, then)?;
        Ok(ShardReport::Labelled(Box::new(report)))
    }

    /// Gives back the memory that the network took before the files are made.
    fn finish(&self, labelled: Labelled, observer: &dyn Observer, then: impl FnOnce(&Report) -> Result<()>) -> Result<Report> {
        self.executor.trim();
        heap::trim();
        labelled.finish_then(observer, then)
    }

    /// Whether a run could begin: an error if the outputs are not those of the plan, one of them is the scene, exists already, or has a folder that is
    /// missing or not writable, another process writes them, or an unfinished run is another one.
    ///
    /// # Errors
    /// As said.
    pub fn check(&self, scene: &Scene, plan: &Plan, outputs: &Outputs) -> Result<()> {
        outputs.try_to_create()?;
        self.admit(scene, plan, outputs).map(drop)
    }

    /// Locks the outputs and finds where to start.
    fn admit(&self, scene: &Scene, plan: &Plan, outputs: &Outputs) -> Result<Admission> {
        for location in scene.input().locations() {
            if let Location::Local(path) = location {
                outputs.refuse_scene(path)?;
            }
        }
        if outputs.layers() != plan.layers {
            return Err(Error::Layers { path: outputs.labels.clone(), expected: plan.layers.to_string() });
        }
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let files = outputs.files().into_iter().map(absolute).collect();
        let run = ledger::Run { identity: self.identity(scene, plan), files };
        let ledger = Ledger::open(&outputs.labels)?;
        let mut outputs = outputs.clone();
        let (start, existing) = ledger.admit(&run, &outputs.labels, outputs.existing)?;
        outputs.existing = existing;
        outputs.refuse()?;
        Ok(Admission { outputs, ledger, run, start })
    }

    fn label_part(
        &self,
        scene: &Scene,
        plan: &Plan,
        outputs: &Outputs,
        shard: Option<&ShardFacts>,
        observer: &dyn Observer,
    ) -> Result<Labelled> {
        let started = Instant::now();
        let _decoded = DECODED.share(plan.memory.cache);
        let _stored = STORED.share(plan.memory.remote);
        let Admission { outputs, mut ledger, run, start } = self.admit(scene, plan, outputs)?;
        let product = self.product(scene, plan);
        // The labels of a shard's neighbours are not there yet: steps that need them are done when all are merged.
        let steps = if shard.is_some() { LabelSteps::none(product.nodata) } else { product.steps };
        let product = Product { steps, ..product };
        // What is done within one row of tiles is not worth a ledger.
        let is_long = plan.swaths.len() > 1 || plan.layout.grid.row_starts().len() > 1;
        let (finished, old) = match (start, ledger.entries()) {
            (Start::Continue, Some(entries)) => (entries.windows.clone(), start),
            _ => (Vec::new(), Start::Anew),
        };
        match old {
            Start::Continue => ledger.go_on(),
            Start::Anew => {
                ledger.forget()?;
                check_space(&product, &outputs)?;
                if is_long {
                    ledger.begin(run.clone(), Durability::Machine)?;
                }
            }
        }
        let mut sinks = Sinks::start(&product, &outputs, plan.finish_threads, old)?;
        if is_long {
            sync_folders(&outputs.files())?;
        }
        if ledger.is_worth_keeping() {
            sinks.keep();
        }
        let rest = recover(plan, &finished, &mut sinks)?;
        if rest.pixels > 0 {
            observer.resumed(plan.tiles().saturating_sub(rest.plan.tiles()), rest.pixels);
            let Window { y, height, .. } = plan.layout.window;
            let row = rest.plan.swaths.first().map_or(height, |swath| swath.owned().y - y);
            tracing::info!("{}: resuming at row {row} of {height}", outputs.labels.display());
        }
        let labeller = Labeller::new(&self.card, plan.refine.thresholds.as_ref());
        let ledger_of = is_long.then_some(&mut ledger);
        let mut writer = Writer { plan: &rest.plan, labeller, sinks: &mut sinks, ledger: ledger_of };
        let result = pipeline::run_to(scene, self.executor.as_ref(), &self.card.scaling, &rest.plan, observer, &mut writer);
        let timings = match result {
            Ok(timings) => timings,
            Err(error) => {
                if error.would_recur() {
                    ledger.forget()?;
                } else if ledger.is_worth_keeping() {
                    say_kept(&outputs.labels);
                }
                return Err(error);
            }
        };
        let shard = shard.map(ShardFacts::to_json).transpose()?;
        let scene = scene.profile().path.clone();
        Ok(Labelled { scene, product, outputs, sinks, ledger, run, shard, timings, spent: started.elapsed() })
    }

    /// What rasters and item of a plan say.
    fn product(&self, scene: &Scene, plan: &Plan) -> Product {
        let profile = scene.profile();
        let Window { width, height, .. } = plan.layout.window;
        let sources = scene.input().locations().into_iter().map(Location::shown);
        let absolute = |path: PathBuf| fs::canonicalize(&path).unwrap_or(path).display().to_string();
        Product {
            width,
            height,
            georeference: profile.georeference.window(plan.layout.window),
            classes: self.card.classes.clone(),
            nodata: self.card.nodata,
            sources: sources.map(absolute).collect(),
            model: self.card.name.clone(),
            model_href: self.origins.first().map(|origin| origin.href.clone()).unwrap_or_default(),
            parameters: self.parameters(scene, plan),
            steps: plan.refine.steps,
            acquired: profile.acquired.map(|time| time.to_string()),
        }
    }

    /// What the bytes of the rasters depend on, in groups that [`difference`] names.
    fn identity(&self, scene: &Scene, plan: &Plan) -> Value {
        let Layout { window, input, overlap, .. } = &plan.layout;
        let path = &scene.profile().path;
        let mut identity = json!({
            "version of swath": env!("CARGO_PKG_VERSION"),
            "model": { "name": self.card.name, "sha256": self.digest(), "card": self.card.classes, "nodata": self.card.nodata },
            "scene": { "path": fs::canonicalize(path).unwrap_or_else(|_| path.clone()), "version": scene.version() },
            "options": {
                "bands": scene.bands().numbers(),
                "tile": if input.x == input.y { input.x.to_string() } else { format!("{} x {}", input.x, input.y) },
                "overlap": format!("{} x {}", overlap.width, overlap.height),
                "blend": plan.blend.name(),
                "window": format!("{},{},{},{}", window.x, window.y, window.width, window.height),
                "device": self.executor.device().map(|device| device.name),
                "precision": plan.arithmetic.precision.name(),
                "convolutions": plan.arithmetic.convolutions.name(),
                "probabilities": plan.layers.probabilities.map(LayerEncoding::name),
                "confidence": plan.layers.confidence.map(LayerEncoding::name),
                "scene": scene.parameters(),
            },
        });
        for (name, value) in self.looks().into_iter().chain(self.refinement.parameters()) {
            identity["options"][name] = value;
        }
        identity
    }

    /// What a product says of how the network looks at tiles, if that is not plain.
    fn looks(&self) -> Map<String, Value> {
        let mut looks = Map::new();
        if !self.augmentation.is_none() {
            looks.insert("tta".into(), self.augmentation.to_string().into());
        }
        looks
    }

    /// Everything that the labels depend on.
    fn parameters(&self, scene: &Scene, plan: &Plan) -> Map<String, Value> {
        let layout = &plan.layout;
        let Window { x, y, width, height, .. } = layout.window;
        let parameters = json!({
            "model_sha256": self.digest(),
            "bands": scene.bands().numbers(),
            "tile": [layout.input.y, layout.input.x],
            "overlap": [layout.overlap.height, layout.overlap.width],
            "blend": plan.blend.name(),
            "window": { "x": x, "y": y, "width": width, "height": height },
            "device": self.executor.device().map_or_else(|| "cpu".to_owned(), |device| device.name),
            "precision": plan.arithmetic.precision.name(),
            "convolutions": plan.arithmetic.convolutions.name(),
            "equals_whole": plan.equals_whole(),
        });
        let mut parameters = parameters.as_object().cloned().unwrap_or_default();
        parameters.extend(scene.parameters());
        parameters.extend(self.looks());
        parameters.extend(plan.refine.parameters.clone());
        if self.origins.len() > 1 {
            let model = |Origin { href, digest, name, weight }: &Origin| json!({ "name": name, "href": href, "sha256": digest, "weight": weight });
            parameters.insert("models".into(), self.origins.iter().map(model).collect());
        }
        parameters
    }
}

/// Writes what a run finishes, and notes which rows are.
struct Writer<'a> {
    plan: &'a Plan,
    labeller: Labeller,
    sinks: &'a mut Sinks,
    /// None if the run is not worth one.
    ledger: Option<&'a mut Ledger>,
}

impl Writer<'_> {
    /// Notes that a part is written, if a row of tiles is finished with it.
    fn note(&mut self, part: Window) -> Result<()> {
        if let Some(ledger) = &mut self.ledger
            && let Some(row) = finished_row(self.plan, part)
        {
            let row = self.plan.to_output(row);
            self.sinks.sync()?;
            ledger.record(row, self.sinks.digest(row)?)?;
            self.sinks.keep();
        }
        Ok(())
    }
}

impl RowSink for Writer<'_> {
    fn labels_wanted(&self) -> Option<LabelsWanted> {
        self.sinks.labels_wanted(&self.labeller)
    }

    fn scores(&mut self, scores: Scores) -> Result<()> {
        self.sinks.write(self.plan.to_output(scores.window), &self.labeller, &scores)?;
        self.note(scores.window)
    }

    fn labels(&mut self, part: LabelledPart) -> Result<()> {
        self.sinks.write_labels(self.plan.to_output(part.window), &part.labels, &part.confidence)?;
        self.note(part.window)
    }
}

/// A run that may begin: nobody else writes its outputs.
#[derive(Debug)]
struct Admission {
    outputs: Outputs,
    ledger: Ledger,
    run: ledger::Run,
    start: Start,
}

/// The row of tiles of a swath that is finished with this block: its last one.
fn finished_row(plan: &Plan, block: Window) -> Option<Window> {
    let swaths = plan.swaths.iter().map(TileGrid::owned);
    let swath = swaths.into_iter().find(|swath| swath.contains(block))?;
    let is_last = block.x + block.width == swath.x + swath.width;
    is_last.then_some(Window { x: swath.x, width: swath.width, ..block })
}

/// An error if scratch and finished files do not fit on the disk.
fn check_space(product: &Product, outputs: &Outputs) -> Result<()> {
    let pixels = product.size().area() as u64;
    let values = |bands: usize, encoding: LayerEncoding| pixels * (bands * encoding.bytes()) as u64;
    // Scratch, and what DEFLATE usually leaves with a third more for overviews: of labels little, of numbers nearly all.
    let scratches = if product.steps.is_none() { 1 } else { 2 };
    let mut needs = vec![Need { file: outputs.labels.clone(), bytes: scratches * pixels + pixels / 4 }];
    if let Some(ProbabilityOutput { path, encoding }) = &outputs.probabilities {
        let scratch = values(product.classes.len(), *encoding);
        needs.push(Need { file: path.clone(), bytes: 2 * scratch });
    }
    if let Some(path) = &outputs.confidence {
        needs.push(Need { file: path.clone(), bytes: 2 * values(1, LayerEncoding::U8) });
    }
    space::check(&needs)
}
