//! Values that a formula gives, here and in the scripts of the golden values.

use swath_models::{Graph, Weights};

/// `count` values in -1..1: `SplitMix64` seeded with the FNV-1a hash of the name, as the head of `make_fcn_resnet50.py` describes it.
pub(crate) fn uniform(name: &str, count: usize) -> impl Iterator<Item = f64> {
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
pub(crate) fn fill(name: &str, shape: &[usize]) -> Vec<f32> {
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

/// All weights of a network, by the formula.
pub(crate) fn weights(graph: &Graph) -> Weights {
    let mut weights = Weights::new();
    for spec in graph.tensors() {
        let data = fill(&spec.name, &spec.shape);
        weights.insert(spec.name, spec.shape, data);
    }
    weights
}

/// The tensor of that name and shape, by the formula of `make_zoo.py`.
pub(crate) fn fill_zoo(name: &str, shape: &[usize]) -> Vec<f32> {
    let fan_in = shape[1..].iter().product::<usize>() as f64;
    let part = name.rsplit('.').next().unwrap_or(name);
    let bound = (6.0 / fan_in).sqrt();
    let scaled = |u: f64| match part {
        "input" | "codewords" => u,
        "weight" if shape.len() == 1 => 1.0 + 0.25 * u,
        "weight" => u * bound,
        "running_var" => 1.0 + 0.5 * u,
        "scale" => 0.02 * u,
        _ => 0.1 * u,
    };
    uniform(name, shape.iter().product()).map(|u| scaled(u) as f32).collect()
}
