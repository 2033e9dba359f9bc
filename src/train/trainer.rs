//! From a recipe to all that a training needs.

use std::path::PathBuf;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use rayon::{ThreadPool, ThreadPoolBuilder};
use swath_models::train::{Autograd, initial_weights};
use swath_models::{Class, Extent, Graph, GsdRange, Model, ModelCard, Rank, ScoreActivation, Shape, VolumeInput, Weights, zoo};

use super::augment::{band_ranges, largest_ground};
use super::census::{Census, warn_of_absent};
use super::crops::{AHEAD, CropMaker, Preparation};
use super::fingerprint::Fingerprint;
use super::first_weights::FirstWeights;
use super::output::OutputFolder;
use super::run::TrainRun;
use super::sampler::Sampler;
use super::scene::TrainingScenes;
use super::statistics::{self, BandStatistics};
use super::validate::{self, Effort, HeldBack};
use super::{Metrics, Recipe, Role, SceneSummary, TrainObserver, TrainSummary};
use crate::plan::BASE;
use crate::source::limit_cache;
use crate::{Error, Existing, Result};

/// The label of pixels without data.
const NODATA: u8 = 255;

/// How far from the pixels' sides those of a scene to label may be, as a factor.
const GSD_TOLERANCE: f64 = 1.2;

/// Bytes of GDAL's block cache, at least.
const LEAST_CACHE: usize = 64 << 20;

/// What the machine gives to a training, and where it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainOptions {
    /// Threads that compute.
    pub threads: usize,
    /// Bytes that a validation may take; a quarter of them is the most that GDAL's cache takes.
    pub max_memory: usize,
    /// The model folder, in place of the recipe's.
    pub output: Option<PathBuf>,
    /// Where the training starts.
    pub start: Start,
}

/// Where a training starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the first step. What is said happens to the outputs of an earlier training.
    Fresh(Existing),
    /// At the checkpoint, or at the first step if there is none and the folder is empty.
    Resume,
}

/// A training that can begin: scenes are open, labels counted, the first weights made.
#[derive(Debug)]
pub struct Trainer {
    pub(super) recipe: Recipe,
    pub(super) start: Start,
    pub(super) output: OutputFolder,
    pub(super) scenes: TrainingScenes,
    pub(super) censuses: Vec<Census>,
    pub(super) preparation: Preparation,
    pub(super) card: ModelCard,
    pub(super) graph: Graph,
    pub(super) origin: Origin,
    pub(super) fingerprint: Fingerprint,
    pub(super) held_back: Vec<HeldBack>,
    pub(super) effort: Effort,
    pub(super) pool: ThreadPool,
    first: Option<FirstWeights>,
    /// Bytes of GDAL's block cache.
    cache: usize,
}

/// What the first step begins with.
#[derive(Debug)]
pub(super) enum Origin {
    /// These weights.
    Weights(Weights),
    /// The state in a file.
    Checkpoint(PathBuf),
}

/// What a training made.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainReport {
    /// The model folder.
    pub model: PathBuf,
    /// How it went.
    pub metrics: Vec<Metrics>,
    /// The best mean `IoU` of all validations.
    pub best_iou: Option<f64>,
}

