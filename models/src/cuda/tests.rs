//! The programs and kernels, on the processor: against golden values and against the other executors.
#![expect(unsafe_code, reason = "a function of a library is called")]

use std::sync::Arc;

use super::arguments::ALL;
use super::device::Device;
use super::engine::Engine;
use super::host::{HostDevice, kernels};
use super::kernel::Stored;
use crate::{
    Builder, Conv, Executor as _, Extent, Graph, Precision, Rank, Reference, Scope, ScoreActivation, Shape, Tensor, Weights, zoo,
};

#[expect(unreachable_pub, reason = "the integration tests' own")]
#[path = "../../tests/common/networks.rs"]
mod networks;
#[expect(unreachable_pub, reason = "the integration tests' own")]
#[path = "../../tests/common/operators.rs"]
mod operators;

use networks::{choices, network, noise, weights};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

/// Every way in which values are kept, and how far from exact ones scores may be, relative to the largest.
const PRECISIONS: [(Precision, f32); 3] = [(Precision::F32, 1e-5), (Precision::F16, 5e-3), (Precision::Bf16, 3e-2)];

fn device(precision: Precision) -> Option<Arc<dyn Device>> {
    HostDevice::of(Stored::of(precision))
}

fn assert_near(what: &str, ours: &Tensor, expected: &Tensor, tolerance: f32) {
    assert_eq!(ours.shape(), expected.shape(), "{what}");
    let largest = expected.data().iter().fold(1.0, |largest: f32, value| largest.max(value.abs()));
    for (index, (ours, expected)) in ours.data().iter().zip(expected.data()).enumerate() {
        let near = (ours - expected).abs() <= tolerance * largest || (ours.is_nan() && expected.is_nan());
        assert!(near, "{what} at {index}: expected {expected}, got {ours}");
    }
}

/// Compares with expected scores, in every precision.
fn check(what: &str, graph: &Graph, weights: &Weights, input: &Tensor, expected: &Tensor, leeway: f32) {
    for (precision, tolerance) in PRECISIONS {
        let Some(device) = device(precision) else { return };
        let engine = Engine::new(device, graph, weights, precision).unwrap_or_else(|e| panic!("{what}: {e}"));
        // Twice, so that what the first tile leaves behind would show.
        for _ in 0..2 {
            let ours = engine.run(input).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_near(&format!("{what} in {}", precision.name()), &ours, expected, leeway * tolerance);
        }
    }
}

fn compare(what: &str, graph: &Graph, weights: &Weights, input: &Tensor) {
    let expected = Reference::new(graph.clone(), weights).unwrap().run(input.clone()).unwrap();
    // Whole networks round more often than single operators.
    check(what, graph, weights, input, &expected, 3.0);
}

fn noisy(shape: Shape, seed: u64) -> Tensor {
    Tensor::new(shape, noise(shape.elements(), seed)).unwrap()
}

#[test]
fn the_structures_of_the_sources_are_as_large_as_ours() {
    for stored in [Stored::F32, Stored::F16, Stored::Bf16] {
        let Some(library) = kernels(stored) else { return };
        for (kernel, bytes) in ALL {
            type Bytes = unsafe extern "C" fn() -> u32;
            // SAFETY: host.h declares such a function for every kernel.
            let theirs = unsafe { library.get::<Bytes>(format!("{kernel}_bytes")).unwrap()() };
            assert_eq!(theirs as usize, *bytes, "the arguments of {kernel}");
        }
    }
}

#[test]
fn operators_give_the_golden_values() {
    for case in operators::cases() {
        check(&case.name, &case.graph().unwrap(), &case.tensors, &case.input, &case.output, 1.0);
    }
}

#[test]
fn random_networks_are_those_of_the_reference() {
    let mut runner = TestRunner::deterministic();
    for number in 0..120 {
        let rank = if number % 4 == 0 { Rank::Volumetric } else { Rank::Planar };
        let choices = choices().new_tree(&mut runner).unwrap().current();
        let (depth, side) = if rank == Rank::Planar { (1, 9) } else { (4, 6) };
        let extent = Extent { z: depth, y: side, x: side + 1 + number as usize % 5 };
        let graph = network(&choices, rank, extent);
        compare(&format!("{graph:?}"), &graph, &weights(&graph, number), &noisy(Shape { channels: 3, extent }, number));
    }
}

#[test]
fn networks_of_the_zoo_are_those_of_the_reference() {
    // On a card, `gpu_check` holds all of them; here, the others take minutes, or are so deep that random weights make much of 16 bits.
    for name in ["fcn_small", "fcn_resnet18", "fcn_resnet50", "unet", "unet_instance", "monai_unet"] {
        let graph = zoo::build(name, 3, 6).unwrap().with_activation(ScoreActivation::Softmax);
        let weights = weights(&graph, 3);
        compare(name, &graph, &weights, &noisy(Shape::planar(3, 64, 96), 5));
    }
}

/// More classes than a group has channels, and maps that are resized and not.
#[test]
fn heads_of_many_classes_are_those_of_the_reference() {
    for activation in [ScoreActivation::None, ScoreActivation::Softmax, ScoreActivation::Sigmoid] {
        for classes in [1, 2, 8, 21] {
            let mut g = Builder::new("head", Rank::Planar, 3);
            let base = g.conv(g.input(), &Scope::root("base"), Conv::square(16, 3)).relu().node();
            let half = g.conv(base, &Scope::root("half"), Conv::square(classes, 3).stride(2).biased()).node();
            let half = g.resize_like(half, base).node();
            let full = g.conv(base, &Scope::root("full"), Conv::square(classes, 1).biased()).node();
            let output = g.add(half, full).node();
            let graph = g.build(output).unwrap().with_activation(activation);
            let input = noisy(Shape::planar(3, 17, 22), 9);
            compare(&format!("{classes} classes, {activation:?}"), &graph, &weights(&graph, 4), &input);
        }
    }
}

/// What lies in the last group beyond a value's channels must not reach the next tile.
#[test]
fn a_tile_that_is_no_number_does_not_spoil_the_next() {
    let graph = zoo::build("unet", 3, 3).unwrap();
    let weights = weights(&graph, 8);
    for (precision, tolerance) in PRECISIONS {
        let Some(device) = device(precision) else { return };
        let engine = Engine::new(device, &graph, &weights, precision).unwrap();
        let shape = Shape::planar(3, 32, 32);
        let spoiled = engine.run(&Tensor::new(shape, vec![f32::NAN; shape.elements()]).unwrap()).unwrap();
        assert!(spoiled.data().iter().all(|score| score.is_nan()));
        let input = noisy(shape, 2);
        let expected = Reference::new(graph.clone(), &weights).unwrap().run(input.clone()).unwrap();
        assert_near(precision.name(), &engine.run(&input).unwrap(), &expected, tolerance);
    }
}
