//! The gradients of every operator, against finite differences.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as the tests do")]

mod common;

use common::gradients::{Trial, check};
use common::networks::{choices, network};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rayon::ThreadPoolBuilder;
use swath_models::train::{Autograd, Batch, CandleAutograd, Device, FusedAutograd};
use swath_models::{
    Activation, Axes, BatchNorm, Builder, Conv, ConvTranspose, Convolutions, Coordinates, CropPlace, Encoding, Error, Extent,
    Graph, GroupNorm, InstanceNorm, Interpolation, MaxUnpool, NodeId, Op, PadFill, Padding, Pool, PoolKind, Rank, Resize,
    ResizeTo, Scope, Slopes, Turn,
};

const CONVOLUTIONS: [Convolutions; 2] = [Convolutions::Direct, Convolutions::Winograd];
const PLANE: Extent = Extent { z: 1, y: 7, x: 9 };
const VOLUME: Extent = Extent { z: 4, y: 5, x: 6 };
const ACTIVATIONS: [Activation; 7] = [
    Activation::Relu,
    Activation::LeakyRelu { slope: 0.1 },
    Activation::Sigmoid,
    Activation::Clip { min: Some(-0.3), max: Some(0.4) },
    Activation::HardSigmoid,
    Activation::HardSwish,
    Activation::Silu,
];

fn fused(graph: &Graph) -> FusedAutograd {
    FusedAutograd::new(graph.clone(), Convolutions::Direct).unwrap()
}

fn check_graph(what: &str, graph: &Graph, extent: Extent) {
    check(what, &mut fused(graph), 2, extent, 6, 2e-5);
}

/// Checks an operator between convolutions, so that its gradient becomes those of the first one's weights: on planes and on volumes, of so many
/// channels.
fn check_operator(what: &str, channels: usize, op: impl Fn(Rank) -> Op) {
    check_nodes(what, channels, |g, rank, x| g.push("operator", op(rank), vec![x]).node());
}

/// The same for what `add` adds after a node.
fn check_nodes(what: &str, channels: usize, add: impl Fn(&mut Builder, Rank, NodeId) -> NodeId) {
    for (rank, extent) in [(Rank::Planar, PLANE), (Rank::Volumetric, VOLUME)] {
        let mut g = Builder::new("operator", rank, 3);
        let input = g.input();
        let x = g.conv(input, &Scope::root("before"), Conv::square(channels, 1).biased()).node();
        let x = add(&mut g, rank, x);
        let y = g.conv(x, &Scope::root("after"), Conv::square(2, 1)).node();
        check_graph(&format!("{what}, {rank:?}"), &g.build(y).unwrap(), extent);
    }
}

fn spatial(rank: Rank, n: usize) -> Axes<usize> {
    if rank == Rank::Planar { Axes::plane(n) } else { Axes::cube(n) }
}

fn around(rank: Rank, before: usize, after: usize) -> Axes<Padding> {
    let padding = Padding { before, after };
    Axes {
        z: if rank == Rank::Planar { Padding::default() } else { padding },
        y: padding,
        x: Padding { before: after, after: before },
    }
}

#[test]
fn convolutions() {
    for groups in [1, 2] {
        check_operator("conv", 4, |rank| {
            let mut conv = Conv { kernel: spatial(rank, 3), padding: around(rank, 1, 2), groups, ..Conv::square(6, 3) }.biased();
            conv.stride.y = 2;
            Op::Conv(conv)
        });
        check_operator("conv_transpose", 4, |rank| {
            Op::ConvTranspose(ConvTranspose {
                out_channels: 6,
                kernel: spatial(rank, 3),
                stride: spatial(rank, 2),
                padding: around(rank, 1, 0),
                output_padding: Axes { z: 0, y: 0, x: 1 },
                dilation: Axes::cube(1),
                groups,
                bias: true,
            })
        });
    }
}

#[test]
fn scalings_with_and_without_activations() {
    // Of channels that fill registers alone, together, and not at all.
    let relu = [2, 16, 48, 64, 130].map(|channels| (channels, Some(Activation::Relu)));
    let others = ACTIVATIONS.map(Some).into_iter().chain([None]).map(|activation| (5, activation));
    for (channels, activation) in relu.into_iter().chain(others) {
        for op in [Op::BatchNorm(BatchNorm { epsilon: 1e-3 }), Op::Affine] {
            check_nodes(&format!("{op:?} of {channels} and {activation:?}"), channels, |g, _, x| {
                let x = g.push("scaling", op.clone(), vec![x]).node();
                activation.map_or(x, |f| g.push("activation", Op::Activation(f), vec![x]).node())
            });
        }
    }
}