impl Trainer {
    /// Prepares the training of a recipe: opens the scenes, reads all labels once, and finds the scaling. Volumes are read and prepared, in files without
    /// a name on the output's disk.
    ///
    /// # Errors
    /// If a scene or its labels cannot be used, there is nothing to learn from or to validate with, network and recipe do not fit, a validation does
    /// not fit in memory, the output exists already, or it is to be gone on with and has no checkpoint.
    pub fn new(recipe: Recipe, options: &TrainOptions) -> Result<Self> {
        let settings = &recipe.settings;
        let output = OutputFolder::new(options.output.clone().unwrap_or_else(|| settings.output.clone()));
        output.refuse(options.start)?;
        let pool = ThreadPoolBuilder::new().num_threads(options.threads).build()?;
        let rank = check_rank(&recipe)?;
        let scenes = TrainingScenes::open(&recipe, &output.scratch())?;
        warn_of_both(&scenes);
        let cache = cache_bytes(&scenes) * reading_threads(options.threads);
        let cache = cache.clamp(LEAST_CACHE, LEAST_CACHE.max(options.max_memory / 4));
        limit_cache(cache);
        let graph = graph(&recipe, scenes.bands.len())?;
        check_crop(&recipe, &graph)?;
        let extent = settings.sampling.crop.extent(rank);
        let classes = settings.classes.len();
        let count = || scenes.scenes.par_iter().map(|scene| Census::take(scene, classes)).collect();
        let censuses: Vec<Census> = pool.install::<_, Result<_>>(count)?;
        warn_of_absent(&settings.classes, &censuses);
        validate::check(&scenes.scenes, &censuses)?;
        let measured = pool.install(|| statistics::measure(&maker(&recipe, &scenes, &censuses, extent)?, scenes.bands.len()))?;
        let preparation = prepare(&recipe, &scenes, &measured)?;
        let fingerprint = Fingerprint::new(&scenes, &censuses, &measured);
        let card = card(&recipe, &output, &scenes, &preparation, extent)?;
        card.check(&graph, recipe.path())?;
        let initial = initial_weights(&graph, settings.seed);
        let start = options.start;
        let checkpoint = Some(output.checkpoint()).filter(|path| start == Start::Resume && path.exists());
        // Whoever goes on does not need the file that the first weights are from.
        let path = settings.model.weights.as_ref().filter(|_| checkpoint.is_none());
        let first = path.map(|path| FirstWeights::read(&recipe, path, &graph, &initial)).transpose()?;
        let initial = first.as_ref().map_or(initial, |first| first.transfer.weights.clone());
        let effort =
            Effort { tile: settings.validation.tile.map(usize::from), threads: options.threads, max_memory: options.max_memory };
        let model = Model { card, graph, weights: initial };
        let held_back = validate::plan(&scenes.scenes, &model, effort)?;
        let Model { card, graph, weights } = model;
        let origin = checkpoint.map_or(Origin::Weights(weights), Origin::Checkpoint);
        Ok(Self {
            recipe,
            start,
            output,
            scenes,
            censuses,
            preparation,
            card,
            graph,
            origin,
            fingerprint,
            held_back,
            effort,
            pool,
            first,
            cache,
        })
    }

    /// The network; its scores are logits.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What the model will be.
    #[must_use]
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// What was taken over from other weights, if the recipe names some.
    #[must_use]
    pub fn first_weights(&self) -> Option<&FirstWeights> {
        self.first.as_ref()
    }

    /// What is learned from, and how much of it.
    #[must_use]
    pub fn summary(&self) -> TrainSummary {
        let settings = &self.recipe.settings;
        let scene = |(scene, census): (&super::scene::TrainingScene, &Census)| SceneSummary {
            name: scene.name.clone(),
            size: scene.profile().size,
            factor: scene.image.factor(),
            training: census.totals().to_vec(),
            validation: census.held_back().to_vec(),
        };
        let samples = settings.batch.get();
        // Every value between layers with its gradient.
        let values: usize = self.graph.shapes(self.extent()).into_iter().flatten().map(Shape::bytes).sum();
        let validation = self.held_back.iter().map(HeldBack::bytes).max().unwrap_or(0);
        TrainSummary {
            scenes: self.scenes.scenes.iter().zip(&self.censuses).map(scene).collect(),
            classes: settings.classes.iter().map(|class| class.name.clone()).collect(),
            parameters: self.graph.parameters(),
            steps: self.recipe.steps(),
            steps_per_epoch: self.recipe.steps_per_epoch(),
            crops: self.recipe.steps() * (samples * settings.accumulate.get()) as u64,
            memory: BASE + self.cache + self.batch_bytes() + 2 * samples * values + self.parameter_bytes() + validation,
        }
    }

