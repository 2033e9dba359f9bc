//! Step by step.

use std::thread;
use std::time::{Duration, Instant};

use rayon::iter::ParallelIterator as _;
use rayon::slice::ParallelSlice as _;
use swath_models::Model;
use swath_models::train::{Autograd, Loss, Optimizer, Parameters};

use super::checkpoint::{Checkpoint, Progress};
use super::crops::{Crops, Prepared};
use super::output::OutputFolder;
use super::picture;
use super::sampler::Place;
use super::trainer::{Origin, Trainer, reading_threads};
use super::validate::{nothing, validate};
use super::{CropPlace, Metrics, Start, StepReport, TrainError, TrainObserver, TrainReport, Validation};
use crate::{Error, Existing, Result};

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
        let (recipe, output) = (&trainer.recipe, &trainer.output);
        let rule = recipe.settings.optimizer;
        let own = match &trainer.origin {
            Origin::Checkpoint(path) => {
                let Checkpoint { progress, weights, optimizer } = Checkpoint::read(path)?;
                if !recipe.agrees(&progress.recipe) {
                    return Err(TrainError::OtherRecipe { checkpoint: path.clone(), recipe: recipe.path().into() }.into());
                }
                if let Some(change) = trainer.fingerprint.change_since(&progress.data) {
                    return Err(TrainError::OtherData { checkpoint: path.clone(), change }.into());
                }
                let parameters = Parameters::new(&trainer.graph, &weights)?;
                let optimizer = Optimizer::resume(rule, &parameters, &optimizer)?;
                tracing::info!("goes on after step {}", progress.step);
                Self { trainer, autograd, observer, parameters, optimizer, progress, saved: Instant::now() }
            }
            Origin::Weights(initial) => {
                if trainer.start == Start::Fresh(Existing::Overwrite) {
                    output.clear()?;
                }
                output.create()?;
                let parameters = Parameters::new(&trainer.graph, initial)?;
                let optimizer = Optimizer::new(rule, &parameters)?;
                let (recipe, data) = (recipe.text().to_owned(), trainer.fingerprint.clone());
                let progress = Progress { recipe, data, ..Progress::default() };
                let own = Self { trainer, autograd, observer, parameters, optimizer, progress, saved: Instant::now() };
                // From now on, what is in the folder can be gone on from.
                own.write_checkpoint()?;
                own
            }
        };
        output.keep_recipe(recipe.text())?;
        Ok(own)
    }

    /// Goes on to the end.
    pub(super) fn run(mut self) -> Result<TrainReport> {
        let trainer = self.trainer;
        let (recipe, maker) = (&trainer.recipe, trainer.crops()?);
        let accumulate = recipe.settings.accumulate.get() as u64;
        if self.is_validation_due() {
            self.finish_epoch()?;
        }
        let batches = self.progress.step * accumulate..recipe.steps() * accumulate;
        thread::scope(|scope| -> Result<()> {
            let mut crops = Crops::start(scope, &maker, &trainer.preparation, batches, reading_threads(trainer.effort.threads));
            while self.progress.step < recipe.steps() {
                if self.observer.is_cancelled() {
                    self.save()?;
                    return Err(self.interrupted().into());
                }
                let started = Instant::now();
                let Some(report) = self.step(&mut crops)? else { break };
                self.progress.seconds += started.elapsed().as_secs_f64();
                self.observer.step_done(&report);
                self.measure(report)?;
            }
            Ok(())
        })?;
        self.draw_best()?;
        Ok(TrainReport { model: trainer.output.path().into(), metrics: self.progress.metrics, best_iou: self.progress.best })
    }

    fn interrupted(&self) -> TrainError {
        TrainError::Interrupted { step: self.progress.step, checkpoint: self.trainer.output.checkpoint() }
    }

    /// Makes one step; `None` if there are no crops for it.
    fn step(&mut self, crops: &mut Crops) -> Result<Option<StepReport>> {
        let settings = &self.trainer.recipe.settings;
        let accumulate = settings.accumulate.get();
        self.parameters.clear_gradients();
        let (mut loss, mut places) = (0.0, Vec::new());
        for _ in 0..accumulate {
            let Some(prepared) = crops.next().transpose()? else { return Ok(None) };
            loss += self.pass(&settings.loss, &prepared, accumulate)? / accumulate as f64;
            places.extend(prepared.places);
        }
        let rate = settings.schedule.rate(self.progress.step, self.trainer.recipe.steps());
        let stepped = self.trainer.pool.install(|| self.optimizer.step(&mut self.parameters, rate));
        stepped.map_err(|error| self.blame(error, &places))?;
        self.require_finite_weights(&places)?;
        self.progress.step += 1;
        Ok(Some(StepReport { step: self.progress.step, loss, rate }))
    }

    /// Adds the gradients of one batch, of which `accumulate` make a step, and returns its loss.
    fn pass(&mut self, loss: &Loss, prepared: &Prepared, accumulate: usize) -> Result<f64> {
        let mut value = 0.0;
        let share = 1.0 / accumulate as f32;
        let passed = self.trainer.pool.install(|| {
            self.autograd.pass(&mut self.parameters, &prepared.input, &mut |scores| {
                let mut evaluated = loss.evaluate(scores, &prepared.targets)?;
                value = evaluated.value;
                if accumulate > 1 {
                    evaluated.gradient.values_mut().iter_mut().for_each(|x| *x *= share);
                }
                Ok(evaluated.gradient)
            })
        });
        passed.map_err(|error| self.blame(error, &prepared.places))?;
        if value.is_finite() { Ok(value) } else { Err(self.not_finite("loss", value, &prepared.places).into()) }
    }

    /// What goes wrong in a step, with the crops that it comes from.
    fn blame(&self, error: swath_models::Error, places: &[Place]) -> Error {
        match error {
            swath_models::Error::Input { sample, value } => {
                let place = self.crop_place(&places[sample]);
                TrainError::InputNotFinite { step: self.progress.step + 1, value, place }.into()
            }
            // A normalisation spreads what is wrong in one sample over the scores of all.
            swath_models::Error::Score { value, .. } => self.not_finite("score", value.into(), places).into(),
            swath_models::Error::Gradient { value, .. } => self.not_finite("gradient", value.into(), places).into(),
            error => error.into(),
        }
    }

    /// An error if a weight that follows from these crops is not finite: none such is ever written.
    fn require_finite_weights(&self, places: &[Place]) -> Result<(), TrainError> {
        let values = self.parameters.values();
        let wrong = self.trainer.pool.install(|| values.par_chunks(1 << 16).find_map_first(first_wrong));
        wrong.map_or(Ok(()), |value| Err(self.not_finite("weight", value.into(), places)))
    }

    fn not_finite(&self, what: &'static str, value: f64, places: &[Place]) -> TrainError {
        let places = places.iter().map(|place| self.crop_place(place)).collect();
        TrainError::NotFinite { what, step: self.progress.step + 1, value, places }
    }

    fn crop_place(&self, place: &Place) -> CropPlace {
        CropPlace { path: self.trainer.scenes.scenes[place.scene].profile().path.clone(), window: place.window }
    }

    /// Takes note of a step; now and then of how the training goes, and of the network at the end of an epoch.
    fn measure(&mut self, report: StepReport) -> Result<()> {
        self.progress.loss += report.loss;
        self.progress.losses += 1;
        let epoch = self.trainer.recipe.steps_per_epoch();
        let is_end = self.is_validation_due();
        if is_end || report.step.is_multiple_of(epoch.div_ceil(METRICS_PER_EPOCH)) {
            let metrics = Metrics {
                step: report.step,
                epoch: report.step as f64 / epoch as f64,
                rate: report.rate,
                loss: self.progress.loss / self.progress.losses as f64,
                seconds: self.progress.seconds,
                validation: None,
            };
            if !is_end {
                self.observer.measured(&metrics);
            }
            self.progress.metrics.push(metrics);
            (self.progress.loss, self.progress.losses) = (0.0, 0);
        }
        if is_end {
            self.finish_epoch()
        } else if self.saved.elapsed() > CHECKPOINT_EVERY {
            self.save()
        } else {
            Ok(())
        }
    }

    /// Whether an epoch ended that has not been validated.
    fn is_validation_due(&self) -> bool {
        let Progress { step, validated, .. } = self.progress;
        step > validated && step.is_multiple_of(self.trainer.recipe.steps_per_epoch())
    }

    /// Validates and writes all. Until it is written, the network's steps are safe in the checkpoint, from which this is done again.
    fn finish_epoch(&mut self) -> Result<()> {
        let validation = self.validate()?;
        if let Some(last) = self.progress.metrics.last_mut() {
            last.validation = validation;
            self.observer.measured(last);
        }
        self.progress.validated = self.progress.step;
        self.save()
    }

    /// Looks how good the network is, and keeps it if it is the best so far, or if nothing is held back to tell.
    fn validate(&mut self) -> Result<Option<Validation>> {
        let trainer = self.trainer;
        let model = trainer.model(self.parameters.weights());
        if trainer.held_back.is_empty() {
            OutputFolder::publish(trainer.output.path(), &model)?;
            return Ok(None);
        }
        self.write_checkpoint()?;
        let validation = match validate(&trainer.scenes.scenes, &trainer.held_back, &model, self.observer) {
            Ok(validation) => validation,
            // After so few steps that the running statistics are far from those of the data: later ones may be better.
            Err(error @ Error::NotFinite { .. }) => {
                tracing::warn!("no validation after step {}: {error}", self.progress.step);
                return Ok(None);
            }
            Err(error) => return Err(self.unless_cancelled(error)),
        };
        let mean_iou = validation.mean_iou.ok_or_else(|| nothing(&trainer.scenes.scenes))?;
        if self.progress.best.is_none_or(|best| mean_iou > best) {
            OutputFolder::publish(trainer.output.path(), &model)?;
            self.progress.best = Some(mean_iou);
        }
        Ok(Some(validation))
    }

    /// Writes a picture of what the best network makes of what is held back.
    fn draw_best(&self) -> Result<()> {
        let Self { trainer, progress, .. } = self;
        if progress.best.is_none() {
            return Ok(());
        }
        let model = Model::read(trainer.output.path())?;
        picture::draw(&trainer.scenes.scenes, &trainer.held_back, &model, self.observer, &trainer.output.picture())
            .map_err(|error| self.unless_cancelled(error))
    }

    /// An error of labelling, unless that was because the training should stop.
    fn unless_cancelled(&self, error: Error) -> Error {
        if matches!(error, Error::Cancelled { .. }) { self.interrupted().into() } else { error }
    }

    /// Writes the last weights, how it went, and then the checkpoint: what it says is there is there.
    fn save(&mut self) -> Result<()> {
        let output = &self.trainer.output;
        OutputFolder::publish(&output.last(), &self.trainer.model(self.parameters.weights()))?;
        let classes: Vec<String> = self.trainer.card.classes.iter().map(|class| class.name.clone()).collect();
        output.report(&self.progress.metrics, &classes, self.trainer.recipe.steps())?;
        self.write_checkpoint()?;
        self.saved = Instant::now();
        Ok(())
    }

    fn write_checkpoint(&self) -> Result<()> {
        let (weights, optimizer) = (self.parameters.weights(), self.optimizer.state(&self.parameters));
        Checkpoint { progress: self.progress.clone(), weights, optimizer }.write(&self.trainer.output.checkpoint())
    }
}

