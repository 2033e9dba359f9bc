//! A model that is ready to label volumes.

use std::path::Path;
use std::time::Duration;

use rayon::ThreadPool;
use swath_models::{
    Arithmetic, Augmentation, Augmented, Axes, Executor, Fused, Model, ModelCard, Oriented, PixelType, VolumeInput,
};
use swath_volumes::LabelClass;

use super::after::AfterSteps;
use super::files::VolumeFiles;
use super::labels::{Finished, LabelPlanes, PlaneSink, Wanted};
use super::planes::Planes;
use super::scratch::SLAB;
use super::source::{ReaderClocks, Volume, VolumeChoice};
use crate::pipeline::{self, Observer};
use crate::plan::{Layers, Plan, PlanRequest, Storage, Stored, VolumeMemory};
use crate::segment::Origin;
use crate::sink::colours;
use crate::source::RasterSource as _;
use crate::{Error, LayerEncoding, Location, Result, Stage, Timings};

/// A model that is ready to label volumes. Unlike for scenes, tiles are stitched as the network gives their scores (logits, if the card says that a
/// softmax or sigmoid is lacking), as MONAI and nnU-Net do.
pub struct VolumeSegmenter {
    pub(super) card: ModelCard,
    pub(super) input: VolumeInput,
    pub(super) executor: Box<dyn Executor>,
    pub(super) augmentation: Augmentation,
    pub(super) origin: Origin,
}

/// What is called with planes of labels.
struct Write<F>(F);

impl<F: FnMut(&[u8]) -> Result<()> + Send> PlaneSink for Write<F> {
    fn take(&mut self, finished: Finished<'_>) -> Result<()> {
        (self.0)(finished.labels)
    }
}

impl std::fmt::Debug for VolumeSegmenter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VolumeSegmenter")
            .field("card", &self.card)
            .field("augmentation", &self.augmentation)
            .finish_non_exhaustive()
    }
}

impl VolumeSegmenter {
    /// Reads a model folder and makes it ready.
    ///
    /// # Errors
    /// If a file of it is missing or damaged, card, graph and weights disagree, or the card does not say how volumes are prepared.
    pub fn open(folder: &Path, arithmetic: Arithmetic) -> Result<Self> {
        let model = Model::read(folder)?;
        let origin = Origin::of(folder, &model.card)?;
        Self::ready(model, arithmetic, origin)
    }

    /// The same for a model in memory.
    pub(crate) fn new(model: Model, arithmetic: Arithmetic) -> Result<Self> {
        let origin = Origin::bundled(&model.card);
        Self::ready(model, arithmetic, origin)
    }

    fn ready(Model { card, graph, weights }: Model, arithmetic: Arithmetic, origin: Origin) -> Result<Self> {
        let Some(input) = card.volume.clone() else { return Err(Error::NoVolumes { model: card.name }) };
        let executor = Box::new(Fused::new(graph, &weights, arithmetic)?);
        Ok(Self { card, input, executor, augmentation: Augmentation::none(), origin })
    }

    /// The same, with each tile looked at in several views whose scores are averaged, as nnU-Net does.
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

    /// What the model needs and what its labels mean.
    #[must_use]
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Looks at a volume; its voxels are not read.
    ///
    /// # Errors
    /// If there is none, it is damaged, or there are several and none is chosen.
    pub fn volume(&self, files: VolumeFiles, choice: &VolumeChoice) -> Result<Volume> {
        Volume::open(files, choice, &self.input)
    }

    /// Plans how a volume is labelled. The tile is the user's, else the card's, else the largest that fits.
    ///
    /// # Errors
    /// If the request does not fit the network, or no tiling fits in memory; the error says what would do.
    pub fn plan(&self, volume: &Volume, request: &PlanRequest, after: AfterSteps) -> Result<Plan> {
        refuse(request, volume.location())?;
        let executor = Oriented::new(self.executor.as_ref(), volume.orientation());
        let tile = self.input.tile.filter(|_| request.tile.is_none());
        let executor = tile.into_iter().fold(executor, |executor, tile| executor.with_tile(Axes::from_array(tile)));
        let stored = Stored { bytes: volume.stored_profile().sample.bytes(), pixels: PixelType::F32 };
        let storage = Storage::Volume(self.memory(volume, Wanted::of(request.layers), request.threads, after));
        Plan::with_profile(volume.profile(), storage, stored, &executor, request)
    }

