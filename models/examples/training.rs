//! A network in training that stays in memory and makes a step when it is told to, so that benches can time it in turn with others:
//! `cargo run --release -p swath-models --example training -- NETWORK fused|candle WEIGHTS BATCH THREADS`.
//!
//! NETWORK is one of the zoo, WEIGHTS a safetensors file with its first weights, BATCH one with the tensors `input`,
//! `(samples, bands, height, width)`, and `targets`, `(samples, height, width)`, whose values are classes, or 255 where a pixel does not count. The
//! loss is cross-entropy plus Dice of class 1, the optimiser `AdamW`. It prints `ready`, then answers every line on standard input with one line:
//! `run` with the milliseconds that a step took, `scores FILE` with `written` once a step was made and FILE has its scores as the tensor `output`;
//! the time of each kind of operator goes to standard error at the end.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the answers")]

use std::env;
use std::error::Error;
use std::io::stdin;
use std::path::Path;
use std::time::{Duration, Instant};

use rayon::ThreadPoolBuilder;
use swath_models::train::{
    AdamW, Autograd, Batch, CandleAutograd, CrossEntropy, Device, Dice, FusedAutograd, Loss, Optimizer, Parameters, Rule,
    Targets, Term,
};
use swath_models::{Convolutions, Extent, Result, Shape, Weights, zoo};

const USAGE: &str = "training NETWORK fused|candle WEIGHTS BATCH THREADS";
const RATE: f64 = 1e-3;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [network, engine, weights, batch, threads] = arguments.as_slice() else { return Err(USAGE.into()) };
    let batch = Weights::read(Path::new(batch))?;
    let (input, targets) = (read_input(&batch)?, read_targets(&batch)?);
    let counted = targets.classes().iter().copied().filter(|class| *class != Targets::IGNORE);
    let classes = 1 + usize::from(counted.max().unwrap_or(0));
    let graph = zoo::build(network, input.shape().channels, classes)?;
    let parameters = Parameters::new(&graph, &Weights::read(Path::new(weights))?)?;
    let engine = match engine.as_str() {
        "fused" => Engine::Fused(Box::new(FusedAutograd::new(graph, Convolutions::Winograd)?)),
        "candle" => Engine::Candle(CandleAutograd::new(graph, Device::Cpu)?),
        _ => return Err(USAGE.into()),
    };
    let cross_entropy = CrossEntropy { weight: 1.0, class_weights: None };
    let dice = Dice { weight: 1.0, classes: Some(vec![1]), smooth: 1.0 };
    let mut training = Training {
        engine,
        loss: Loss::new(vec![Term::CrossEntropy(cross_entropy), Term::Dice(dice)]),
        optimizer: Optimizer::new(Rule::AdamW(AdamW::default()), &parameters)?,
        parameters,
        input,
        targets,
    };
    let pool = ThreadPoolBuilder::new().num_threads(threads.parse()?).build()?;
    println!("ready");
    for line in stdin().lines() {
        let line = line?;
        if line == "run" {
            let start = Instant::now();
            pool.install(|| training.step(|_| ()))?;
            println!("{}", milliseconds(start.elapsed()));
        } else if let Some(file) = line.strip_prefix("scores ") {
            let mut scores = None;
            pool.install(|| training.step(|seen| scores = Some(seen.clone())))?;
            write_scores(&scores.ok_or("a step has scores")?, Path::new(file))?;
            println!("written");
        } else {
            return Err(format!("expected `run` or `scores FILE`, got `{line}`").into());
        }
    }
    if let Engine::Fused(fused) = &training.engine {
        eprintln!("milliseconds of the last step, forward, backward, gradients of kernels:");
        for (kind, timing) in fused.timings().kinds() {
            let [forward, backward, kernels] = [timing.forward, timing.backward, timing.kernels].map(milliseconds);
            eprintln!("{kind:20} {forward:7.1} {backward:7.1} {kernels:7.1}");
        }
    }
    Ok(())
}

enum Engine {
    Fused(Box<FusedAutograd>),
    Candle(CandleAutograd),
}

struct Training {
    engine: Engine,
    loss: Loss,
    optimizer: Optimizer,
    parameters: Parameters,
    input: Batch,
    targets: Targets,
}

impl Training {
    /// One step, which shows its scores.
    fn step(&mut self, mut see: impl FnMut(&Batch)) -> Result<()> {
        let autograd: &mut dyn Autograd = match &mut self.engine {
            Engine::Fused(fused) => fused.as_mut(),
            Engine::Candle(candle) => candle,
        };
        self.parameters.clear_gradients();
        autograd.pass(&mut self.parameters, &self.input, &mut |scores| {
            see(scores);
            Ok(self.loss.evaluate(scores, &self.targets)?.gradient)
        })?;
        self.optimizer.step(&mut self.parameters, RATE)
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn shape_of<const AXES: usize>(file: &Weights, name: &str) -> Result<[usize; AXES], Box<dyn Error>> {
    let spec = file.specs().find(|spec| spec.name == name).ok_or_else(|| format!("no tensor `{name}`"))?;
    spec.shape.try_into().map_err(|shape| format!("expected {AXES} axes of `{name}`, got {shape:?}").into())
}

fn read_input(file: &Weights) -> Result<Batch, Box<dyn Error>> {
    let [samples, bands, height, width] = shape_of(file, "input")?;
    let shape = Shape::planar(bands, height, width);
    let values = transposed(file.get("input")?, samples, [bands, height * width]);
    Ok(Batch::new(samples, shape, values)?)
}

fn read_targets(file: &Weights) -> Result<Targets, Box<dyn Error>> {
    let [samples, height, width] = shape_of(file, "targets")?;
    let classes = file.get("targets")?.iter().map(|class| *class as u8).collect();
    Ok(Targets::new(samples, Extent::planar(height, width), classes)?)
}

/// The scores as the tensor `output`, `(samples, classes, height, width)`.
fn write_scores(scores: &Batch, path: &Path) -> Result<()> {
    let Shape { channels, extent } = scores.shape();
    let values = transposed(scores.values(), scores.samples(), [extent.product(), channels]);
    let mut file = Weights::new();
    file.insert("output", vec![scores.samples(), channels, extent.y, extent.x], values);
    file.write(path)
}

/// Every sample's matrix with its axes swapped.
fn transposed(values: &[f32], samples: usize, [rows, columns]: [usize; 2]) -> Vec<f32> {
    let matrices = values.chunks_exact((values.len() / samples.max(1)).max(1));
    matrices.flat_map(|matrix| (0..columns).flat_map(move |x| (0..rows).map(move |y| matrix[y * columns + x]))).collect()
}
