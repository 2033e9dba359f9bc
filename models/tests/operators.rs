//! Single operators against the golden values of `golden/make_operators.py` (PyTorch; for some resizings onnxruntime).
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as the tests do")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use common::operators::cases;
use swath_models::{Executor, Op, Rank, Reference};

#[test]
fn inferred_shapes_and_tensors_are_those_of_the_golden_values() {
    let cases = cases();
    for case in &cases {
        let graph = case.graph().unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let shape = graph.output_shape(case.input.shape().extent).unwrap();
        assert_eq!(shape, case.output.shape(), "{}", case.name);
        case.tensors.check(&graph).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        if case.rank == Rank::Planar {
            assert_eq!(case.output.shape().extent.z, 1, "{}", case.name);
        }
    }
    assert!(cases.len() > 100, "expected the cases of make_operators.py, got {}", cases.len());
}

#[test]
fn every_operator_but_sums_and_products_is_covered_in_both_ranks() {
    let covered: BTreeSet<_> = cases().iter().map(|c| (c.op.label(), c.rank == Rank::Volumetric)).collect();
    let labels: BTreeSet<_> = covered.iter().map(|(label, _)| *label).collect();
    for label in &labels {
        assert!(covered.contains(&(label, false)) && covered.contains(&(label, true)), "{label} is covered in one rank only");
    }
    let expected = [
        "adaptive_average_pool",
        "affine",
        "average_pool",
        "batch_norm",
        "channels",
        "clip",
        "conv",
        "conv_transpose",
        "crop",
        "encoding",
        "global_average_pool",
        "group_norm",
        "hard_sigmoid",
        "hard_swish",
        "instance_norm",
        "l2_norm",
        "leaky_relu",
        "max_pool",
        "max_unpool",
        "pad",
        "prelu",
        "relu",
        "resize",
        "sigmoid",
        "silu",
        "softmax",
        "turn",
    ];
    assert_eq!(labels, BTreeSet::from(expected));
}

#[test]
fn entries_are_written_as_they_are_read() {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/operators.json");
    let entries: Vec<serde_json::Value> = serde_json::from_str(&fs::read_to_string(golden).unwrap()).unwrap();
    for entry in entries {
        let op: Op = serde_json::from_value(entry["op"].clone()).unwrap_or_else(|e| panic!("{}: {e}", entry["name"]));
        assert_eq!(serde_json::to_value(&op).unwrap(), entry["op"], "{}", entry["name"]);
    }
}

#[test]
fn reference_gives_the_golden_values() {
    for case in cases() {
        let network = Reference::new(case.graph().unwrap(), &case.tensors).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let ours = network.run(case.input).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        assert_eq!(ours.shape(), case.output.shape(), "{}", case.name);
        for (index, (ours, expected)) in ours.data().iter().zip(case.output.data()).enumerate() {
            let near = (ours - expected).abs() <= 1e-5 * expected.abs().max(1.0);
            assert!(near, "{} at {index}: expected {expected}, got {ours}", case.name);
        }
    }
}
