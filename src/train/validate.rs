//! How good a network is on what is held back.

use std::sync::mpsc::sync_channel;
use std::thread;

use swath_models::train::Targets;
use swath_models::{Arithmetic, Convolutions, Executor, Fused, Model, Precision};
use swath_tiling::Window;

use super::scene::TrainingScene;
use crate::evaluate::ConfusionMatrix;
use crate::labels::Labeller;
use crate::pipeline::{self, NoObserver};
use crate::plan::{Plan, PlanRequest, Tiles};
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

/// Labels all that is held back, in overlapping tiles as scenes are labelled, and counts right and wrong pixels.
pub(super) fn validate(scenes: &[TrainingScene], model: &Model, effort: Effort) -> Result<ConfusionMatrix> {
    let arithmetic = Arithmetic { precision: Precision::F32, convolutions: Convolutions::Winograd };
    let executor = Fused::new(model.probabilities(), &model.weights, arithmetic)?;
    let mut matrix = ConfusionMatrix::new(model.card.classes.iter().map(|class| class.name.clone()));
    for scene in scenes {
        for window in &scene.held_back {
            label(scene, *window, model, &executor, effort, &mut matrix)?;
        }
    }
    Ok(matrix)
}

/// Labels one window and adds its pixels.
fn label(
    scene: &TrainingScene,
    window: Window,
    model: &Model,
    executor: &dyn Executor,
    effort: Effort,
    matrix: &mut ConfusionMatrix,
) -> Result<()> {
    let stride = executor.graph().geometry()?.stride;
    let tile = effort.tile.unwrap_or(TILE).next_multiple_of(stride.x.max(stride.y));
    let request = PlanRequest {
        tile: Some(tile),
        window: Some(window),
        tiles: Tiles::Keep,
        ..PlanRequest::new(effort.max_memory, effort.threads)
    };
    let bytes = model.card.bands.len() * size_of::<f32>();
    let plan = Plan::with_profile(scene.profile(), bytes, executor, &request)?;
    let labeller = Labeller::new(&model.card);
    let path = || scene.profile().path.clone();
    thread::scope(|scope| {
        // The labels are read by one thread, with one handle.
        let (send, blocks) = sync_channel(1);
        let (plan, labeller) = (&plan, &labeller);
        let running = scope.spawn(move || {
            pipeline::run(&scene.image, executor, &model.card.scaling, plan, &NoObserver, |scores| {
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
                matrix.add(&truth, &labels, Some(Targets::IGNORE))?;
            }
            Ok(())
        };
        count()?;
        running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(())
    })
}
