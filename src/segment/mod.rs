//! A model that is ready to label scenes.

mod describe;
mod origin;
mod run;
mod writer;

use std::path::{Path, PathBuf};

use swath_models::{Arithmetic, Augmentation, Augmented, Executor, Fused, Golden, Model, ModelCard, ScoreActivation};

pub(crate) use self::origin::Origin;
use crate::computing::Computing;
use crate::ensemble::{Combined, Part};
use crate::plan::{Plan, PlanRequest};
use crate::refine::{Refine, Refinement};
use crate::source::{BandRequest, RasterSource as _, Scene, SceneInput};
use crate::{Error, Result};

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
}