    fn memory(&self, volume: &Volume, wanted: Wanted, threads: usize, after: AfterSteps) -> VolumeMemory {
        let channels = self.executor.graph().output_channels();
        let (stored, grid) = (volume.size(), volume.profile().size);
        let own = stored.height * stored.width * size_of::<f32>();
        let plane = grid.height * grid.width * size_of::<f32>();
        let depth = volume.orientation().depth_axis();
        let beside = Planes::BESIDE + if depth == 0 { volume.slices() - 1 } else { 0 };
        let labels = SLAB.min(stored.area()).max(stored.height * stored.width);
        // Runs of equal labels: of twelve bytes each, one for every eight voxels, which is more than anatomy has.
        let runs = if after.is_none() { 0 } else { stored.area() / 8 * 12 };
        VolumeMemory {
            fixed: 2 * own + beside * plane + LabelPlanes::fixed_bytes(volume, channels, wanted, threads),
            read: plane,
            finished: LabelPlanes::plane_bytes(volume, channels, wanted),
            // Labels as they are read and written, and blocks that are being compressed.
            finish: 4 * labels + runs,
        }
    }

    /// Labels a volume; `write` is called with its own planes in order, `(planes, height, width)`.
    pub(crate) fn label(
        &self,
        volume: &Volume,
        plan: &Plan,
        pool: &ThreadPool,
        observer: &dyn Observer,
        write: impl FnMut(&[u8]) -> Result<()> + Send,
    ) -> Result<Timings> {
        let planes = self.planes(volume, Wanted::Labels, 0, pool);
        self.find(volume, plan, planes, observer, &mut Write(write))
    }

    /// What makes the volume's own planes from `next` on of scores.
    pub(super) fn planes<'v>(&self, volume: &'v Volume, wanted: Wanted, next: usize, pool: &'v ThreadPool) -> LabelPlanes<'v> {
        LabelPlanes::new(&self.card, volume, self.executor.graph().output_channels(), wanted, next, pool)
    }

    /// Labels what a plan is for.
    pub(super) fn find(
        &self,
        volume: &Volume,
        plan: &Plan,
        mut planes: LabelPlanes<'_>,
        observer: &dyn Observer,
        sink: &mut dyn PlaneSink,
    ) -> Result<Timings> {
        let executor = Oriented::new(self.executor.as_ref(), volume.orientation());
        let timings = pipeline::run(volume, &executor, &self.card.scaling, plan, observer, |scores| planes.take(scores, sink))?;
        Ok(apart(volume, planes.restoring(), timings))
    }

    /// The classes as files have them.
    pub(super) fn classes(&self) -> Vec<LabelClass> {
        let colours = colours(&self.card.classes);
        let class = |(class, colour): (&swath_models::Class, &swath_models::Colour)| LabelClass {
            value: class.value.into(),
            name: class.name.clone(),
            colour: Some([colour.red, colour.green, colour.blue]),
        };
        self.card.classes.iter().zip(&colours).map(class).collect()
    }
}

/// An error for what is asked for of a volume and only scenes have.
pub(super) fn refuse(request: &PlanRequest, volume: &Location) -> Result<()> {
    let what = match request.layers {
        _ if request.window.is_some() => "a window",
        Layers { probabilities: Some(LayerEncoding::U8), .. } => "probabilities in 8 bits",
        Layers { confidence: Some(_), .. } => "confidence",
        _ => return Ok(()),
    };
    Err(Error::NotForVolumes { what, path: volume.shown() })
}

/// Timings in which what reader and sink do beside reading and writing has stages of its own.
fn apart(volume: &Volume, restoring: Duration, mut timings: Timings) -> Timings {
    let ReaderClocks { preparing, resampling } = volume.clocks();
    let (preparing, resampling) = (preparing.take(), resampling.take());
    timings.reading.busy = timings.reading.busy.saturating_sub(preparing + resampling);
    timings.scaling.busy += preparing;
    timings.writing.busy = timings.writing.busy.saturating_sub(restoring);
    if volume.is_resampled() {
        timings.resampling = Stage { threads: timings.reading.threads, busy: resampling, ..Stage::default() };
        timings.restoring = Stage { threads: timings.writing.threads, busy: restoring, ..Stage::default() };
    }
    timings
}