#[test]
fn activations_of_what_is_read_once_and_twice() {
    for activation in ACTIVATIONS {
        check_operator("activation", 3, |_| Op::Activation(activation));
        check_nodes("activation of what others read", 3, |g, _, x| {
            let y = g.push("activation", Op::Activation(activation), vec![x]).node();
            g.push("product", Op::Mul, vec![y, x]).node()
        });
        check_nodes("activation of a sum", 3, |g, _, x| {
            let y = g.conv(x, &Scope::root("middle"), Conv::square(3, 1)).node();
            let sum = g.add(x, y).node();
            g.push("activation", Op::Activation(activation), vec![sum]).node()
        });
    }
    check_operator("softmax", 5, |_| Op::Softmax);
}

#[test]
fn poolings() {
    for kind in [PoolKind::Max, PoolKind::AverageWithPadding, PoolKind::AverageInside] {
        for (kernel, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 0)] {
            check_operator(&format!("{kind:?} {kernel} {stride} {padding}"), 3, |rank| {
                let (kernel, stride) = (spatial(rank, kernel), spatial(rank, stride));
                Op::Pool(Pool { kind, kernel, stride, padding: around(rank, padding, 0) })
            });
        }
    }
    for channels in [16, 64, 130] {
        check_operator(&format!("{channels} channels"), channels, |rank| {
            Op::Pool(Pool { kind: PoolKind::Max, kernel: spatial(rank, 2), stride: spatial(rank, 2), padding: Axes::default() })
        });
    }
    check_nodes("global average", 5, |g, _, x| {
        let mean = g.push("mean", Op::GlobalAveragePool, vec![x]).node();
        g.push("product", Op::Mul, vec![x, mean]).node()
    });
}

#[test]
fn bins_and_unpooling() {
    for bins in [1, 2, 3, 7] {
        check_operator(&format!("{bins} bins"), 3, |rank| Op::AdaptiveAveragePool { bins: spatial(rank, bins) });
    }
    for (kernel, stride) in [(2, 2), (2, 3), (1, 2)] {
        check_nodes(&format!("unpooling {kernel} {stride}"), 5, |g, rank, x| {
            let (kernel, stride) = (spatial(rank, kernel), spatial(rank, stride));
            let pool = Pool { kind: PoolKind::Max, kernel, stride, padding: Axes::default() };
            let pooled = g.push("pooled", Op::Pool(pool), vec![x]).node();
            let values = g.conv(pooled, &Scope::root("values"), Conv::square(5, 1)).node();
            let unpooled = g.max_unpool(values, x, MaxUnpool { kernel, stride }).node();
            g.add(unpooled, x).node()
        });
    }
}

#[test]
fn crops() {
    for place in [CropPlace::Middle, CropPlace::After { before: Axes { z: 0, y: 2, x: 1 } }] {
        check_nodes(&format!("{place:?}"), 3, |g, _, x| {
            let like = g.conv(x, &Scope::root("like"), Conv::square(3, 3).padding(0)).node();
            let part = g.crop(x, like, place).node();
            g.mul(part, like).node()
        });
    }
}

#[test]
fn normalisations_of_samples() {
    for affine in [false, true] {
        check_operator("instance norm", 5, |_| Op::InstanceNorm(InstanceNorm { epsilon: 1e-3, affine }));
    }
    for groups in [1, 2, 6] {
        check_operator(&format!("{groups} groups"), 6, |_| Op::GroupNorm(GroupNorm { groups, epsilon: 1e-3 }));
    }
    check_operator("L2 norm", 5, |_| Op::L2Norm { epsilon: 1e-3 });
    for slopes in [Slopes::Shared, Slopes::PerChannel] {
        check_operator(&format!("{slopes:?} slopes"), 5, |_| Op::PRelu { slopes });
    }
}