    /// Bytes of the batches that are ready, being made, and learned from.
    fn batch_bytes(&self) -> usize {
        let settings = &self.recipe.settings;
        let pixel = self.scenes.bands.len() * size_of::<f32>() + size_of::<u8>();
        let batch = settings.batch.get() * self.extent().product() * pixel;
        (reading_threads(self.effort.threads) * (AHEAD + 2) + 1) * batch
    }

    /// Bytes of the parameters, each with its gradient and two numbers of the optimiser; once more without the gradient, and as a file's bytes,
    /// while a checkpoint is written.
    fn parameter_bytes(&self) -> usize {
        10 * size_of::<f32>() * self.graph.parameters()
    }

    /// Trains to the end. `autograd` computes the gradients of [`Trainer::graph`].
    ///
    /// # Errors
    /// If the checkpoint is of another recipe or other data, a crop cannot be read, a loss, gradient or weight is not finite, something cannot be
    /// written, or the observer cancels; the training can then be resumed.
    pub fn run(&self, autograd: &mut dyn Autograd, observer: &dyn TrainObserver) -> Result<TrainReport> {
        TrainRun::new(self, autograd, observer)?.run()
    }

    pub(super) fn model(&self, weights: Weights) -> Model {
        Model { card: self.card.clone(), graph: self.graph.clone(), weights }
    }

    pub(super) fn crops(&self) -> Result<CropMaker<'_>> {
        maker(&self.recipe, &self.scenes, &self.censuses, self.extent())
    }

    /// What the network sees of a crop.
    fn extent(&self) -> Extent {
        self.recipe.settings.sampling.crop.extent(self.graph.rank())
    }
}

/// Threads that make crops: one is enough for several that compute.
pub(super) fn reading_threads(threads: usize) -> usize {
    threads.div_ceil(4)
}

/// Bytes of all scenes and their labels once they are decoded.
fn cache_bytes(scenes: &TrainingScenes) -> usize {
    scenes.scenes.iter().map(|scene| scene.image.decoded_bytes()).sum()
}

/// Says of which scenes a validation tells how well they are learned only.
fn warn_of_both(scenes: &TrainingScenes) {
    for scene in scenes.scenes.iter().filter(|scene| scene.role == Role::Both) {
        tracing::warn!(
            "{} is learned from and validated with: its figures do not say how good the network is elsewhere",
            scene.name
        );
    }
}

/// The network, for so many bands.
fn graph(recipe: &Recipe, bands: usize) -> Result<Graph> {
    let (model, classes) = (&recipe.settings.model, recipe.settings.classes.len());
    let network = zoo::find(&model.network)?;
    match &model.widths {
        None => Ok(network.build(bands, classes)?),
        Some(widths) => network.build_with_widths(bands, classes, widths).map_err(|error| {
            recipe.source.value("model.widths", "widths above 0 of the levels of a U-Net", format!("{widths:?}: {error}")).into()
        }),
    }
}

/// What the network takes, planes or volumes; an error if the recipe has no such scenes, or what it says of volumes cannot be.
fn check_rank(recipe: &Recipe) -> Result<Rank> {
    let settings = &recipe.settings;
    let slices = settings.volume.as_ref().map_or(1, |input| input.slices.unwrap_or(1));
    let bands = settings.model.bands.as_ref().map_or(slices, Vec::len);
    let rank = graph(recipe, bands)?.rank();
    match (&settings.volume, rank) {
        (Some(input), _) => input.validate(bands, rank, recipe.path())?,
        (None, Rank::Volumetric) => {
            let got = format!("`{}`, which takes volumes", settings.model.network);
            let expected = "a network that takes planes, as the recipe has no `[volume]`";
            return Err(recipe.source.value("model.network", expected, got).into());
        }
        (None, Rank::Planar) => {}
    }
    let depth = settings.sampling.crop.extent(rank).z;
    if rank == Rank::Planar && depth > 1 {
        let expected = format!("a depth of 1, as `{}` takes slices", settings.model.network);
        return Err(recipe.source.value("sampling.crop", expected, depth.to_string()).into());
    }
    Ok(rank)
}

