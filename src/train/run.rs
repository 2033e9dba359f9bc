//! Step by step.

use std::thread;
use std::time::{Duration, Instant};

use swath_models::train::{Autograd, Batch, Loss, Optimizer, Parameters};

use super::checkpoint::{Checkpoint, Progress};
use super::crops::{Crops, Prepared};
use super::output::OutputFolder;
use super::trainer::{Trainer, reading_threads};
use super::validate::validate;
use super::{Metrics, Start, StepReport, TrainError, TrainObserver, TrainReport, Validation};
use crate::Result;

/// Most time between checkpoints.
const CHECKPOINT_EVERY: Duration = Duration::from_mins(5);

/// Metrics per epoch.
const METRICS_PER_EPOCH: u64 = 20;

/// A training on its way.
pub(super) struct TrainRun<'t> {
    trainer: &'t Trainer,
    autograd: &'t mut dyn Autograd,
    observer: &'t dyn TrainObserver,
    parameters: Parameters,
    optimizer: Optimizer,
    progress: Progress,
    saved: Instant,
}

impl<'t> TrainRun<'t> {
    /// Begins, or goes on where the checkpoint is.
    pub(super) fn new(trainer: &'t Trainer, autograd: &'t mut dyn Autograd, observer: &'t dyn TrainObserver) -> Result<Self> {
        let (recipe, rule, output) = (&trainer.recipe, trainer.recipe.settings.optimizer, &trainer.output);
        let path = output.checkpoint();
        let (parameters, optimizer, progress) = if trainer.start == Start::Resume && path.exists() {
            let checkpoint = Checkpoint::read(&path)?;
            if checkpoint.progress.recipe != recipe.digest() {
                return Err(TrainError::OtherRecipe { checkpoint: path, recipe: recipe.path().into() }.into());
            }
            let parameters = Parameters::new(&trainer.graph, &checkpoint.weights)?;
            let optimizer = Optimizer::resume(rule, &parameters, &checkpoint.optimizer)?;
            tracing::info!("goes on after step {}", checkpoint.progress.step);
            (parameters, optimizer, checkpoint.progress)
        } else {
            if trainer.start == Start::Resume {
                tracing::info!("{} is not there: starts at the first step", path.display());
            }
            output.clear()?;
            let parameters = Parameters::new(&trainer.graph, &trainer.initial)?;
            let optimizer = Optimizer::new(rule, &parameters)?;
            (parameters, optimizer, Progress { recipe: recipe.digest(), ..Progress::default() })
        };
        output.keep_recipe(recipe.text())?;
        Ok(Self { trainer, autograd, observer, parameters, optimizer, progress, saved: Instant::now() })
    }

    /// Goes on to the end.
    pub(super) fn run(mut self) -> Result<TrainReport> {
        let trainer = self.trainer;
        let (recipe, maker) = (&trainer.recipe, trainer.crops()?);
        let accumulate = recipe.settings.accumulate.get() as u64;
        let batches = self.progress.step * accumulate..recipe.steps() * accumulate;
        thread::scope(|scope| -> Result<()> {
            let mut crops = Crops::start(scope, &maker, &trainer.preparation, batches, reading_threads(trainer.effort.threads));
            while self.progress.step < recipe.steps() {
                if self.observer.is_cancelled() {
                    self.save()?;
                    let (step, checkpoint) = (self.progress.step, trainer.output.checkpoint());
                    return Err(TrainError::Interrupted { step, checkpoint }.into());
                }
                let started = Instant::now();
                let Some(report) = self.step(&mut crops)? else { break };
                self.progress.seconds += started.elapsed().as_secs_f64();
                self.observer.step_done(&report);
                self.measure(report)?;
            }
            Ok(())
        })?;
        Ok(TrainReport { model: trainer.output.path().into(), metrics: self.progress.metrics, best_iou: self.progress.best })
    }

    /// Makes one step; `None` if there are no crops for it.
    fn step(&mut self, crops: &mut Crops) -> Result<Option<StepReport>> {
        let settings = &self.trainer.recipe.settings;
        let accumulate = settings.accumulate.get();
        self.parameters.clear_gradients();
        let mut loss = 0.0;
        for _ in 0..accumulate {
            let Some(prepared) = crops.next().transpose()? else { return Ok(None) };
            loss += self.pass(&settings.loss, &prepared, accumulate)? / accumulate as f64;
        }
        let rate = settings.schedule.rate(self.progress.step, self.trainer.recipe.steps());
        self.trainer.pool.install(|| self.optimizer.step(&mut self.parameters, rate))?;
        self.progress.step += 1;
        Ok(Some(StepReport { step: self.progress.step, loss, rate }))
    }

