//! `swath train`.

use std::io::{self, IsTerminal as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use serde_json::{Value, json};
use swath::Existing;
use swath::train::{
    FirstWeights, Metrics, Recipe, Start, StepReport, TrainObserver, TrainOptions, TrainReport, TrainSummary, Trainer,
};
use swath_models::train::{Autograd, CandleAutograd, Device, FusedAutograd, Transfer};
use swath_models::{Convolutions, Graph, TensorSpec};

use super::args::{ProgressStyle, TrainArgs};
use super::bytes::{show_bytes, show_count};
use super::fail::{AnyError, Exit};
use super::parse::TrainDevice;
use super::progress::{Due, add_bar, suspended};
use super::request::{cores, half_of_free_memory};
use super::{interrupt, print, words};

pub(super) fn run(args: &TrainArgs) -> Result<Exit, AnyError> {
    interrupt::watch()?;
    let recipe = Recipe::read(&args.recipe)?;
    let start = match (args.resume, args.overwrite || args.dry_run) {
        (true, _) => Start::Resume,
        (false, true) => Start::Fresh(Existing::Overwrite),
        (false, false) => Start::Fresh(Existing::Refuse),
    };
    let options = TrainOptions {
        threads: args.threads.map_or_else(cores, usize::from),
        max_memory: args.max_memory.map_or_else(half_of_free_memory, Ok)?,
        output: args.output.clone(),
        start,
    };
    let trainer = Trainer::new(recipe, &options)?;
    if let Some(FirstWeights { transfer, changes }) = trainer.first_weights() {
        for change in changes {
            tracing::info!("weights: {change}");
        }
        log_transfer(transfer);
    }
    log_summary(&trainer);
    if args.dry_run {
        if args.json {
            let TrainSummary { parameters, steps, steps_per_epoch, crops, memory, .. } = trainer.summary();
            print::line(json!({
                "parameters": parameters,
                "steps": steps,
                "steps_per_epoch": steps_per_epoch,
                "crops": crops,
                "memory": memory,
            }))?;
        }
        return Ok(Exit::Done);
    }
    let mut autograd = autograd(args.device, trainer.graph())?;
    let progress = TrainProgress::new(args.progress, trainer.summary().steps);
    let report = trainer.run(autograd.as_mut(), &progress);
    progress.finish();
    show(args, &trainer, &report?)?;
    Ok(Exit::Done)
}

/// What computes the gradients.
fn autograd(device: TrainDevice, graph: &Graph) -> swath_models::Result<Box<dyn Autograd>> {
    let cuda = |ordinal| CandleAutograd::new(graph.clone(), Device::Cuda { ordinal });
    match device {
        TrainDevice::Cuda { ordinal } => return Ok(Box::new(cuda(ordinal)?)),
        TrainDevice::Auto if cfg!(feature = "candle-cuda") => match cuda(0) {
            Ok(candle) => return Ok(Box::new(candle)),
            Err(error) => tracing::info!("training on the CPU: {error}"),
        },
        TrainDevice::Auto | TrainDevice::Cpu => {}
    }
    Ok(Box::new(FusedAutograd::new(graph.clone(), Convolutions::Winograd)?))
}

/// Says what was taken over from other weights, and what was not.
fn log_transfer(transfer: &Transfer) {
    let list = |what: &str, names: Vec<String>| {
        if !names.is_empty() {
            tracing::info!("weights {what} ({}): {}", names.len(), names.join(", "));
        }
    };
    let names = |specs: &[TensorSpec]| specs.iter().map(|spec| spec.name.clone()).collect();
    list("loaded", names(&transfer.loaded));
    list("new, as the file does not have them", names(&transfer.missing));
    let misshapen = transfer.misshapen.iter().map(|m| format!("{} {:?} instead of {:?}", m.wanted.name, m.found, m.wanted.shape));
    list("new, as the file has them in another shape", misshapen.collect());
    list("of the file that the network does not have", names(&transfer.unused));
}

fn log_summary(trainer: &Trainer) {
    let TrainSummary { scenes, classes, parameters, steps, steps_per_epoch, crops, memory } = trainer.summary();
    let shares = |counts: &[u64]| {
        let total: u64 = counts.iter().sum();
        let share = |(name, count): (&String, &u64)| format!("{name} {:.1} %", 100.0 * *count as f64 / total.max(1) as f64);
        let shares: Vec<String> = classes.iter().zip(counts).map(share).collect();
        format!("{} labelled pixels: {}", show_count(total as f64), shares.join(", "))
    };
    for scene in &scenes {
        let reduced = if scene.factor > 1 { format!(", reduced by {}", scene.factor) } else { String::new() };
        tracing::info!("{}: {}{reduced}; {}", scene.name, scene.size, shares(&scene.training));
        if scene.validation.iter().any(|count| *count > 0) {
            tracing::info!("{}, held back: {}", scene.name, shares(&scene.validation));
        }
    }
    let card = trainer.card();
    for (band, scaling) in card.bands.iter().zip(&card.scaling) {
        tracing::info!("band {band}: {}", words::scaling(*scaling));
    }
    tracing::info!(
        "{}: {} parameters, {steps} steps of which {steps_per_epoch} are an epoch, {crops} crops, about {} of memory",
        card.architecture,
        show_count(parameters as f64),
        show_bytes(memory as u64)
    );
}

/// Prints what the training made.
fn show(args: &TrainArgs, trainer: &Trainer, report: &TrainReport) -> Result<(), AnyError> {
    let last = report.metrics.iter().rev().find_map(|metrics| metrics.validation.as_ref());
    if args.json {
        let line = json!({
            "model": report.model,
            "steps": trainer.summary().steps,
            "best_mean_iou": report.best_iou,
            "last": last,
            "seconds": report.metrics.last().map(|metrics| metrics.seconds),
        });
        return Ok(print::line(line)?);
    }
    print::line(report.model.display())?;
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    if let Some(last) = last {
        let mut rows = vec![["  class", "IoU", "F1"].map(String::from).to_vec()];
        for ((class, iou), f1) in trainer.card().classes.iter().zip(&last.iou).zip(&last.f1) {
            rows.push(vec![format!("  {}", class.label()), figure(*iou), figure(*f1)]);
        }
        rows.push(vec!["  mean".into(), figure(last.mean_iou), figure(last.mean_f1)]);
        if let Some(dice) = &last.dice {
            rows[0].push("Dice".into());
            rows.iter_mut().skip(1).zip(dice).for_each(|(row, dice)| row.push(figure(*dice)));
            rows.iter_mut().skip(1 + dice.len()).for_each(|row| row.push(figure(last.mean_dice)));
        }
        rows.push(vec!["  best mean".into(), figure(report.best_iou)]);
        print::table(&rows)?;
    }
    Ok(())
}

/// Shows how far a training is, and hears of Ctrl-C.
struct TrainProgress {
    steps: u64,
    display: Display,
    shown: Mutex<Shown>,
}

/// What is shown beside the steps.
#[derive(Default)]
struct Shown {
    /// Mean of the losses so far, of which later ones count for more.
    loss: Option<f64>,
    /// The mean `IoU` that was found last.
    mean_iou: Option<f64>,
    /// The first step of this run that was done.
    first: Option<FirstStep>,
}

/// By which the pace is known.
#[derive(Clone, Copy)]
struct FirstStep {
    step: u64,
    done: Instant,
}

/// How much of the mean loss is kept at each step.
const KEPT: f64 = 0.95;

enum Display {
    Bar(ProgressBar),
    /// Log lines at growing distances.
    Log(Mutex<Due>),
    Json(Mutex<Due>),
    None,
}

impl TrainProgress {
    fn new(style: ProgressStyle, steps: u64) -> Self {
        let bar = || Display::Bar(add_bar(steps, "{bar:32} {pos}/{len} steps  {msg}  {eta} left", ""));
        let display = match style {
            ProgressStyle::Auto if io::stderr().is_terminal() => bar(),
            ProgressStyle::Auto => Display::Log(Due::new(Duration::from_secs(5), Duration::from_secs(5))),
            ProgressStyle::Bar => bar(),
            ProgressStyle::Json => Display::Json(Due::new(Duration::ZERO, Duration::from_millis(500))),
            ProgressStyle::None => Display::None,
        };
        Self { steps, display, shown: Mutex::default() }
    }

    fn finish(&self) {
        if let Display::Bar(bar) = &self.display {
            bar.finish_and_clear();
        }
    }

    /// Seconds that are left at the pace since the first step, once there is one.
    fn eta(&self, step: u64) -> Option<f64> {
        let first = *self.shown.lock().ok()?.first.get_or_insert_with(|| FirstStep { step, done: Instant::now() });
        let pace = first.done.elapsed().as_secs_f64() / step.checked_sub(first.step).filter(|steps| *steps > 0)? as f64;
        Some(pace * (self.steps - step) as f64)
    }

    /// Takes note of a loss, and says what there is to show.
    fn shown(&self, loss: f64) -> String {
        let Ok(mut shown) = self.shown.lock() else { return String::new() };
        let mean = shown.loss.map_or(loss, |mean| KEPT * mean + (1.0 - KEPT) * loss);
        shown.loss = Some(mean);
        let mean_iou = shown.mean_iou.map_or_else(String::new, |iou| format!(", mIoU {iou:.4}"));
        format!("loss {mean:.4}{mean_iou}")
    }
}

/// Writes an event on a line of its own.
fn event(line: &Value) {
    suspended(|| {
        use io::Write as _;
        // Whoever reads progress may go away; the training goes on.
        let _ = writeln!(io::stderr(), "{line}");
    });
}

impl TrainObserver for TrainProgress {
    fn step_done(&self, report: &StepReport) {
        let StepReport { step, loss, rate } = *report;
        let (shown, eta) = (self.shown(loss), self.eta(step));
        let is_due = |due: &Mutex<Due>, growth| due.lock().is_ok_and(|mut due| due.is_due(growth));
        match &self.display {
            Display::Bar(bar) => {
                // A resumed training does not begin at the first step, and the bar's pace is that since it began.
                if bar.position() == 0 {
                    bar.set_position(step - 1);
                    bar.reset_eta();
                }
                bar.set_message(shown);
                bar.set_position(step);
            }
            Display::Log(due) => {
                if is_due(due, 2) {
                    let left = eta.map_or_else(String::new, |eta| format!(", {eta:.0} s left"));
                    tracing::info!("step {step} of {}: {shown}, rate {rate:.2e}{left}", self.steps);
                }
            }
            Display::Json(due) => {
                if is_due(due, 1) {
                    let steps = self.steps;
                    event(&json!({ "event": "step", "step": step, "steps": steps, "loss": loss, "rate": rate, "eta_s": eta }));
                }
            }
            Display::None => {}
        }
    }

    fn measured(&self, metrics: &Metrics) {
        let Some(validation) = &metrics.validation else { return };
        if let Ok(mut shown) = self.shown.lock() {
            shown.mean_iou = validation.mean_iou;
        }
        if let Display::Json(_) = self.display {
            let Metrics { step, epoch, loss, seconds, .. } = metrics;
            event(&json!({
                "event": "validation",
                "step": step,
                "epoch": epoch,
                "loss": loss,
                "seconds": seconds,
                "figures": validation,
            }));
        }
        let figure = |value: Option<f64>| value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"));
        let (Metrics { step, epoch, loss, seconds, .. }, iou, f1) =
            (metrics, figure(validation.mean_iou), figure(validation.mean_f1));
        let dice = validation.mean_dice.map_or_else(String::new, |dice| format!(", Dice {dice:.4}"));
        tracing::info!("epoch {epoch}, step {step}, {seconds:.0} s: loss {loss:.4}, mIoU {iou}, F1 {f1}{dice}");
    }

    fn is_cancelled(&self) -> bool {
        interrupt::is_interrupted()
    }
}