/// An error if the network does not give a score for every pixel of a crop.
fn check_crop(recipe: &Recipe, graph: &Graph) -> Result<()> {
    let extent = recipe.settings.sampling.crop.extent(graph.rank());
    let gives = graph.output_shape(extent).map(|shape| shape.extent);
    if gives.as_ref().is_ok_and(|gives| *gives == extent) {
        return Ok(());
    }
    let stride = graph.geometry()?.stride;
    let expected = format!("a multiple of the network's stride of {}", stride.x.max(stride.y).max(stride.z));
    let got = match extent {
        Extent { z: 1, y, x } if y == x => x.to_string(),
        Extent { z, y, x } => format!("{z} x {y} x {x}"),
    };
    Err(recipe.source.value("sampling.crop", expected, got).into())
}

fn maker<'t>(recipe: &'t Recipe, scenes: &'t TrainingScenes, censuses: &'t [Census], extent: Extent) -> Result<CropMaker<'t>> {
    let settings = &recipe.settings;
    let largest = largest_ground(&settings.augment, extent);
    let sampler = Sampler::new(&scenes.scenes, censuses, settings, largest)?;
    Ok(CropMaker { scenes: &scenes.scenes, sampler, settings, extent })
}

/// How crops become the network's input.
fn prepare(recipe: &Recipe, scenes: &TrainingScenes, measured: &[BandStatistics]) -> Result<Preparation> {
    let bands = scenes.bands.len();
    let scaling = match recipe.settings.scaling.as_deref() {
        None => measured.iter().map(|band| band.scaling()).collect(),
        Some([one]) => vec![*one; bands],
        Some(several) if several.len() == bands => several.to_vec(),
        Some(several) => {
            let expected = format!("one, or one for each of {bands} bands");
            return Err(recipe.source.value("scaling", expected, several.len().to_string()).into());
        }
    };
    Ok(Preparation { scaling, ranges: band_ranges(&scenes.scenes, measured) })
}

fn card(
    recipe: &Recipe,
    output: &OutputFolder,
    scenes: &TrainingScenes,
    preparation: &Preparation,
    crop: Extent,
) -> Result<ModelCard> {
    let settings = &recipe.settings;
    let path = std::path::absolute(output.path());
    let path = path.map_err(|source| Error::File { action: "find", path: output.path().into(), source })?;
    let classes = settings.classes.iter().zip(0u8..).map(|(class, value)| Class {
        value,
        name: class.name.clone(),
        title: class.title.clone(),
        description: None,
        colour: class.colour,
    });
    let sides: Option<Vec<f64>> =
        scenes.scenes.iter().map(|scene| scene.profile().georeference.pixel_area_m2().map(f64::sqrt)).collect();
    let gsd = sides.map(|sides| GsdRange {
        minimum: sides.iter().copied().fold(f64::INFINITY, f64::min) / GSD_TOLERANCE,
        maximum: sides.iter().copied().fold(0.0, f64::max) * GSD_TOLERANCE,
    });
    // A tile is what the network has learned to see, unless the recipe says otherwise.
    let tiled = |input: &VolumeInput| VolumeInput { tile: input.tile.or(Some(crop.into_array())), ..input.clone() };
    Ok(ModelCard {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        architecture: settings.model.network.clone(),
        bands: scenes.bands.clone(),
        scaling: preparation.scaling.clone(),
        classes: classes.collect(),
        nodata: NODATA,
        activation: ScoreActivation::Softmax,
        dropped: Vec::new(),
        gsd,
        volume: settings.volume.as_ref().map(tiled),
        crf: None,
    })
}
