//! Gradients through candle, for the operators of `golden/make_operators.py`, against finite differences.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as the tests do")]

mod common;

use common::gradients::{Trial, check};
use common::operators::cases;
use swath_models::train::{Autograd, Batch, CandleAutograd, Device};
use swath_models::{Builder, Conv, Error, Extent, Graph, Op, Rank, Scope};

#[test]
fn every_operator_has_a_gradient() {
    // Candle cannot go back through the scatter that unpooling is; `gradients.rs` has it, on the CPU's own kernels.
    for case in cases().into_iter().filter(|case| !matches!(case.op, Op::MaxUnpool(_))) {
        // A scaling before it, so that the operator's gradient becomes that of weights.
        let shape = case.input.shape();
        let mut g = Builder::new(&case.name, case.rank, shape.channels);
        let before = g.push("before", Op::Affine, vec![g.input()]).node();
        let output = case.push(&mut g, before);
        let graph = g.build(output).unwrap();
        let samples = if case.rank == Rank::Planar { 2 } else { 1 };
        let mut autograd = CandleAutograd::new(graph, Device::Cpu).unwrap();
        check(&case.name, &mut autograd, samples, shape.extent, 6, 5e-5);
    }
}

fn network(rank: Rank) -> Graph {
    let mut g = Builder::new("network", rank, 2);
    let x = g.conv(g.input(), &Scope::root("conv"), Conv::square(3, 1)).bn(&Scope::root("norm")).relu().node();
    // Excitation by the mean of every channel (Hu et al. 2018).
    let mean = g.push("mean", Op::GlobalAveragePool, vec![x]).node();
    let product = g.push("product", Op::Mul, vec![mean, x]).node();
    let both = g.concat(vec![product, x]).node();
    g.build(both).unwrap()
}

#[test]
fn samples_are_normalised_together_and_averaged_alone() {
    let mut autograd = CandleAutograd::new(network(Rank::Planar), Device::Cpu).unwrap();
    check("three samples", &mut autograd, 3, Extent::planar(4, 5), 6, 5e-5);
}

#[test]
fn gradients_are_added() {
    let mut autograd = CandleAutograd::new(network(Rank::Planar), Device::Cpu).unwrap();
    let mut trial = Trial::new(&network(Rank::Planar), 2, Extent::planar(4, 4), 1);
    trial.pass(&mut autograd);
    let once = trial.parameters.gradients().to_vec();
    trial.pass(&mut autograd);
    for (twice, once) in trial.parameters.gradients().iter().zip(once) {
        assert!((twice - 2.0 * once).abs() < 1e-6, "expected twice {once}, got {twice}");
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let volumes = network(Rank::Volumetric);
    let mut two = Trial::new(&volumes, 2, Extent { z: 2, y: 3, x: 3 }, 1);
    let mut autograd = CandleAutograd::new(volumes, Device::Cpu).unwrap();
    let mut same = |scores: &Batch| Ok(scores.clone());
    let result = autograd.pass(&mut two.parameters, &two.input, &mut same);
    assert!(matches!(result, Err(Error::Node { node, .. }) if node == "input"));

    let mut one = Trial::new(&network(Rank::Planar), 1, Extent::planar(1, 1), 1);
    let mut autograd = CandleAutograd::new(network(Rank::Planar), Device::Cpu).unwrap();
    let result = autograd.pass(&mut one.parameters, &one.input, &mut same);
    assert!(matches!(result, Err(Error::Node { node, .. }) if node == "norm"));
    // A gradient of another shape than the scores.
    let mut more = Trial::new(&network(Rank::Planar), 1, Extent::planar(2, 2), 1);
    let input = more.input.clone();
    assert!(matches!(autograd.pass(&mut more.parameters, &input, &mut |_| Ok(input.clone())), Err(Error::Length { .. })));
}