#[test]
fn codewords() {
    check_nodes("encoding", 5, |g, _, x| {
        let code = g.push("code", Op::Encoding(Encoding { codewords: 4, channels: 5 }), vec![x]).node();
        let turned = g.push("turned", Op::Turn(Turn { channels: 5, width: 4 }), vec![code]).node();
        let mean = g.at(turned).global_average().node();
        g.mul(x, mean).node()
    });
}

#[test]
fn sums_and_products_with_what_is_broadcast() {
    for op in [Op::Add, Op::Mul] {
        for turned in [false, true] {
            let order = |a: NodeId, b: NodeId| if turned { vec![b, a] } else { vec![a, b] };
            check_nodes(&format!("{op:?} of one channel"), 4, |g, _, x| {
                let one = g.push("one", Op::Channels { start: 1, count: 1 }, vec![x]).node();
                g.push("operator", op.clone(), order(x, one)).node()
            });
            check_nodes(&format!("{op:?} of one position"), 4, |g, _, x| {
                let one = g.push("one", Op::GlobalAveragePool, vec![x]).node();
                g.push("operator", op.clone(), order(x, one)).node()
            });
        }
        check_nodes(&format!("{op:?} with itself"), 4, |g, _, x| g.push("operator", op.clone(), vec![x, x]).node());
    }
}

#[test]
fn concatenations_in_place_and_copied() {
    for channels in [3, 16, 64] {
        check_nodes("concatenation", channels, |g, _, x| {
            let conv =
                |g: &mut Builder, name: &str, x: NodeId| g.conv(x, &Scope::root(name), Conv::square(channels, 1)).relu().node();
            let a = conv(g, "a", x);
            let b = conv(g, "b", x);
            let from_a = conv(g, "from_a", a);
            let first = g.concat(vec![b, a, x, b, from_a, x]).node();
            let relu = g.push("relu", Op::Activation(Activation::Sigmoid), vec![first]).node();
            let second = g.concat(vec![relu, a]).node();
            let part = g.push("part", Op::Channels { start: 1, count: 2 * channels }, vec![second]).node();
            let other = g.push("other", Op::Channels { start: 2, count: 2 * channels }, vec![second]).node();
            g.add(part, other).node()
        });
    }
}

#[test]
fn resizings() {
    let interpolations = [
        Interpolation::Linear,
        Interpolation::NearestFloor,
        Interpolation::NearestCeil,
        Interpolation::NearestPreferFloor,
        Interpolation::NearestPreferCeil,
    ];
    for interpolation in interpolations {
        for coordinates in [Coordinates::HalfPixel, Coordinates::Asymmetric, Coordinates::AlignCorners] {
            for (y, x) in [(2.0, 3.0), (0.5, 1.4)] {
                let to = ResizeTo::Factor { factor: Axes { z: 1.0, y, x } };
                check_operator(&format!("{interpolation:?} {coordinates:?} {y} {x}"), 3, |_| {
                    Op::Resize(Resize { interpolation, coordinates, to })
                });
            }
            let to = ResizeTo::Factor { factor: Axes { z: 1.0, y: 2.0, x: 2.0 } };
            check_nodes("like another", 3, |g, _, x| {
                let resize = Resize { interpolation, coordinates, to };
                let like = g.push("like", Op::Resize(resize), vec![x]).node();
                let y = g.push("resized", Op::Resize(Resize { to: ResizeTo::Like, ..resize }), vec![x, like]).node();
                g.push("sum", Op::Add, vec![y, like]).node()
            });
        }
    }
}

#[test]
fn paddings() {
    for fill in [PadFill::Constant { value: 0.5 }, PadFill::Edge, PadFill::Reflect] {
        check_operator(&format!("{fill:?}"), 3, |rank| Op::Pad { padding: around(rank, 2, 3), fill });
    }
}

#[test]
fn networks_at_random() {
    let mut runner = TestRunner::deterministic();
    for case in 0..40 {
        let (rank, extent) = if case % 3 == 2 { (Rank::Volumetric, VOLUME) } else { (Rank::Planar, PLANE) };
        let chosen = choices().new_tree(&mut runner).unwrap().current();
        let graph = network(&chosen, rank, extent);
        for convolutions in CONVOLUTIONS {
            let mut autograd = FusedAutograd::new(graph.clone(), convolutions).unwrap();
            check(&format!("{case}: {chosen:?}"), &mut autograd, 2, extent, 2, 1e-3);
        }
    }
}

