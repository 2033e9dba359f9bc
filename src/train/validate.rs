//! How good a network is on what is held back.

use std::sync::mpsc::sync_channel;
use std::thread;

use swath_models::train::Targets;
use swath_models::{Arithmetic, Convolutions, Executor, Fused, Model, PixelType, Precision};
use swath_tiling::Window;

use super::census::Census;
use super::scene::TrainingScene;
use super::volume_validation;
use super::{TrainError, TrainObserver, Validation};
use crate::evaluate::ConfusionMatrix;
use crate::labels::Labeller;
use crate::pipeline::{self, Observer};
use crate::plan::{Plan, PlanRequest, Storage, Stored, Tiles};
use crate::{Error, Result};

/// Side of the tiles, in pixels, where the recipe does not say.
const TILE: usize = 512;

/// What a validation may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effort {
    /// Side of the tiles, in pixels.
    pub(super) tile: Option<usize>,
    pub(super) threads: usize,
    /// Bytes.
    pub(super) max_memory: usize,
}

/// An error if there are no labels in what is held back, by the censuses of the scenes.
pub(super) fn check(scenes: &[TrainingScene], censuses: &[Census]) -> Result<()> {
    let holds_back = scenes.iter().any(|scene| !scene.held_back.is_empty());
    let has_labels = censuses.iter().any(|census| census.held_back().iter().any(|count| *count > 0));
    if holds_back && !has_labels { Err(nothing(scenes).into()) } else { Ok(()) }
}

/// The error that there is nothing to validate with, although something is held back.
pub(super) fn nothing(scenes: &[TrainingScene]) -> TrainError {
    let named = |scene: &TrainingScene| {
        let windows: Vec<String> = scene.held_back.iter().map(ToString::to_string).collect();
        format!("{} of {}", windows.join(", "), scene.name)
    };
    let scenes = scenes.iter().filter(|scene| !scene.held_back.is_empty());
    TrainError::NothingToValidate { windows: scenes.map(named).collect::<Vec<_>>().join("; ") }
}

/// A window that is held back, and how it is labelled.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HeldBack {
    /// The scene's place.
    pub(super) scene: usize,
    pub(super) window: Window,
    pub(super) plan: Plan,
}

/// Plans everything that is held back; `model` is one of the training's, with any weights.
pub(super) fn plan(scenes: &[TrainingScene], model: &Model, effort: Effort) -> Result<Vec<HeldBack>> {
    if model.card.volume.is_some() {
        return volume_validation::plan(scenes, model, effort);
    }
    let executor = executor(model)?;
    let stride = executor.graph().geometry()?.stride;
    let tile = effort.tile.unwrap_or(TILE).next_multiple_of(stride.x.max(stride.y));
    let stored = Stored { bytes: model.card.bands.len() * size_of::<f32>(), pixels: PixelType::F32 };
    let windows = scenes.iter().enumerate().flat_map(|(at, scene)| scene.held_back.iter().map(move |window| (at, *window)));
    let plans = windows.map(|(scene, window)| {
        let request = PlanRequest {
            tile: Some(tile),
            window: Some(window),
            tiles: Tiles::Keep,
            ..PlanRequest::new(effort.max_memory, effort.threads)
        };
        Ok(HeldBack {
            scene,
            window,
            plan: Plan::with_profile(scenes[scene].profile(), Storage::Local, stored, &executor, &request)?,
        })
    });
    plans.collect()
}

impl HeldBack {
    /// Bytes that labelling it takes, beside the program and GDAL's cache.
    pub(super) fn bytes(&self) -> usize {
        let memory = &self.plan.memory;
        memory.total() - memory.base - memory.cache
    }
}

fn executor(model: &Model) -> Result<Fused> {
    let arithmetic = Arithmetic { precision: Precision::F32, convolutions: Convolutions::Winograd };
    Ok(Fused::new(model.probabilities(), &model.weights, arithmetic)?)
}

/// Labels all that is held back, in overlapping tiles as scenes and volumes are labelled, and counts right and wrong pixels.
pub(super) fn validate(
    scenes: &[TrainingScene],
    held_back: &[HeldBack],
    model: &Model,
    observer: &dyn TrainObserver,
) -> Result<Validation> {
    if model.card.volume.is_some() {
        return volume_validation::validate(scenes, held_back, model, observer);
    }
    let executor = executor(model)?;
    let mut matrix = ConfusionMatrix::new(model.card.classes.iter().map(|class| class.name.clone()));
    for part in held_back {
        label(&scenes[part.scene], part, model, &executor, observer, &mut |block| {
            matrix.add(&block.truth, &block.labels, Some(Targets::IGNORE))
        })?;
    }
    Ok(Validation::new(&matrix))
}

/// Labels one part of what is held back of a scene, block by block.
pub(super) fn label_part(
    scenes: &[TrainingScene],
    part: &HeldBack,
    model: &Model,
    observer: &dyn TrainObserver,
    take: &mut dyn FnMut(&Block) -> Result<()>,
) -> Result<()> {
    label(&scenes[part.scene], part, model, &executor(model)?, observer, take)
}

/// Labels beside the truth.
pub(super) struct Block {
    pub(super) window: Window,
    /// Classes, `(height, width)`; [`Targets::IGNORE`] also where the scene has no data.
    pub(super) truth: Vec<u8>,
    pub(super) labels: Vec<u8>,
}

/// Lets a validation stop when the training should.
pub(super) struct Watcher<'o>(pub(super) &'o dyn TrainObserver);

impl Observer for Watcher<'_> {
    fn tile_done(&self, _pixels: usize) {}

    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// Labels one window and hands out its pixels.
fn label(
    scene: &TrainingScene,
    part: &HeldBack,
    model: &Model,
    executor: &dyn Executor,
    observer: &dyn TrainObserver,
    take: &mut dyn FnMut(&Block) -> Result<()>,
) -> Result<()> {
    let labeller = Labeller::new(&model.card, None);
    let path = || scene.profile().path.clone();
    thread::scope(|scope| {
        // The labels are read by one thread, with one handle.
        let (send, blocks) = sync_channel(1);
        let labeller = &labeller;
        let running = scope.spawn(move || {
            pipeline::run(scene.image.source(), executor, &model.card.scaling, &part.plan, &Watcher(observer), |scores| {
                let labels = labeller.label(&scores).values;
                // Whoever stopped counting says why.
                send.send((scores.window, labels, scores.valid)).map_err(|_gone| Error::Cancelled { path: path() })
            })
        });
        let mut reader = scene.reader()?;
        let count = || -> Result<()> {
            for (window, labels, valid) in blocks {
                let mut truth = reader.labels(window)?;
                truth.iter_mut().zip(valid).filter(|(_, valid)| !valid).for_each(|(class, _)| *class = Targets::IGNORE);
                take(&Block { window, truth, labels })?;
            }
            Ok(())
        };
        count()?;
        running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(())
    })
}
