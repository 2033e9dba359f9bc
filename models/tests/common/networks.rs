//! Networks at random.

use proptest::prelude::*;
use swath_models::{
    Activation, Axes, BatchNorm, Builder, Conv, ConvTranspose, Coordinates, CropPlace, Extent, Graph, GroupNorm, InstanceNorm,
    Interpolation, Op, PadFill, Padding, Pool, PoolKind, Rank, Resize, ResizeTo, Slopes, Weights,
};

/// One more node, chosen by numbers that mean something for every graph.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    op: usize,
    input: usize,
    other: usize,
    parameter: usize,
}

/// So many nodes.
pub fn choices() -> impl Strategy<Value = Vec<Choice>> {
    let choice = (0..24usize, 0..4usize, 0..12usize, 0..64usize);
    let choice = choice.prop_map(|(op, input, other, parameter)| Choice { op, input, other, parameter });
    prop::collection::vec(choice, 1..14)
}

/// A network of these nodes, as far as they fit the extent, whose scores are a sum of its last values, its input, and a resizing of each.
pub fn network(choices: &[Choice], rank: Rank, extent: Extent) -> Graph {
    let mut nodes: Vec<(Op, Vec<usize>)> = Vec::new();
    for &choice in choices {
        let graph = build(&nodes, rank).unwrap();
        let shapes = graph.shapes(extent).unwrap();
        let input = nodes.len() - choice.input.min(nodes.len());
        // Sums, products and concatenations need a second input that fits: the first one from any place on that does.
        let fits = (0..=nodes.len()).map(|i| (choice.other + i) % (nodes.len() + 1)).find_map(|other| {
            let mut longer = nodes.clone();
            longer.push(operation(choice, rank, (input, shapes[input].channels), (other, shapes[other].channels)));
            let shape = build(&longer, rank).ok()?.shapes(extent).ok()?[longer.len()];
            (shape.elements() < 20_000).then_some(longer)
        });
        nodes = fits.unwrap_or(nodes);
    }
    let (last, like) =
        (nodes.len(), Resize { to: ResizeTo::Like, interpolation: Interpolation::Linear, coordinates: Coordinates::HalfPixel });
    nodes.push((Op::Resize(like), vec![last, 0]));
    nodes.push((Op::Conv(conv(2, 1, rank)), vec![last + 1]));
    nodes.push((Op::Conv(Conv { bias: true, ..conv(2, 1, rank) }), vec![last]));
    nodes.push((Op::Resize(like), vec![last + 3, 0]));
    nodes.push((Op::Conv(conv(2, 3, rank)), vec![0]));
    nodes.push((Op::Add, vec![last + 4, last + 2]));
    nodes.push((Op::Add, vec![last + 5, last + 6]));
    nodes.push((Op::Softmax, vec![last + 7]));
    build(&nodes, rank).unwrap()
}

/// A network of three bands whose last node is the output; inputs are places, the network's own input at 0.
fn build(nodes: &[(Op, Vec<usize>)], rank: Rank) -> swath_models::Result<Graph> {
    let mut g = Builder::new("random", rank, 3);
    let mut ids = vec![g.input()];
    for (op, inputs) in nodes {
        let inputs = inputs.iter().map(|input| ids[*input]).collect();
        ids.push(g.push(format!("node{}", ids.len()), op.clone(), inputs).node());
    }
    g.build(ids[nodes.len()])
}

fn conv(out_channels: usize, kernel: usize, rank: Rank) -> Conv {
    let mut conv = Conv::square(out_channels, kernel);
    if rank == Rank::Volumetric {
        conv.kernel.z = kernel;
        conv.padding.z = Padding::both(kernel / 2);
    }
    conv
}