/// A U-Net of one level with a residual block in it.
fn unet() -> Graph {
    let mut g = Builder::new("unet", Rank::Planar, 3);
    let input = g.input();
    let root = Scope::root("");
    let top = g.conv(input, &(&root / "top"), Conv::square(16, 3)).bn(&(&root / "top_bn")).relu().node();
    let down = g.at(top).max_pool(2, 2, 0).node();
    let x = g.conv(down, &(&root / "down"), Conv::square(32, 3)).bn(&(&root / "down_bn")).relu().node();
    let y = g.conv(x, &(&root / "block"), Conv::square(32, 3)).bn(&(&root / "block_bn")).node();
    let sum = g.add(x, y).relu().node();
    let up = ConvTranspose {
        out_channels: 16,
        kernel: Axes::plane(2),
        stride: Axes::plane(2),
        padding: Axes::default(),
        output_padding: Axes::cube(0),
        dilation: Axes::cube(1),
        groups: 1,
        bias: true,
    };
    let up = g.push("up", Op::ConvTranspose(up), vec![sum]).node();
    let both = g.concat(vec![top, up]).node();
    let x = g.conv(both, &(&root / "decoded"), Conv::square(16, 3)).bn(&(&root / "decoded_bn")).relu().node();
    let output = g.conv(x, &(&root / "head"), Conv::square(2, 1).biased()).node();
    g.build(output).unwrap()
}

