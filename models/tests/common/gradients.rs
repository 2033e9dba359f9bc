//! Gradients against finite differences.

use swath_models::train::{Autograd, Batch, ParameterKind, Parameters};
use swath_models::{Error, Extent, Graph, Op, Shape};

use super::exact;
use super::networks::{noise, weights};

/// A network, a batch, and the gradient of a linear loss with respect to the scores, all at random.
pub struct Trial {
    pub graph: Graph,
    pub parameters: Parameters,
    pub input: Batch,
    pub slopes: Batch,
}

impl Trial {
    pub fn new(graph: &Graph, samples: usize, extent: Extent, seed: u64) -> Self {
        let batch = |shape: Shape, seed: u64| Batch::new(samples, shape, noise(samples * shape.elements(), seed)).unwrap();
        let input = batch(Shape { channels: graph.input_channels(), extent }, seed);
        let slopes = batch(graph.output_shape(extent).unwrap(), seed + 1);
        let parameters = Parameters::new(graph, &weights(graph, seed)).unwrap();
        Self { graph: graph.clone(), parameters, input, slopes }
    }

    /// Adds the gradients, and gives the scores.
    pub fn pass(&mut self, autograd: &mut dyn Autograd) -> Batch {
        let mut seen = None;
        let mut loss = |scores: &Batch| -> Result<Batch, Error> {
            seen = Some(scores.clone());
            Ok(self.slopes.clone())
        };
        autograd.pass(&mut self.parameters, &self.input, &mut loss).unwrap();
        seen.expect("the loss was asked")
    }

    /// The loss for other values of the parameters.
    fn loss(&self, tensors: &[f64]) -> f64 {
        let scores = exact::run(&self.graph, &self.parameters, tensors, &self.input).scores;
        scores.iter().zip(self.slopes.values()).map(|(score, slope)| score * f64::from(*slope)).sum()
    }
}

/// Checks scores and the gradients of at most `count` values of every parameter against a network computed in `f64`; they may differ by
/// `tolerance` of the largest of each, or in networks with a normalisation of a twentieth of the largest gradient of all.
pub fn check(what: &str, autograd: &mut dyn Autograd, samples: usize, extent: Extent, count: usize, tolerance: f64) {
    const STEP: f64 = 1e-6;
    // In `f32`, a value nearer to where its function bends could be on the other side.
    const MARGIN: f64 = 2e-6;
    let (mut trial, tensors, expected) = (7..50)
        .map(|seed| {
            let trial = Trial::new(autograd.graph(), samples, extent, seed);
            let tensors: Vec<f64> = trial.parameters.values().iter().map(|&v| f64::from(v)).collect();
            let outcome = exact::run(&trial.graph, &trial.parameters, &tensors, &trial.input);
            (trial, tensors, outcome)
        })
        .find(|(_, _, outcome)| outcome.margin > MARGIN)
        .expect("some seed gives values beside all bends");
    let scores = trial.pass(autograd);
    assert_near(&format!("{what}: scores"), scores.values(), &expected.scores, 1.0, tolerance);
    let largest = |gradients: &[f32]| gradients.iter().fold(0.0, |largest: f32, v| largest.max(v.abs()));
    let is_normalised =
        trial.graph.nodes().iter().any(|node| matches!(node.op, Op::BatchNorm(_) | Op::InstanceNorm(_) | Op::GroupNorm(_)));
    for parameter in trial.parameters.list() {
        let gradients = &trial.parameters.gradients()[parameter.range.clone()];
        if parameter.kind == ParameterKind::Statistic {
            assert!(gradients.iter().all(|g| *g == 0.0), "{what}: {} has a gradient", parameter.name);
            continue;
        }
        let step = parameter.range.len().div_ceil(count);
        let difference = |at: usize| {
            let loss = |step: f64| {
                let mut moved = tensors.clone();
                moved[at] += step;
                trial.loss(&moved)
            };
            (loss(STEP) - loss(-STEP)) / (2.0 * STEP)
        };
        let expected: Vec<f64> = parameter.range.clone().step_by(step).map(difference).collect();
        let ours: Vec<f32> = gradients.iter().step_by(step).copied().collect();
        // What a normalisation takes away again has a gradient of zero, up to the rounding of what is summed, which are slopes of the loss: such gradients
        // are held to these. With a normalisation in the network, others are held to the largest of all parameters too.
        let slopes = f64::from(largest(trial.slopes.values()));
        let vanishes = expected.iter().all(|expected| expected.abs() < 1e-6 * slopes);
        let least = match (is_normalised, vanishes) {
            (true, true) => slopes,
            (true, false) => f64::from(0.05 * largest(trial.parameters.gradients())),
            (false, _) => f64::from(largest(gradients)),
        };
        assert_near(&format!("{what}: gradient of {}", parameter.name), &ours, &expected, least, tolerance);
    }
}

/// Values may differ by `tolerance` of the largest expected one, or of `least`.
fn assert_near(what: &str, ours: &[f32], expected: &[f64], least: f64, tolerance: f64) {
    let largest = expected.iter().fold(least, |largest, v| largest.max(v.abs()));
    for (i, (ours, expected)) in ours.iter().zip(expected).enumerate() {
        assert!((f64::from(*ours) - expected).abs() <= tolerance * largest, "{what} at {i}: expected {expected}, got {ours}");
    }
}