/// An operation on a node, with another one if it takes two.
fn operation(choice: Choice, rank: Rank, (x, channels): (usize, usize), (other, others): (usize, usize)) -> (Op, Vec<usize>) {
    let p = choice.parameter;
    let resize = Resize {
        interpolation: [Interpolation::Linear, Interpolation::NearestFloor, Interpolation::NearestPreferCeil][p % 3],
        coordinates: [Coordinates::HalfPixel, Coordinates::Asymmetric, Coordinates::AlignCorners][p / 3 % 3],
        to: ResizeTo::Like,
    };
    let spatial = |n: usize| if rank == Rank::Planar { Axes::plane(n) } else { Axes::cube(n) };
    match choice.op {
        0..=2 => {
            // Parts of concatenations lie in their places from many channels on.
            let out = [1, 4, 66, 7][p % 4];
            let kernel = [1, 3, 3, 5][p / 4 % 4];
            let mut conv = Conv { bias: p.is_multiple_of(2), ..conv(out, kernel, rank) };
            conv.stride.x = [1, 1, 2][p % 3];
            conv.dilation.y = if p > 50 { 2 } else { 1 };
            conv.padding.y = Padding { before: kernel, after: kernel / 2 };
            (Op::Conv(conv), vec![x])
        }
        3 => (Op::Conv(Conv { groups: channels, ..conv(channels, 3, rank) }), vec![x]),
        4 => {
            let out = 2 * channels;
            let c = ConvTranspose {
                out_channels: out,
                kernel: spatial([1, 2, 3, 4][p % 4]),
                stride: Axes { y: 1 + p / 4 % 3, ..spatial(2) },
                padding: Axes { x: Padding { before: p / 8 % 2, after: 0 }, ..Axes::default() },
                output_padding: Axes { z: 0, y: 0, x: p / 16 % 2 },
                dilation: Axes { y: 1 + p / 32, ..Axes::cube(1) },
                groups: if p.is_multiple_of(5) { channels } else { 1 },
                bias: p.is_multiple_of(3),
            };
            (Op::ConvTranspose(c), vec![x])
        }
        5 => (Op::BatchNorm(BatchNorm { epsilon: 1e-3 }), vec![x]),
        6 => (Op::Affine, vec![x]),
        7 => (Op::Activation(Activation::Relu), vec![x]),
        8 => (Op::Activation(Activation::LeakyRelu { slope: 0.1 }), vec![x]),
        9 => (Op::Activation(Activation::Sigmoid), vec![x]),
        10 => (
            Op::Activation(Activation::Clip {
                min: p.is_multiple_of(2).then_some(-0.5),
                max: p.is_multiple_of(3).then_some(0.5),
            }),
            vec![x],
        ),
        11 if p.is_multiple_of(4) => (Op::GlobalAveragePool, vec![x]),
        11 => {
            let kind = [PoolKind::Max, PoolKind::AverageWithPadding, PoolKind::AverageInside][p % 3];
            let around = if rank == Rank::Planar {
                Axes::plane_padding(1)
            } else {
                Axes { z: Padding::both(1), ..Axes::plane_padding(1) }
            };
            (Op::Pool(Pool { kind, kernel: spatial(3), stride: spatial(1 + p % 2), padding: around }), vec![x])
        }
        12 => (Op::Channels { start: p % channels, count: channels - p % channels }, vec![x]),
        13 => {
            let fill = [PadFill::Constant { value: 0.25 }, PadFill::Edge][p % 2];
            (Op::Pad { padding: Axes { y: Padding { before: 2, after: 1 }, ..Axes::plane_padding(p % 3) }, fill }, vec![x])
        }
        14 => (Op::Resize(resize), vec![x, other]),
        15 => (Op::Mul, vec![x, other]),
        16 => (Op::Add, vec![x, other]),
        // With an epsilon that keeps them from making roundings to 16 bits large.
        17 => (Op::InstanceNorm(InstanceNorm { epsilon: 0.5, affine: p.is_multiple_of(2) }), vec![x]),
        18 => (Op::GroupNorm(GroupNorm { groups: if p.is_multiple_of(2) { 1 } else { channels }, epsilon: 0.5 }), vec![x]),
        19 => (Op::L2Norm { epsilon: 0.5 }, vec![x]),
        20 => (Op::PRelu { slopes: if p.is_multiple_of(2) { Slopes::Shared } else { Slopes::PerChannel } }, vec![x]),
        21 => {
            let f = [Activation::HardSigmoid, Activation::HardSwish, Activation::Silu][p % 3];
            (Op::Activation(f), vec![x])
        }
        22 => (Op::Crop { place: CropPlace::Middle }, vec![x, other]),
        _ if channels + others > 150 => (Op::Softmax, vec![x]),
        _ => (Op::Concat, vec![x, other]),
    }
}

/// Values for every tensor: no symmetry, variances positive, residual branches small so that sums do not grow.
pub fn weights(graph: &Graph, seed: u64) -> Weights {
    let mut weights = swath_models::zoo::random_weights(graph, seed);
    let specs: Vec<_> = weights.specs().collect();
    for spec in specs {
        let part = spec.name.rsplit('.').next().unwrap();
        let kernel = spec.shape.len() > 1;
        let count: usize = spec.shape.iter().product();
        let value = |i: usize| ((i as u64 * 7919 + seed * 31 + spec.name.len() as u64) % 101) as f32 / 101.0 - 0.5;
        let data = match part {
            "weight" if kernel => continue,
            "weight" if spec.name.ends_with("bn3.weight") => (0..count).map(|i| 0.3 * (1.0 + value(i))).collect(),
            "running_var" | "weight" => (0..count).map(|i| 1.0 + value(i)).collect(),
            _ => (0..count).map(|i| 0.3 * value(i)).collect(),
        };
        weights.insert(spec.name, spec.shape, data);
    }
    weights
}

/// Values in -1..1.
pub fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}