    /// Adds the gradients of one batch, of which `accumulate` make a step, and returns its loss.
    fn pass(&mut self, loss: &Loss, prepared: &Prepared, accumulate: usize) -> Result<f64> {
        let mut value = 0.0;
        let mut wrong = None;
        let share = 1.0 / accumulate as f32;
        let passed = self.trainer.pool.install(|| {
            self.autograd.pass(&mut self.parameters, &prepared.input, &mut |scores| {
                wrong = first_wrong(scores);
                let mut evaluated = loss.evaluate(scores, &prepared.targets)?;
                value = evaluated.value;
                if accumulate > 1 {
                    evaluated.gradient.values_mut().iter_mut().for_each(|x| *x *= share);
                }
                Ok(evaluated.gradient)
            })
        });
        if let Some((sample, value)) = wrong {
            return Err(self.not_finite("score", value.into(), prepared, sample).into());
        }
        passed?;
        if value.is_finite() { Ok(value) } else { Err(self.not_finite("loss", value, prepared, 0).into()) }
    }

    fn not_finite(&self, what: &'static str, value: f64, prepared: &Prepared, sample: usize) -> TrainError {
        let place = prepared.places[sample];
        let path = self.trainer.scenes.scenes[place.scene].profile().path.clone();
        TrainError::NotFinite { what, step: self.progress.step + 1, value, path, window: place.window }
    }

    /// Takes note of a step; now and then of how the training goes, and of the network at the end of an epoch.
    fn measure(&mut self, report: StepReport) -> Result<()> {
        self.progress.loss += report.loss;
        self.progress.losses += 1;
        let epoch = self.trainer.recipe.steps_per_epoch();
        let is_end = report.step.is_multiple_of(epoch);
        if is_end || report.step.is_multiple_of(epoch.div_ceil(METRICS_PER_EPOCH)) {
            let metrics = Metrics {
                step: report.step,
                epoch: report.step as f64 / epoch as f64,
                rate: report.rate,
                loss: self.progress.loss / self.progress.losses as f64,
                seconds: self.progress.seconds,
                validation: if is_end { self.validate()? } else { None },
            };
            self.observer.measured(&metrics);
            self.progress.metrics.push(metrics);
            (self.progress.loss, self.progress.losses) = (0.0, 0);
        }
        if is_end || self.saved.elapsed() > CHECKPOINT_EVERY { self.save() } else { Ok(()) }
    }

    /// Looks how good the network is, and keeps it if it is the best so far, or if nothing is held back to tell.
    fn validate(&mut self) -> Result<Option<Validation>> {
        let trainer = self.trainer;
        let model = trainer.model(self.parameters.weights());
        let scenes = &trainer.scenes.scenes;
        if scenes.iter().all(|scene| scene.held_back.is_empty()) {
            OutputFolder::publish(trainer.output.path(), &model)?;
            return Ok(None);
        }
        let validation = Validation::new(&validate(scenes, &model, trainer.effort)?);
        let mean_iou = validation.mean_iou.unwrap_or(0.0);
        if self.progress.best.is_none_or(|best| mean_iou > best) {
            OutputFolder::publish(trainer.output.path(), &model)?;
            self.progress.best = Some(mean_iou);
        }
        Ok(Some(validation))
    }

    /// Writes the last weights, how it went, and then the checkpoint: what it says is there is there.
    fn save(&mut self) -> Result<()> {
        let output = &self.trainer.output;
        let weights = self.parameters.weights();
        OutputFolder::publish(&output.last(), &self.trainer.model(weights.clone()))?;
        let classes: Vec<String> = self.trainer.card.classes.iter().map(|class| class.name.clone()).collect();
        output.report(&self.progress.metrics, &classes, self.trainer.recipe.steps())?;
        let optimizer = self.optimizer.state(&self.parameters);
        Checkpoint { progress: self.progress.clone(), weights, optimizer }.write(&output.checkpoint())?;
        self.saved = Instant::now();
        Ok(())
    }
}

/// The first sample with a score that is not finite, and that score.
fn first_wrong(scores: &Batch) -> Option<(usize, f32)> {
    let at = scores.values().iter().position(|score| !score.is_finite())?;
    Some((at / scores.shape().elements(), scores.values()[at]))
}
