//! Networks of the zoo against PyTorch: logits of `golden/make_networks.py`, whose weights are a formula.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as the tests do")]

mod common;

use std::path::PathBuf;

use common::formula;
use swath_models::{Arithmetic, Error, Executor, Extent, Fused, Reference, Shape, Tensor, Weights, zoo};

/// Bands and classes of the golden cases.
const BANDS: usize = 3;
const CLASSES: usize = 3;

#[test]
fn logits_are_those_of_pytorch() {
    let golden = Weights::read(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/networks.safetensors")).unwrap();
    let mut cases = 0;
    for spec in golden.specs() {
        let (name, _) = spec.name.rsplit_once('_').unwrap();
        let graph = zoo::build(name, BANDS, CLASSES).unwrap();
        let weights = formula::weights(&graph);
        let theirs = golden.get(&spec.name).unwrap();
        let reference = Reference::new(graph.clone(), &weights).unwrap();
        assert_logits(&format!("reference, {}", spec.name), &reference, &spec.shape[1..], theirs);
        let fused = Fused::new(graph, &weights, Arithmetic::default()).unwrap();
        assert_logits(&format!("fused, {}", spec.name), &fused, &spec.shape[1..], theirs);
        cases += 1;
    }
    assert_eq!(cases, 5);
}

fn assert_logits(case: &str, network: &impl Executor, extent: &[usize], theirs: &[f32]) {
    let input = Shape::planar(BANDS, extent[0], extent[1]);
    let data = formula::fill("input", &[BANDS, extent[0], extent[1]]);
    let ours = network.run(Tensor::new(input, data).unwrap()).unwrap();
    assert_eq!(ours.shape(), Shape::planar(CLASSES, extent[0], extent[1]), "{case}");
    let magnitude = theirs.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
    for (a, b) in ours.data().iter().zip(theirs) {
        assert!((a - b).abs() <= 2e-6 * magnitude, "{case}: {a} and {b}, the largest is {magnitude}");
    }
}

#[test]
fn the_small_network_weighs_at_most_2_mib() {
    let values: usize = zoo::fcn_small(4, 6).unwrap().tensors().iter().map(|spec| spec.shape.iter().product::<usize>()).sum();
    assert!(values * size_of::<f32>() <= 2 << 20, "{values} values");
}

#[test]
fn a_u_net_takes_multiples_of_its_stride_and_has_as_many_levels_as_widths() {
    let of_widths = |widths: &[usize]| zoo::UNet { widths: widths.to_vec(), ..zoo::UNet::default() }.build("unet", 2, 3);
    let graph = of_widths(&[4, 8, 12]).unwrap();
    assert_eq!(graph.output_shape(Extent::planar(12, 8)).unwrap(), Shape::planar(3, 12, 8));
    assert!(matches!(graph.output_shape(Extent::planar(10, 8)), Err(Error::Node { .. })));
    assert_eq!(graph.tensors().iter().filter(|spec| spec.name.starts_with("up.")).count(), 4);
    assert!(matches!(of_widths(&[]), Err(Error::Unsuitable { .. })));
}
