//! Networks at random.

use proptest::prelude::*;
use swath_models::{
    Activation, Axes, BatchNorm, Builder, Conv, ConvTranspose, Coordinates, Graph, Interpolation, NodeId, Op, PadFill, Padding,
    Pool, PoolKind, Rank, Resize, ResizeTo, Weights,
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
    let choice = (0..18usize, 0..4usize, 0..12usize, 0..64usize);
    let choice = choice.prop_map(|(op, input, other, parameter)| Choice { op, input, other, parameter });
    prop::collection::vec(choice, 1..14)
}

/// A network of these nodes, and one that sums its last map, resized, with its input's.
pub fn network(choices: &[Choice], rank: Rank) -> Graph {
    let mut g = Builder::new("random", rank, 3);
    let mut nodes = vec![(g.input(), 3)];
    for (index, &choice) in choices.iter().enumerate() {
        let (x, channels) = nodes[nodes.len() - 1 - choice.input.min(nodes.len() - 1)];
        let other = nodes[choice.other % nodes.len()];
        let (op, inputs, channels) = operation(choice, rank, (x, channels), other);
        let node = g.push(format!("node{index}"), op, inputs).node();
        nodes.push((node, channels));
    }
    let (last, _) = nodes[nodes.len() - 1];
    let resized = g.resize_like(last, g.input()).node();
    let scores = g.push("head", Op::Conv(conv(2, 1, rank)), vec![resized]).node();
    let small = g.push("small", Op::Conv(Conv { bias: true, ..conv(2, 1, rank) }), vec![last]).node();
    let small = g.resize_like(small, g.input()).node();
    let input = g.input();
    let direct = g.push("direct", Op::Conv(conv(2, 3, rank)), vec![input]).node();
    let sum = g.add(small, scores).node();
    let sum = g.add(direct, sum).softmax().node();
    g.build(sum).unwrap()
}

fn conv(out_channels: usize, kernel: usize, rank: Rank) -> Conv {
    let mut conv = Conv::square(out_channels, kernel);
    if rank == Rank::Volumetric {
        conv.kernel.z = kernel;
        conv.padding.z = Padding::both(kernel / 2);
    }
    conv
}

fn operation(
    choice: Choice,
    rank: Rank,
    (x, channels): (NodeId, usize),
    (other, others): (NodeId, usize),
) -> (Op, Vec<NodeId>, usize) {
    let p = choice.parameter;
    let resize = Resize {
        interpolation: [Interpolation::Linear, Interpolation::NearestFloor, Interpolation::NearestPreferCeil][p % 3],
        coordinates: [Coordinates::HalfPixel, Coordinates::Asymmetric, Coordinates::AlignCorners][p / 3 % 3],
        to: ResizeTo::Like,
    };
    let spatial = |n: usize| if rank == Rank::Planar { Axes::plane(n) } else { Axes::cube(n) };
    match choice.op {
        0..=2 => {
            let out = [1, 4, 6, 7][p % 4];
            let kernel = [1, 3, 3, 5][p / 4 % 4];
            let mut conv = Conv { bias: p % 2 == 0, ..conv(out, kernel, rank) };
            conv.stride.x = [1, 1, 2][p % 3];
            conv.dilation.y = if p > 50 { 2 } else { 1 };
            conv.padding.y = Padding { before: kernel, after: kernel / 2 };
            (Op::Conv(conv), vec![x], out)
        }
        3 => (Op::Conv(Conv { groups: channels, ..conv(channels, 3, rank) }), vec![x], channels),
        4 => {
            let out = 2 * channels;
            let c = ConvTranspose {
                out_channels: out,
                kernel: spatial([1, 2, 3, 4][p % 4]),
                stride: Axes { y: 1 + p / 4 % 3, ..spatial(2) },
                padding: Axes { x: Padding { before: p / 8 % 2, after: 0 }, ..Axes::default() },
                output_padding: Axes { z: 0, y: 0, x: p / 16 % 2 },
                dilation: Axes { y: 1 + p / 32, ..Axes::cube(1) },
                groups: if p % 5 == 0 { channels } else { 1 },
                bias: p % 3 == 0,
            };
            (Op::ConvTranspose(c), vec![x], out)
        }
        5 => (Op::BatchNorm(BatchNorm { epsilon: 1e-3 }), vec![x], channels),
        6 => (Op::Affine, vec![x], channels),
        7 => (Op::Activation(Activation::Relu), vec![x], channels),
        8 => (Op::Activation(Activation::LeakyRelu { slope: 0.1 }), vec![x], channels),
        9 => (Op::Activation(Activation::Sigmoid), vec![x], channels),
        10 => (
            Op::Activation(Activation::Clip { min: (p % 2 == 0).then_some(-0.5), max: (p % 3 == 0).then_some(0.5) }),
            vec![x],
            channels,
        ),
        11 if p % 4 == 0 => (Op::GlobalAveragePool, vec![x], channels),
        11 => {
            let kind = [PoolKind::Max, PoolKind::AverageWithPadding, PoolKind::AverageInside][p % 3];
            let around = if rank == Rank::Planar {
                Axes::plane_padding(1)
            } else {
                Axes { z: Padding::both(1), ..Axes::plane_padding(1) }
            };
            (Op::Pool(Pool { kind, kernel: spatial(3), stride: spatial(1 + p % 2), padding: around }), vec![x], channels)
        }
        12 => (Op::Channels { start: p % channels, count: channels - p % channels }, vec![x], channels - p % channels),
        13 => {
            let fill = [PadFill::Constant { value: 0.25 }, PadFill::Edge][p % 2];
            (
                Op::Pad { padding: Axes { y: Padding { before: 2, after: 1 }, ..Axes::plane_padding(p % 3) }, fill },
                vec![x],
                channels,
            )
        }
        14 => (Op::Resize(resize), vec![x, other], channels),
        // Sums and products of whatever has the same extent: the node itself, or one value per channel.
        15 if others == channels || others == 1 => (Op::Mul, vec![x, x], channels),
        15 | 16 => (Op::Add, vec![x, x], channels),
        _ => (Op::Concat, vec![x, x], 2 * channels),
    }
}

/// Values for every tensor: no symmetry, variances positive.
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