#[test]
fn a_unet_is_that_of_finite_differences() {
    for convolutions in CONVOLUTIONS {
        let mut autograd = FusedAutograd::new(unet(), convolutions).unwrap();
        check("unet", &mut autograd, 3, Extent::planar(12, 8), 8, 1e-4);
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    for convolutions in CONVOLUTIONS {
        let run = |threads: usize| {
            let mut trial = Trial::new(&unet(), 3, Extent::planar(64, 80), 5);
            let mut autograd = FusedAutograd::new(unet(), convolutions).unwrap();
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let scores = pool.install(|| trial.pass(&mut autograd));
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            [bits(scores.values()), bits(trial.parameters.gradients()), bits(trial.parameters.values())]
        };
        let once = run(1);
        assert!(once == run(2) && once == run(4));
    }
}

#[test]
fn running_statistics_move_towards_the_batch() {
    let mut g = Builder::new("norm", Rank::Planar, 1);
    let input = g.input();
    let output = g.at(input).bn(&Scope::root("bn")).node();
    let graph = g.build(output).unwrap();
    let mut trial = Trial::new(&graph, 1, Extent::planar(1, 4), 1);
    trial.input.values_mut().copy_from_slice(&[1.0, 2.0, 3.0, 6.0]);
    trial.parameters.values_mut().copy_from_slice(&[1.0, 0.0, 0.5, 2.0]);
    trial.pass(&mut fused(&graph));
    // Mean 3, squared distances 4 + 1 + 0 + 9 over 3.
    let expected = [1.0, 0.0, 0.9 * 0.5 + 0.1 * 3.0, 0.9 * 2.0 + 0.1 * 14.0 / 3.0];
    for (ours, expected) in trial.parameters.values().iter().zip(expected) {
        assert!((ours - expected).abs() < 1e-6, "expected {expected}, got {ours}");
    }
}

#[test]
fn a_normalisation_of_one_value_is_an_error() {
    let mut g = Builder::new("norm", Rank::Planar, 1);
    let input = g.input();
    let output = g.at(input).bn(&Scope::root("bn")).node();
    let graph = g.build(output).unwrap();
    let mut trial = Trial::new(&graph, 1, Extent::planar(1, 1), 1);
    let slopes = trial.slopes.clone();
    let result = fused(&graph).pass(&mut trial.parameters, &trial.input, &mut |_| Ok(slopes.clone()));
    assert!(matches!(result, Err(Error::Node { node, .. }) if node == "bn"));
}

/// Both ways to compute gradients.
fn both(graph: &Graph) -> [Box<dyn Autograd>; 2] {
    [Box::new(fused(graph)), Box::new(CandleAutograd::new(graph.clone(), Device::Cpu).unwrap())]
}

#[test]
fn an_input_that_is_not_finite_is_an_error_that_names_the_sample() {
    for mut autograd in both(&unet()) {
        let mut trial = Trial::new(&unet(), 3, Extent::planar(8, 8), 3);
        let before = trial.parameters.clone();
        trial.input.values_mut()[3 * 64 + 7] = f32::NAN;
        let result = autograd.pass(&mut trial.parameters, &trial.input, &mut |scores| Ok(scores.clone()));
        assert!(matches!(result, Err(Error::Input { sample: 1, value }) if value.is_nan()));
        assert_eq!(trial.parameters, before);
    }
}

#[test]
fn what_the_output_does_not_read_is_left_alone() {
    let mut g = Builder::new("unread", Rank::Planar, 3);
    let input = g.input();
    let output = g.conv(input, &Scope::root("read"), Conv::square(2, 1)).node();
    // Of one value per channel, which could not be normalised.
    let mean = g.push("mean", Op::GlobalAveragePool, vec![input]).node();
    let _ = g.at(mean).bn(&Scope::root("unread"));
    let graph = g.build(output).unwrap();
    for mut autograd in both(&graph) {
        let mut trial = Trial::new(&graph, 1, Extent::planar(8, 8), 3);
        let before = trial.parameters.values().to_vec();
        trial.pass(autograd.as_mut());
        assert_eq!(trial.parameters.values(), before);
    }
}

#[test]
fn gradients_are_added_and_batches_may_change() {
    let mut autograd = fused(&unet());
    let [mut large, mut small] =
        [(3, 16), (2, 8)].map(|(samples, side)| Trial::new(&unet(), samples, Extent::planar(side, side), 3));
    large.pass(&mut autograd);
    let once = large.parameters.gradients().to_vec();
    small.pass(&mut autograd);
    large.pass(&mut autograd);
    for (twice, once) in large.parameters.gradients().iter().zip(&once) {
        assert!((twice - 2.0 * once).abs() <= 1e-5 * once.abs().max(1e-2), "expected twice {once}, got {twice}");
    }
    check("after others", &mut autograd, 2, Extent::planar(8, 8), 4, 1e-4);
}

/// Of values and gradients; what layers keep packed is made with the tape, once for a shape, and is not counted.
#[test]
fn buffers_of_the_first_pass_are_enough_for_the_second() {
    let mut autograd = fused(&unet());
    let mut trial = Trial::new(&unet(), 2, Extent::planar(16, 16), 3);
    trial.pass(&mut autograd);
    let once = autograd.resident_bytes();
    assert!(once > 0);
    trial.pass(&mut autograd);
    assert_eq!(autograd.resident_bytes(), once);
}

#[test]
fn a_loss_that_fails_changes_no_gradient_and_no_later_pass() {
    let mut autograd = fused(&unet());
    let mut trial = Trial::new(&unet(), 2, Extent::planar(8, 8), 3);
    let before = trial.parameters.gradients().to_vec();
    let fails = || Err(Error::Unsuitable { reason: "no loss".into() });
    assert!(autograd.pass(&mut trial.parameters, &trial.input, &mut |_| fails()).is_err());
    // The gradient of other scores.
    let input = trial.input.clone();
    assert!(autograd.pass(&mut trial.parameters, &trial.input, &mut |_: &Batch| Ok(input.clone())).is_err());
    assert_eq!(trial.parameters.gradients(), before);
    check("after failures", &mut autograd, 2, Extent::planar(8, 8), 4, 1e-4);
}

#[test]
fn batches_and_parameters_of_other_networks_are_errors() {
    let graph = unet();
    let other = Trial::new(
        &Builder::new("other", Rank::Planar, 2).build(Builder::new("other", Rank::Planar, 2).input()).unwrap(),
        1,
        Extent::planar(8, 8),
        1,
    );
    let mut trial = Trial::new(&graph, 1, Extent::planar(8, 8), 1);
    let mut loss = |scores: &Batch| Ok(scores.clone());
    assert!(
        matches!(fused(&graph).pass(&mut trial.parameters, &other.input, &mut loss), Err(Error::Node { node, .. }) if node == "input")
    );
    let mut parameters = other.parameters.clone();
    assert!(matches!(fused(&graph).pass(&mut parameters, &trial.input, &mut loss), Err(Error::MissingTensor { .. })));
    assert!(matches!(fused(&other.graph).pass(&mut trial.parameters, &other.input, &mut loss), Err(Error::UnusedTensors { .. })));
}
