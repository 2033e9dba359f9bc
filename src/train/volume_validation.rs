//! How good a network is on volumes that are held back.

use rayon::ThreadPoolBuilder;
use swath_models::train::Targets;
use swath_models::{Arithmetic, Convolutions, Model, Precision};

use super::label_volume::StoredLabels;
use super::scene::TrainingScene;
use super::validate::{Effort, HeldBack, Watcher};
use super::{TrainObserver, Validation};
use crate::Result;
use crate::evaluate::ConfusionMatrix;
use crate::plan::{Plan, PlanRequest, Tiles};
use crate::volume::{AfterSteps, Volume, VolumeSegmenter};

/// Plans all volumes that are held back, as they would be to label them.
pub(super) fn plan(scenes: &[TrainingScene], model: &Model, effort: Effort) -> Result<Vec<HeldBack>> {
    let segmenter = segmenter(model)?;
    let mut planned = Vec::new();
    for (scene, own) in scenes.iter().enumerate().filter(|(_, scene)| !scene.held_back.is_empty()) {
        let Some((volume, _)) = own.volume() else { continue };
        let request =
            PlanRequest { tile: effort.tile, tiles: Tiles::Keep, ..PlanRequest::new(effort.max_memory, effort.threads) };
        let plan = segmenter.plan(volume, &request, AfterSteps::default())?;
        planned.push(HeldBack { scene, window: own.all(), plan });
    }
    Ok(planned)
}

/// Labels all volumes that are held back, as they would be, and compares their own voxels.
pub(super) fn validate(
    scenes: &[TrainingScene],
    held_back: &[HeldBack],
    model: &Model,
    observer: &dyn TrainObserver,
) -> Result<Validation> {
    let segmenter = segmenter(model)?;
    let names = || model.card.classes.iter().map(|class| class.name.clone());
    let (mut all, mut volumes) = (ConfusionMatrix::new(names()), Vec::new());
    for part in held_back {
        let Some((volume, labels)) = scenes[part.scene].volume() else { continue };
        let mut own = ConfusionMatrix::new(names());
        label(volume, labels, &segmenter, &part.plan, observer, |plane| {
            all.add(&plane.truth, plane.labels, Some(Targets::IGNORE))?;
            own.add(&plane.truth, plane.labels, Some(Targets::IGNORE))
        })?;
        volumes.push(own);
    }
    Ok(Validation::new(&all).with_volumes(&volumes))
}

/// A plane of a volume as it is stored.
pub(super) struct LabelledPlane<'p> {
    pub(super) z: usize,
    /// Classes, `(height, width)`; [`Targets::IGNORE`] also where the volume has no value.
    pub(super) truth: Vec<u8>,
    pub(super) labels: &'p [u8],
}

/// Labels one part of what is held back, plane by plane.
pub(super) fn label_part(
    scene: &TrainingScene,
    part: &HeldBack,
    model: &Model,
    observer: &dyn TrainObserver,
    take: impl FnMut(&LabelledPlane<'_>) -> Result<()> + Send,
) -> Result<()> {
    let Some((volume, labels)) = scene.volume() else { return Ok(()) };
    label(volume, labels, &segmenter(model)?, &part.plan, observer, take)
}

fn label(
    volume: &Volume,
    labels: &StoredLabels,
    segmenter: &VolumeSegmenter,
    plan: &Plan,
    observer: &dyn TrainObserver,
    mut take: impl FnMut(&LabelledPlane<'_>) -> Result<()> + Send,
) -> Result<()> {
    let pool = ThreadPoolBuilder::new().num_threads(plan.threads).build()?;
    let plane = volume.size().height * volume.size().width;
    let nodata = segmenter.card().nodata;
    let (mut reader, mut z) = (labels.reader()?, 0);
    segmenter.label(volume, plan, &pool, &Watcher(observer), |planes| {
        for labels in planes.chunks_exact(plane) {
            let mut truth = reader.read(z)?;
            truth.iter_mut().zip(labels).filter(|(_, label)| **label == nodata).for_each(|(class, _)| *class = Targets::IGNORE);
            take(&LabelledPlane { z, truth, labels })?;
            z += 1;
        }
        Ok(())
    })?;
    Ok(())
}

fn segmenter(model: &Model) -> Result<VolumeSegmenter> {
    VolumeSegmenter::new(model.clone(), Arithmetic { precision: Precision::F32, convolutions: Convolutions::Winograd })
}
