//! Losses and optimisers against PyTorch: the values of `golden/make_training.py`.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as the tests do")]
#![expect(clippy::float_cmp, reason = "what is exact is held to be exact")]

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use swath_models::train::{
    Batch, CrossEntropy, Dice, Focal, Loss, Optimizer, ParameterKind, Parameters, Rule, Schedule, Targets, Term, Transfer,
    initial_weights,
};
use swath_models::{Builder, Conv, Error, Extent, Graph, Rank, Scope, Shape, Weights, zoo};

#[derive(Deserialize)]
struct Golden {
    losses: Vec<LossCase>,
    optimizers: Vec<OptimizerCase>,
}

#[derive(Deserialize)]
struct LossCase {
    name: String,
    loss: Loss,
    samples: usize,
    height: usize,
    width: usize,
    classes: usize,
    scores: Vec<f32>,
    targets: Vec<u8>,
    value: f64,
    gradient: Vec<f64>,
}

#[derive(Deserialize)]
struct OptimizerCase {
    rule: Rule,
    initial: Vec<f32>,
    rates: Vec<f64>,
    gradients: Vec<Vec<f32>>,
    after: Vec<Vec<f32>>,
}

fn golden() -> Golden {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/training.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

impl LossCase {
    fn batch(&self) -> Batch {
        Batch::new(self.samples, Shape::planar(self.classes, self.height, self.width), self.scores.clone()).unwrap()
    }

    fn targets(&self) -> Targets {
        Targets::new(self.samples, Extent::planar(self.height, self.width), self.targets.clone()).unwrap()
    }
}

/// A kernel of 12 values and a bias of 4, as the golden cases have them.
fn parameters(values: &[f32]) -> Parameters {
    let mut g = Builder::new("one", Rank::Planar, 3);
    let conv = g.conv(g.input(), &Scope::root("conv"), Conv::square(4, 1).biased()).node();
    let mut weights = Weights::new();
    weights.insert("conv.weight", vec![4, 3, 1, 1], values[..12].to_vec());
    weights.insert("conv.bias", vec![4], values[12..].to_vec());
    Parameters::new(&g.build(conv).unwrap(), &weights).unwrap()
}

#[test]
fn losses_and_gradients_are_those_of_pytorch() {
    let cases = golden().losses;
    assert_eq!(cases.len(), 12);
    for case in cases {
        let ours = case.loss.evaluate(&case.batch(), &case.targets()).unwrap();
        assert!((ours.value - case.value).abs() <= 1e-6 * case.value.abs(), "{}: {} and {}", case.name, ours.value, case.value);
        let largest = case.gradient.iter().fold(0.0, |largest: f64, g| largest.max(g.abs()));
        for (a, b) in ours.gradient.values().iter().zip(&case.gradient) {
            assert!((f64::from(*a) - b).abs() <= 2e-6 * largest, "{}: {a} and {b}, the largest is {largest}", case.name);
        }
    }
}

#[test]
fn gradients_are_the_slopes_of_the_losses() {
    for case in golden().losses.iter().filter(|case| !case.name.contains("large")) {
        let (scores, targets) = (case.batch(), case.targets());
        let gradient = case.loss.evaluate(&scores, &targets).unwrap().gradient;
        for at in (0..scores.values().len()).step_by(7) {
            let value = |step: f32| {
                let mut moved = scores.clone();
                moved.values_mut()[at] += step;
                case.loss.evaluate(&moved, &targets).unwrap().value
            };
            let slope = (value(1e-2) - value(-1e-2)) / 2e-2;
            let ours = f64::from(gradient.values()[at]);
            assert!((slope - ours).abs() < 2e-5, "{} at {at}: slope {slope}, gradient {ours}", case.name);
        }
    }
}

#[test]
fn a_batch_without_counted_pixels_has_neither_loss_nor_gradient() {
    let terms = vec![
        Term::CrossEntropy(CrossEntropy { weight: 1.0, class_weights: None }),
        Term::Dice(Dice { weight: 1.0, classes: None, smooth: 1.0 }),
        Term::Focal(Focal { weight: 1.0, gamma: 2.0, alpha: None }),
    ];
    let scores = Batch::new(1, Shape::planar(2, 1, 2), vec![1.0, -1.0, 3.0, 4.0]).unwrap();
    let ours = Loss::new(terms).evaluate(&scores, &Targets::new(1, Extent::planar(1, 2), vec![255; 2]).unwrap()).unwrap();
    assert_eq!((ours.value, ours.gradient.values()), (0.0, [0.0; 4].as_slice()));
}

#[test]
fn probabilities_of_exactly_0_and_1_have_finite_losses() {
    let shape = Shape::planar(2, 1, 2);
    let scores = Batch::new(1, shape, vec![500.0, -500.0, 500.0, -500.0]).unwrap();
    let targets = Targets::new(1, shape.extent, vec![0, 1]).unwrap();
    for gamma in [0.0, 0.5, 1.0, 2.0] {
        let loss = Loss::new(vec![Term::Focal(Focal { weight: 1.0, gamma, alpha: None })]);
        let ours = loss.evaluate(&scores, &targets).unwrap();
        assert_eq!(ours.value, 500.0, "gamma {gamma}");
        for (ours, expected) in ours.gradient.values().iter().zip([0.0, 0.0, 0.5, -0.5]) {
            assert!((ours - expected).abs() < 1e-15, "gamma {gamma}: expected {expected}, got {ours}");
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error_that_names_the_sample_or_the_setting() {
    let shape = Shape::planar(2, 1, 2);
    let evaluate = |scores: Vec<f32>, targets: Vec<u8>, term: Term| {
        let targets = Targets::new(2, shape.extent, targets).unwrap();
        Loss::new(vec![term]).evaluate(&Batch::new(2, shape, scores).unwrap(), &targets).map(|ours| ours.value)
    };
    let plain = || Term::CrossEntropy(CrossEntropy { weight: 1.0, class_weights: None });
    let mut scores = vec![0.0; 8];
    assert!(matches!(evaluate(scores.clone(), vec![0, 1, 0, 2], plain()), Err(Error::TargetClass { sample: 1, class: 2, .. })));
    scores[5] = f32::NAN;
    assert!(matches!(evaluate(scores.clone(), vec![255; 4], plain()), Err(Error::Score { sample: 1, .. })));
    scores[1] = f32::INFINITY;
    assert!(matches!(evaluate(scores, vec![0; 4], plain()), Err(Error::Score { sample: 0, .. })));
    let targets = Targets::new(1, shape.extent, vec![0; 2]).unwrap();
    let scores = Batch::new(2, shape, vec![0.0; 8]).unwrap();
    assert!(matches!(Loss::new(vec![plain()]).evaluate(&scores, &targets), Err(Error::TargetShape { .. })));
    for (text, setting) in [
        (r#"{"kind": "cross_entropy", "class_weights": [1.0]}"#, "class_weights"),
        (r#"{"kind": "cross_entropy", "weight": -1.0}"#, "weight"),
        (r#"{"kind": "dice", "smooth": 0.0}"#, "smooth"),
        (r#"{"kind": "dice", "classes": [0, 2]}"#, "classes"),
        (r#"{"kind": "dice", "classes": []}"#, "classes"),
        (r#"{"kind": "focal", "gamma": -0.5}"#, "gamma"),
        (r#"{"kind": "focal", "alpha": [1.0, -1.0]}"#, "alpha"),
    ] {
        let error = Loss::new(vec![serde_json::from_str(text).unwrap()]).check(2).unwrap_err();
        assert!(matches!(error, Error::Setting { setting: got, .. } if got == setting), "{text}: {error}");
    }
    assert!(serde_json::from_str::<Term>(r#"{"kind": "dice", "smoth": 1.0}"#).is_err());
    assert!(serde_json::from_str::<Rule>(r#"{"kind": "adamw", "beta3": 1.0}"#).is_err());
}

#[test]
fn steps_are_those_of_pytorch_also_after_a_pause() {
    let cases = golden().optimizers;
    assert_eq!(cases.len(), 5);
    for case in cases {
        let mut parameters = parameters(&case.initial);
        let mut optimizer = Optimizer::new(case.rule, &parameters).unwrap();
        for ((gradients, rate), after) in case.gradients.iter().zip(&case.rates).zip(&case.after) {
            optimizer = Optimizer::resume(case.rule, &parameters, &optimizer.state(&parameters)).unwrap();
            parameters.gradients_mut().copy_from_slice(gradients);
            optimizer.step(&mut parameters, *rate).unwrap();
            for (ours, theirs) in parameters.values().iter().zip(after) {
                assert!((ours - theirs).abs() <= 3e-7 * theirs.abs().max(1.0), "{:?}: {ours} and {theirs}", case.rule);
            }
        }
        assert_eq!(optimizer.steps(), 5);
    }
}

#[test]
fn long_parameters_and_statistics_are_treated_value_by_value() {
    let graph = zoo::build("fcn_resnet50", 3, 2).unwrap();
    let mut parameters = Parameters::new(&graph, &zoo::random_weights(&graph, 1)).unwrap();
    for (at, gradient) in parameters.gradients_mut().iter_mut().enumerate() {
        *gradient = (at % 1013) as f32 - 500.0;
    }
    let before = parameters.values().to_vec();
    let rule: Rule = serde_json::from_str(r#"{"kind": "sgd", "weight_decay": 0.5, "momentum": 0.0}"#).unwrap();
    Optimizer::new(rule, &parameters).unwrap().step(&mut parameters, 0.25).unwrap();
    for parameter in parameters.list() {
        let decay = match parameter.kind {
            ParameterKind::Kernel => 0.5,
            _ => 0.0,
        };
        for at in parameter.range.clone() {
            let gradient = parameters.gradients()[at] + decay * before[at];
            let expected = if parameter.kind == ParameterKind::Statistic { before[at] } else { before[at] - 0.25 * gradient };
            assert_eq!(parameters.values()[at], expected, "{} at {at}", parameter.name);
        }
    }
}

#[test]
fn rates_rise_and_fall_as_the_schedule_says() {
    let of = |text: &str| -> Schedule { serde_json::from_str(text).unwrap() };
    let polynomial = of(r#"{"rate": 2.0, "warm_up": 4, "decay": {"kind": "polynomial", "power": 0.5, "final_fraction": 0.2}}"#);
    polynomial.check().unwrap();
    let rates: Vec<f64> = [0, 3, 36, 48, 99].into_iter().map(|step| polynomial.rate(step, 48)).collect();
    assert_eq!(rates, [0.5, 2.0 * (0.2 + 0.8 * (45f64 / 48.0).sqrt()), 2.0 * (0.2 + 0.8 * 0.5), 0.4, 0.4]);
    assert_eq!(of(r#"{"rate": 2.0, "decay": {"kind": "constant"}}"#).rate(7, 9), 2.0);
    // The default is a cosine to 0.
    assert!((of(r#"{"rate": 2.0}"#).rate(2, 6) - 1.5).abs() < 1e-12);
    assert!(of(r#"{"rate": 0.0}"#).check().is_err());
}

fn tiny(classes: usize) -> Graph {
    let mut g = Builder::new("tiny", Rank::Planar, 3);
    let body = g.conv(g.input(), &Scope::root("body"), Conv::square(64, 3)).bn(&Scope::root("norm")).relu().node();
    let head = g.conv(body, &Scope::root("head"), Conv::square(classes, 1).biased()).node();
    g.build(head).unwrap()
}

#[test]
fn training_starts_with_the_deviations_of_he_and_small_heads() {
    let graph = tiny(5);
    let weights = initial_weights(&graph, 3);
    weights.check(&graph).unwrap();
    let deviation = |name: &str| {
        let values = weights.get(name).unwrap();
        (values.iter().map(|v| f64::from(v * v)).sum::<f64>() / values.len() as f64).sqrt()
    };
    // 1728 and 320 values: the deviation of their deviation is 1.7 % and 4 %.
    assert!((deviation("body.weight") / (2.0f64 / (64.0 * 9.0)).sqrt() - 1.0).abs() < 0.06);
    assert!((deviation("head.weight") / 0.01 - 1.0).abs() < 0.14);
    assert_eq!([deviation("head.bias"), deviation("norm.weight"), deviation("norm.running_mean")], [0.0, 1.0, 0.0]);
    assert_eq!(weights, initial_weights(&graph, 3));
    assert_ne!(weights, initial_weights(&graph, 4));
}

#[test]
fn a_transfer_takes_what_fits_and_lists_the_rest() {
    let (graph, initial) = (tiny(2), initial_weights(&tiny(2), 1));
    let mut source = Weights::new();
    source.insert("body.weight", vec![64, 3, 3, 3], vec![0.5; 1728]);
    source.insert("head.weight", vec![5, 64, 1, 1], vec![0.5; 320]);
    source.insert("fc.weight", vec![1], vec![0.5]);
    let ours = Transfer::new(&graph, &source, &initial).unwrap();
    assert_eq!(ours.loaded.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["body.weight"]);
    assert_eq!(ours.misshapen.iter().map(|m| (m.wanted.name.as_str(), m.found[0])).collect::<Vec<_>>(), [("head.weight", 5)]);
    assert_eq!(ours.unused.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["fc.weight"]);
    assert_eq!(ours.missing.len(), 5);
    assert_eq!(ours.weights.get("body.weight").unwrap(), [0.5; 1728]);
    assert_eq!(ours.weights.get("head.weight").unwrap(), initial.get("head.weight").unwrap());
    ours.weights.check(&graph).unwrap();
}