/// The first value that is not finite.
fn first_wrong(values: &[f32]) -> Option<f32> {
    // All are looked at: without a way out, several at once.
    let is_finite = values.iter().fold(true, |all, x| all & x.is_finite());
    if is_finite { None } else { values.iter().copied().find(|x| !x.is_finite()) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use swath_models::Convolutions;
    use swath_models::train::FusedAutograd;

    use super::super::testing::Workplace;
    use super::super::testing::nifti::Nifti;
    use super::super::{Recipe, TrainOptions};
    use super::*;

    /// Stops a training when it asks for the n-th time.
    struct Impatient {
        asked: AtomicUsize,
        patience: usize,
    }

    impl TrainObserver for Impatient {
        fn step_done(&self, _step: &StepReport) {}

        fn measured(&self, _metrics: &Metrics) {}

        fn is_cancelled(&self) -> bool {
            self.asked.fetch_add(1, Ordering::Relaxed) >= self.patience
        }
    }

    /// A training of eight steps, and a validation in several tiles.
    fn train(workplace: &Workplace, output: &str, patience: usize) -> Result<TrainReport> {
        let more = "validation = { windows = [{ scene = \"scene\", x = 0, y = 0, width = 96, height = 40 }], tile = 64 }";
        let recipe = workplace.recipe(&[["scene.tif", "labels.tif"]], "crop = 32\nsamples = 16", more);
        let output = Some(workplace.path(output).join("model"));
        let trainer = Trainer::new(recipe, &TrainOptions { threads: 1, max_memory: 1 << 30, output, start: Start::Resume })?;
        let mut autograd = FusedAutograd::new(trainer.graph().clone(), Convolutions::Winograd)?;
        trainer.run(&mut autograd, &Impatient { asked: AtomicUsize::new(0), patience })
    }

    #[test]
    fn a_training_that_is_stopped_anywhere_ends_with_the_same_model() {
        let workplace = Workplace::new();
        workplace.raster("scene.tif", [96, 96], |x, y| ((x * 7 + y * 13) % 251) as u8);
        workplace.raster("labels.tif", [96, 96], |x, y| u8::from((x / 16 + y / 16) % 2 == 0));
        assert_stops_leave_no_trace(&workplace, train);
    }

    /// The same on volumes: one is held back, which is validated in several tiles.
    fn train_on_volumes(workplace: &Workplace, output: &str, patience: usize) -> Result<TrainReport> {
        let more = "volume = { axes = \"SPL\", spacing = [1.0, 1.0, 1.5], tile = [16, 16, 16] }";
        let pairs = [["case.nii", "labels.nii"], ["other.nii.gz", "labels.nii"]];
        let model = "network = \"unet_3d\"\nwidths = [2, 3]";
        let path = workplace.recipe_for(model, &pairs, "crop = 8\nsamples = 16", more).path().to_owned();
        let other = "image = \"other.nii.gz\"\n";
        let text = fs::read_to_string(&path).unwrap().replace(other, &format!("{other}role = \"validation\"\n"));
        fs::write(&path, text).unwrap();
        let recipe = Recipe::read(&path)?;
        let output = Some(workplace.path(output).join("model"));
        let trainer = Trainer::new(recipe, &TrainOptions { threads: 1, max_memory: 1 << 30, output, start: Start::Resume })?;
        let mut autograd = FusedAutograd::new(trainer.graph().clone(), Convolutions::Winograd)?;
        trainer.run(&mut autograd, &Impatient { asked: AtomicUsize::new(0), patience })
    }

    #[test]
    fn a_training_on_volumes_that_is_stopped_anywhere_ends_with_the_same_model() {
        let workplace = Workplace::new();
        let value = |x: usize, y: usize, z: usize| ((x * 7 + y * 13 + z * 5) % 251) as f32;
        Nifti::new([20, 18, 16], value).write(&workplace.path("case.nii"));
        Nifti::new([20, 18, 16], value).write(&workplace.path("other.nii.gz"));
        Nifti::new([20, 18, 16], |x, y, z| f32::from((x / 4 + y / 4 + z / 4) % 2 == 0)).write(&workplace.path("labels.nii"));
        assert_stops_leave_no_trace(&workplace, train_on_volumes);
    }

    fn assert_stops_leave_no_trace(workplace: &Workplace, train: fn(&Workplace, &str, usize) -> Result<TrainReport>) {
        let whole = train(workplace, "whole", usize::MAX).unwrap();
        let mut stopped_at = Vec::new();
        for patience in 6..10 {
            let output = format!("stopped_{patience}");
            let report = loop {
                match train(workplace, &output, patience) {
                    Err(Error::Train(error)) => match *error {
                        TrainError::Interrupted { step, .. } if stopped_at.len() < 100 => stopped_at.push(step),
                        other => panic!("{other} after {stopped_at:?}"),
                    },
                    report => break report.unwrap(),
                }
            };
            assert_eq!(report.best_iou.map(f64::to_bits), whole.best_iou.map(f64::to_bits));
            for file in ["model.json", "weights.safetensors", "last/weights.safetensors", "curves.png", "recipe.toml"] {
                let [one, other] =
                    ["whole", &output].map(|output| fs::read(workplace.path(output).join("model").join(file)).unwrap());
                assert!(one == other, "{file} differs");
            }
        }
        // In the middle of the epoch, and in the validation.
        assert!(stopped_at.contains(&6) && stopped_at.contains(&8), "{stopped_at:?}");
    }
}
