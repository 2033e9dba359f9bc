//! Steps of training against PyTorch: gradients, statistics and weights of `golden/make_steps.py`.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as the tests do")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use common::formula;
use serde::Deserialize;
use swath_models::train::{
    Autograd, Batch, CandleAutograd, Device, FusedAutograd, Loss, Optimizer, ParameterKind, Parameters, Rule, Targets,
};
use swath_models::{Convolutions, Extent, Graph, Shape, zoo};

/// Bands of the golden cases.
const BANDS: usize = 3;
/// How far a step in `f32` may be from that in `f64`.
const STEP: f64 = 1e-5;

#[derive(Deserialize)]
struct Step {
    network: String,
    input: String,
    samples: usize,
    #[serde(default = "one")]
    depth: usize,
    height: usize,
    width: usize,
    classes: usize,
    loss: Loss,
    rule: Rule,
    rate: f64,
    value: f64,
    rounding: Rounding,
    tensors: BTreeMap<String, Golden>,
}

fn one() -> usize {
    1
}

/// How far PyTorch's own `f32` is from its `f64`: of FCN-ResNet50 5e-8 in the loss, 7e-3 in gradients, 8e-7 after the step.
#[derive(Deserialize)]
struct Rounding {
    value: f64,
    gradient: f64,
    after: f64,
}

/// How far a step may be from the golden one.
struct Tolerance {
    /// Of the loss, and of weights and statistics after the step.
    step: f64,
    gradient: f64,
}

#[derive(Deserialize)]
struct Golden {
    gradient: Option<Summary>,
    after: Summary,
}

#[derive(Deserialize)]
struct Summary {
    norm: f64,
    largest: f64,
    projection: f64,
    samples: [f64; 8],
}

fn golden() -> Vec<Step> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/steps.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

impl Step {
    fn graph(&self) -> Graph {
        zoo::build(&self.network, BANDS, self.classes).unwrap()
    }

    /// The input, whose golden values are by sample, band and position.
    fn batch(&self) -> Batch {
        let positions = self.extent().product();
        let values: Vec<f64> = formula::uniform(&self.input, self.samples * BANDS * positions).collect();
        let band_last =
            |at: usize| values[(at / BANDS / positions * BANDS + at % BANDS) * positions + at / BANDS % positions] as f32;
        let shape = Shape { channels: BANDS, extent: self.extent() };
        Batch::new(self.samples, shape, (0..values.len()).map(band_last).collect()).unwrap()
    }

    /// For a step in `f32`, whose gradients are at least so far from those in `f64`.
    fn tolerance(&self, gradient: f64) -> Tolerance {
        Tolerance { step: STEP, gradient: gradient.max(4.0 * self.rounding.gradient) }
    }

    fn targets(&self) -> Targets {
        let class = |u: f64| {
            let v = f64::midpoint(u, 1.0);
            if v < 0.1 { Targets::IGNORE } else { ((v - 0.1) / 0.9 * self.classes as f64) as u8 }
        };
        let classes = formula::uniform("targets", self.samples * self.extent().product()).map(class).collect();
        Targets::new(self.samples, self.extent(), classes).unwrap()
    }

    fn extent(&self) -> Extent {
        Extent { z: self.depth, y: self.height, x: self.width }
    }
}

impl Summary {
    /// Norm and projection are held to the norm, values to the largest.
    fn assert_equals(&self, what: &str, values: &[f32], tolerance: f64) {
        let norm = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let projection: f64 = values.iter().zip(formula::uniform("probe", values.len())).map(|(v, u)| f64::from(*v) * u).sum();
        for (part, ours, theirs) in [("norm", norm, self.norm), ("projection", projection, self.projection)] {
            assert!(
                (ours - theirs).abs() <= tolerance * self.norm,
                "{what}, {part}: {ours} and {theirs}, the norm is {}",
                self.norm
            );
        }
        for (at, theirs) in self.samples.iter().enumerate() {
            let ours = f64::from(values[at * values.len() / 8]);
            assert!((ours - theirs).abs() <= tolerance * self.largest, "{what}, {at}: {ours} and {theirs} of {}", self.largest);
        }
    }
}

fn assert_step(name: &str, step: &Step, autograd: &mut dyn Autograd, tolerance: &Tolerance) {
    let name = format!("{name}, {}", step.network);
    let mut parameters = Parameters::new(autograd.graph(), &formula::weights(autograd.graph())).unwrap();
    let mut optimizer = Optimizer::new(step.rule, &parameters).unwrap();
    let (targets, mut value) = (step.targets(), f64::NAN);
    let mut loss = |scores: &Batch| {
        let evaluated = step.loss.evaluate(scores, &targets)?;
        value = evaluated.value;
        Ok(evaluated.gradient)
    };
    autograd.pass(&mut parameters, &step.batch(), &mut loss).unwrap();
    assert!((value - step.value).abs() <= tolerance.step * step.value, "{name}: loss {value} and {}", step.value);
    for parameter in parameters.list() {
        let gradient = &parameters.gradients()[parameter.range.clone()];
        match &step.tensors[&parameter.name].gradient {
            Some(golden) => {
                golden.assert_equals(&format!("{name}, gradient of {}", parameter.name), gradient, tolerance.gradient);
            }
            None => assert!(gradient.iter().all(|g| *g == 0.0), "{name}: {} is not learned", parameter.name),
        }
    }
    optimizer.step(&mut parameters, step.rate).unwrap();
    for parameter in parameters.list() {
        let after = &parameters.values()[parameter.range.clone()];
        step.tensors[&parameter.name].after.assert_equals(&format!("{name}, {}", parameter.name), after, tolerance.step);
    }
    let statistics = parameters.list().iter().filter(|parameter| parameter.kind == ParameterKind::Statistic).count();
    assert_eq!(statistics, step.tensors.values().filter(|tensor| tensor.gradient.is_none()).count(), "{name}");
    assert_eq!(parameters.list().len(), step.tensors.len(), "{name}");
}

#[test]
fn candle_in_f64_makes_the_steps_of_pytorch() {
    let steps = golden();
    assert_eq!(steps.len(), 4);
    for step in steps {
        assert!(step.rounding.value < STEP && step.rounding.after < STEP, "{}", step.network);
        let mut autograd = CandleAutograd::new(step.graph(), Device::Cpu).unwrap().in_f64();
        assert_step("f64", &step, &mut autograd, &Tolerance { step: 1e-6, gradient: 1e-6 });
    }
}

#[test]
fn candle_makes_the_steps_of_pytorch() {
    // It sums all voxels of a volume one after the other, of which small gradients are lost in 32 bits: that step is held in 64 alone.
    for step in golden().into_iter().filter(|step| step.depth == 1) {
        let mut autograd = CandleAutograd::new(step.graph(), Device::Cpu).unwrap();
        assert_step("candle", &step, &mut autograd, &step.tolerance(1e-5));
    }
}

#[test]
fn the_cpu_makes_the_steps_of_pytorch() {
    // Winograd's algorithm rounds more coarsely, which moves some activations over their kinks.
    for (convolutions, gradient) in [(Convolutions::Direct, 1e-5), (Convolutions::Winograd, 3e-2)] {
        for step in golden() {
            let mut autograd = FusedAutograd::new(step.graph(), convolutions).unwrap();
            assert_step(convolutions.name(), &step, &mut autograd, &step.tolerance(gradient));
        }
    }
}
