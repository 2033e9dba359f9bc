//! FCN-ResNet50 against PyTorch: probabilities of `golden/make_fcn_resnet50.py`, whose weights are a formula.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as the tests do")]

mod common;

use std::path::PathBuf;

use common::formula::{self, fill};
use swath_models::{Arithmetic, Executor, Fused, Reference, ScoreActivation, Shape, Tensor, Weights, zoo};

fn golden() -> Weights {
    Weights::read(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/fcn_resnet50.safetensors")).unwrap()
}

#[test]
fn probabilities_are_those_of_pytorch_at_sizes_that_fit_the_stride_and_at_others() {
    let golden = golden();
    let graph = zoo::build("fcn_resnet50", 3, 6).unwrap();
    let weights = formula::weights(&graph);
    for (name, values) in
        golden.specs().filter_map(|s| Some((s.name.strip_prefix("values_")?.to_owned(), golden.get(&s.name).unwrap())))
    {
        let ours = if name == "input" { &fill("input", &[3, 64, 64]) } else { weights.get(&name).unwrap() };
        assert_eq!(&ours[..4], values, "the generators disagree about {name}");
    }
    let graph = graph.with_activation(ScoreActivation::Softmax);
    assert_probabilities("reference", &Reference::new(graph.clone(), &weights).unwrap(), &golden);
    assert_probabilities("fused", &Fused::new(graph, &weights, Arithmetic::default()).unwrap(), &golden);
}

fn assert_probabilities(executor: &str, network: &impl Executor, golden: &Weights) {
    let mut sizes = 0;
    for spec in golden.specs().filter(|s| s.name.starts_with("probabilities_")) {
        let input = Shape::planar(3, spec.shape[1], spec.shape[2]);
        let data = fill("input", &[3, spec.shape[1], spec.shape[2]]);
        let ours = network.run(Tensor::new(input, data).unwrap()).unwrap();
        assert_eq!(ours.shape(), Shape::planar(6, spec.shape[1], spec.shape[2]));
        let differences = ours.data().iter().zip(golden.get(&spec.name).unwrap()).map(|(a, b)| (a - b).abs());
        let largest = differences.fold(0.0, f32::max);
        // f32::max passes over NaN, which is not below the limit either.
        assert!(ours.data().iter().all(|p| p.is_finite()) && largest < 2e-6, "{executor}, {}: {largest:e}", spec.name);
        sizes += 1;
    }
    assert_eq!(sizes, 5);
}
