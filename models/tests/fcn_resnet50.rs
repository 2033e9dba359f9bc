//! FCN-ResNet50 against PyTorch: probabilities of `golden/make_fcn_resnet50.py`, whose weights are a formula.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as the tests do")]

use std::path::PathBuf;

use swath_models::{Arithmetic, Executor, Fused, Reference, ScoreActivation, Shape, Tensor, Weights, zoo};

fn golden() -> Weights {
    Weights::read(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/fcn_resnet50.safetensors")).unwrap()
}

/// `count` values in -1..1: `SplitMix64` seeded with the FNV-1a hash of the name, as the script's head describes it.
fn uniform(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let mut state = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f64 * 2f64.powi(-23) - 1.0
    })
    .take(count)
}

/// The tensor of that name and shape, by the script's formula.
fn fill(name: &str, shape: &[usize]) -> Vec<f32> {
    let fan_in = shape[1..].iter().product::<usize>() as f64;
    let (owner, part) = name.rsplit_once('.').unwrap_or(("", name));
    let scaled = |u: f64| match part {
        "input" => u,
        "weight" if owner.starts_with("head") => u * (3.0 / fan_in).sqrt(),
        "weight" if shape.len() == 4 => u * (6.0 / fan_in).sqrt(),
        "weight" if owner.ends_with("bn3") => 0.3 * (0.75 + 0.25 * u),
        "weight" => 0.75 + 0.25 * u,
        "running_var" => 1.0 + 0.5 * u,
        _ => 0.1 * u,
    };
    uniform(name, shape.iter().product()).map(|u| scaled(u) as f32).collect()
}

#[test]
fn probabilities_are_those_of_pytorch_at_sizes_that_fit_the_stride_and_at_others() {
    let golden = golden();
    let graph = zoo::build("fcn_resnet50", 3, 6).unwrap();
    let mut weights = Weights::new();
    for spec in graph.tensors() {
        let data = fill(&spec.name, &spec.shape);
        weights.insert(spec.name, spec.shape, data);
    }
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
