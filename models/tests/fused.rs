//! The fused CPU executor against golden values and against the reference.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as the tests do")]

mod common;

use common::networks::{choices, network, noise, weights};
use common::{onnx, operators};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rayon::ThreadPoolBuilder;
use swath_models::onnx::Imported;
use swath_models::{
    Activation, Arithmetic, Axes, Builder, Conv, ConvTranspose, Convolutions, Coordinates, Executor, Extent, Fused, Graph,
    Interpolation, NodeId, Op, PadFill, Padding, Pool, PoolKind, Precision, Rank, Reference, Resize, ResizeTo, Scope,
    ScoreActivation, Shape, Tensor, Weights, zoo,
};

/// How far a value may be from the expected one.
#[derive(Clone, Copy, Debug)]
enum Tolerance {
    /// Relative to the expected value or to 1, whichever is more.
    OfEach(f32),
    /// Relative to the largest expected value, or to 1.
    OfLargest(f32),
}

fn assert_near(what: &str, ours: &Tensor, expected: &Tensor, tolerance: Tolerance) {
    assert_eq!(ours.shape(), expected.shape(), "{what}");
    let largest = expected.data().iter().fold(1.0, |largest: f32, value| largest.max(value.abs()));
    for (index, (ours, expected)) in ours.data().iter().zip(expected.data()).enumerate() {
        let allowed = match tolerance {
            Tolerance::OfEach(tolerance) => tolerance * expected.abs().max(1.0),
            Tolerance::OfLargest(tolerance) => tolerance * largest,
        };
        let near = (ours - expected).abs() <= allowed || (ours.is_nan() && expected.is_nan());
        assert!(near, "{what} at {index}: expected {expected}, got {ours}");
    }
}

/// The scores, which must have the same bits for any number of threads and any number of runs.
fn run(what: &str, network: &Fused, input: &Tensor) -> Tensor {
    let once = |threads: usize| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| network.run(input.clone()).unwrap_or_else(|e| panic!("{what}: {e}")))
    };
    let scores = once(1);
    for threads in [2, 4] {
        let same = once(threads).data().iter().zip(scores.data()).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "{what}: other bits with {threads} threads");
    }
    scores
}

/// Every arithmetic, and by how much its values may differ from exact ones, where direct sums in `f32` may differ by `tolerance`.
fn arithmetics(tolerance: f32) -> [(Arithmetic, Tolerance); 4] {
    let of = |precision, convolutions| Arithmetic { precision, convolutions };
    [
        (of(Precision::F32, Convolutions::Direct), Tolerance::OfEach(tolerance)),
        (of(Precision::F32, Convolutions::Winograd), Tolerance::OfEach(3.0 * tolerance)),
        (of(Precision::Bf16, Convolutions::Direct), BF16),
        (of(Precision::Bf16, Convolutions::Winograd), BF16),
    ]
}

/// Roundings to 8 bits, layer after layer, of the largest value; the kernels have tests of their own that are as tight as the format.
const BF16: Tolerance = Tolerance::OfLargest(2e-2);

fn compare(what: &str, graph: &Graph, weights: &Weights, input: &Tensor, tolerance: f32) {
    let expected = Reference::new(graph.clone(), weights).unwrap().run(input.clone()).unwrap();
    check(what, graph, weights, input, &expected, tolerance);
}

/// Compares with expected scores, in every arithmetic.
fn check(what: &str, graph: &Graph, weights: &Weights, input: &Tensor, expected: &Tensor, tolerance: f32) {
    for (arithmetic, tolerance) in arithmetics(tolerance) {
        let what = format!("{what} ({arithmetic:?})");
        let fused = Fused::new(graph.clone(), weights, arithmetic).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_near(&what, &run(&what, &fused, input), expected, tolerance);
    }
}

fn noisy(shape: Shape, seed: u64) -> Tensor {
    Tensor::new(shape, noise(shape.elements(), seed)).unwrap()
}

#[test]
fn operators_give_the_golden_values() {
    for case in operators::cases() {
        check(&case.name, &case.graph().unwrap(), &case.tensors, &case.input, &case.output, 1e-5);
    }
}

#[test]
fn imported_models_give_the_values_of_onnx_runtime() {
    for case in onnx::cases() {
        check(&case.name, &case.imported.graph, &case.imported.weights, &case.input, &case.output, 1e-5);
    }
}

#[test]
fn fcn_resnet50_is_that_of_the_reference() {
    let graph = zoo::build("fcn_resnet50", 3, 6).unwrap().with_activation(ScoreActivation::Softmax);
    let weights = weights(&graph, 3);
    let expected = Reference::new(graph.clone(), &weights).unwrap();
    let fused = Fused::new(graph.clone(), &weights, Arithmetic::default()).unwrap();
    // In turn, so that what is kept for one extent does not serve another; some of the maps are smaller than their kernels.
    for (height, width) in [(64, 64), (65, 31), (1, 1), (33, 97), (64, 64)] {
        let input = noisy(Shape::planar(3, height, width), 5);
        let what = format!("{height} x {width}");
        assert_near(&what, &run(&what, &fused, &input), &expected.run(input).unwrap(), Tolerance::OfEach(1e-5));
    }
}

#[test]
fn networks_of_other_people_are_those_of_the_reference() {
    let Some(folder) = common::data::weights() else { return };
    let planar = Extent::planar(64, 96);
    let volume = Extent { z: 12, y: 14, x: 16 };
    for (file, extent) in [
        ("buildings/fcn_resnet18.onnx", planar),
        ("buildings/unet.onnx", planar),
        ("cloud_unet/landsatbiomeRGBI6.onnx", planar),
        ("meshnet/meshnet11_gwm.onnx", volume),
    ] {
        let Imported { graph, weights, .. } = swath_models::onnx::read(&folder.join(file), None).unwrap();
        let shape = Shape { channels: graph.input_channels(), extent };
        compare(file, &graph, &weights, &noisy(shape, 7), 3e-5);
    }
}

#[test]
fn random_networks_are_those_of_the_reference() {
    let mut runner = TestRunner::deterministic();
    for number in 0..400 {
        let rank = if number % 4 == 0 { Rank::Volumetric } else { Rank::Planar };
        let choices = choices().new_tree(&mut runner).unwrap().current();
        let (depth, side) = if rank == Rank::Planar { (1, 9) } else { (4, 6) };
        let extent = Extent { z: depth, y: side, x: side + 1 + number as usize % 5 };
        let graph = network(&choices, rank, extent);
        let input = noisy(Shape { channels: 3, extent }, number);
        compare(&format!("{graph:?}"), &graph, &weights(&graph, number), &input, 1e-5);
    }
}

/// Residual blocks, squeeze and excitation, a product of maps, a concatenation, and values that are read twice or only for their extent.
#[test]
fn branches_are_those_of_the_reference() {
    let mut g = Builder::new("branches", Rank::Planar, 3);
    let scope = Scope::root;
    let x = g.conv(g.input(), &scope("stem"), Conv::square(8, 3)).bn(&scope("stem_bn")).relu().node();
    let y = g.conv(x, &scope("a"), Conv::square(8, 3)).bn(&scope("a_bn")).node();
    let x = g.add(x, y).relu().node();
    let y = g.conv(x, &scope("b"), Conv::square(8, 1)).node();
    let z = g.conv(x, &scope("c"), Conv::square(8, 3)).relu().node();
    let both = g.add(y, z).node();
    let mean = g.push("mean", Op::GlobalAveragePool, vec![both]).node();
    let gate = g.conv(mean, &scope("squeeze"), Conv::square(8, 1).biased()).node();
    let gate = g.push("gate", Op::Activation(Activation::Sigmoid), vec![gate]).node();
    let gated = g.push("gated", Op::Mul, vec![gate, both]).node();
    let single = g.conv(x, &scope("single"), Conv::square(1, 1)).node();
    let masked = g.push("masked", Op::Mul, vec![single, gated]).relu().node();
    // Its sum with one position is a broadcast, so that the convolution cannot take it as a residual.
    let wide = g.conv(masked, &scope("wide"), Conv::square(8, 3)).node();
    let wide = g.add(wide, gate).relu().node();
    let narrow = g.add(gate, x).node();
    let squares = g.push("squares", Op::Mul, vec![narrow, narrow]).node();
    let all = g.concat(vec![wide, squares, single, wide]).bn(&scope("all_bn")).relu().node();
    let like = g.conv(all, &scope("like"), Conv::square(1, 5).padding(0)).node();
    let small = g.conv(all, &scope("small"), Conv::square(4, 3).stride(2)).node();
    let left = g.resize_like(small, like).node();
    let right = g.resize_like(all, like).node();
    let right = g.conv(right, &scope("right"), Conv::square(4, 1)).node();
    let output = g.add(left, right).node();
    let output = g.add(output, output).node();
    let graph = g.build(output).unwrap().with_activation(ScoreActivation::Sigmoid);
    let weights = weights(&graph, 1);
    for (height, width) in [(5, 5), (16, 9), (37, 50)] {
        compare(&format!("{height} x {width}"), &graph, &weights, &noisy(Shape::planar(3, height, width), 2), 1e-5);
    }
}

/// What writes a part of a concatenated value, as large as what it reads and with as many channels.
#[derive(Clone, Copy, Debug)]
enum Writer {
    Conv(Conv),
    Transposed(ConvTranspose),
    Pool(Pool),
    Resize(Resize),
}

/// As many channels as are worth to be computed in place, whatever the values are kept as, and no multiple of a vector.
const PART: usize = 65;

/// A window of so many positions along every axis of a rank, with as many around that the extent stays.
fn window(rank: Rank, kernel: usize) -> (Axes<usize>, Axes<Padding>) {
    let (kernel, around) = (Axes::plane(kernel), Axes::plane_padding(kernel / 2));
    if rank == Rank::Planar { (kernel, around) } else { (Axes { z: kernel.y, ..kernel }, Axes { z: around.y, ..around }) }
}

fn part_conv(rank: Rank, kernel: usize) -> Conv {
    let (kernel, padding) = window(rank, kernel);
    Conv { kernel, padding, ..Conv::square(PART, 3).biased() }
}

fn like() -> Resize {
    Resize { to: ResizeTo::Like, interpolation: Interpolation::Linear, coordinates: Coordinates::HalfPixel }
}

fn writers(rank: Rank) -> Vec<Writer> {
    let (kernel, padding) = window(rank, 3);
    let c = ConvTranspose {
        out_channels: PART,
        kernel,
        stride: Axes::cube(1),
        padding,
        output_padding: Axes::cube(0),
        dilation: Axes::cube(1),
        groups: 1,
        bias: true,
    };
    vec![
        Writer::Conv(part_conv(rank, 1)),
        Writer::Conv(part_conv(rank, 3)),
        Writer::Conv(part_conv(rank, 3).groups(5)),
        Writer::Conv(part_conv(rank, 3).groups(PART)),
        // Of planes, so that Winograd's algorithm takes it in volumes, too.
        Writer::Conv(Conv::square(PART, 3)),
        Writer::Transposed(c),
        Writer::Pool(Pool { kind: PoolKind::Max, kernel, stride: Axes::cube(1), padding }),
        Writer::Resize(like()),
    ]
}

/// A value that is written in its place in a concatenated one, and read by every kind of node.
fn network_of_views(writer: Writer, rank: Rank) -> Graph {
    let mut g = Builder::new("views", rank, 3);
    let base = g.push("base", Op::Conv(part_conv(rank, 3)), vec![g.input()]).node();
    let part = match writer {
        Writer::Conv(conv) => {
            let x = g.push("part", Op::Conv(conv), vec![base]).node();
            let x = g.push("part_sum", Op::Add, vec![x, base]).node();
            g.push("part_sigmoid", Op::Activation(Activation::Sigmoid), vec![x]).node()
        }
        Writer::Transposed(c) => g.push("part", Op::ConvTranspose(c), vec![base]).relu().node(),
        Writer::Pool(pool) => g.push("part", Op::Pool(pool), vec![base]).node(),
        Writer::Resize(resize) => {
            let strided = g.push("half", Op::Conv(Conv { stride: Axes::plane(2), ..part_conv(rank, 3) }), vec![base]).node();
            g.push("part", Op::Resize(resize), vec![strided, base]).node()
        }
    };
    let few = g.push("few", Op::Conv(Conv { out_channels: 3, ..part_conv(rank, 1) }), vec![base]).node();
    let all = g.concat(vec![few, part, g.input()]).node();
    let (kernel, padding) = window(rank, 3);
    let upsampling = ConvTranspose {
        out_channels: 4,
        kernel: Axes::plane(2),
        stride: Axes::plane(2),
        padding: Axes::default(),
        output_padding: Axes::cube(0),
        dilation: Axes::cube(1),
        groups: 1,
        bias: true,
    };
    let small = g.push("small", Op::Conv(Conv { stride: Axes::plane(2), ..part_conv(rank, 3) }), vec![part]).node();
    let small_sum = g.push("small_relu", Op::Activation(Activation::Relu), vec![small]).node();
    let both = g.concat(vec![small, small_sum]).node();
    let mean = g.push("mean", Op::GlobalAveragePool, vec![part]).node();
    let one = g.push("one", Op::Conv(Conv { out_channels: 1, ..part_conv(rank, 1) }), vec![part]).node();
    let alone = |op: Op| (op, vec![part]);
    let readers = [
        alone(Op::Conv(Conv {
            dilation: Axes::plane(2),
            padding: Axes { z: padding.z, ..Axes::plane_padding(2) },
            ..part_conv(rank, 3)
        })),
        alone(Op::Conv(part_conv(rank, 3).groups(PART))),
        alone(Op::Conv(part_conv(rank, 3).groups(5))),
        alone(Op::Conv(Conv::square(PART, 3))),
        alone(Op::ConvTranspose(upsampling)),
        alone(Op::Pool(Pool { kind: PoolKind::AverageInside, kernel, stride: Axes::plane(2), padding })),
        alone(Op::Pad { padding, fill: PadFill::Edge }),
        alone(Op::Channels { start: 3, count: 60 }),
        alone(Op::Softmax),
        alone(Op::Affine),
        alone(Op::Activation(Activation::LeakyRelu { slope: 0.1 })),
        (Op::Add, vec![part, base]),
        (Op::Add, vec![all, one]),
        (Op::Mul, vec![part, part]),
        (Op::Mul, vec![part, one]),
        (Op::Mul, vec![mean, part]),
        (Op::Resize(like()), vec![part, small]),
        (Op::Concat, vec![part, one, part]),
        (Op::Concat, vec![all]),
        (Op::Affine, vec![both]),
    ];
    let mut sum = None;
    for (index, (op, inputs)) in readers.into_iter().enumerate() {
        let x = g.push(format!("reader{index}"), op, inputs).node();
        let x = g.push(format!("scores{index}"), Op::Conv(part_conv(rank, 1)), vec![x]).node();
        let x = g.push(format!("resized{index}"), Op::Resize(like()), vec![x, base]).node();
        sum = Some(sum.map_or(x, |sum| g.add(sum, x).node()));
    }
    // A residual, then the sum of the scores.
    let residual = g.push("residual", Op::Conv(part_conv(rank, 1)), vec![base]).node();
    let residual = g.add(residual, part).relu().node();
    let small = g.push("small_resized", Op::Resize(like()), vec![small, base]).node();
    let mut output = sum.unwrap();
    for map in [residual, small, part] {
        output = g.add(output, map).node();
    }
    g.build(output).unwrap()
}

#[test]
fn values_inside_others_are_those_of_the_reference() {
    for (rank, extents) in [
        (Rank::Planar, [Extent::planar(9, 14), Extent::planar(7, 1)]),
        (Rank::Volumetric, [Extent { z: 3, y: 5, x: 7 }, Extent { z: 2, y: 3, x: 1 }]),
    ] {
        for writer in writers(rank) {
            let graph = network_of_views(writer, rank);
            for extent in extents {
                let input = noisy(Shape { channels: 3, extent }, 3);
                compare(&format!("{writer:?} at {extent:?}"), &graph, &weights(&graph, 5), &input, 5e-5);
            }
        }
    }
}

/// What a network does with a value; gives its last one.
type Rest = fn(&mut Builder, NodeId) -> NodeId;

fn conv(g: &mut Builder, name: &str, from: NodeId) -> NodeId {
    g.conv(from, &Scope::root(name), Conv::square(PART, 3)).node()
}

/// Where a step could read or overwrite a buffer that holds another value, too.
#[test]
fn values_inside_others_are_not_lost() {
    let dense_block: Rest = |g, part| {
        let next = conv(g, "next", part);
        let both = g.concat(vec![part, next]).node();
        let last = conv(g, "last", both);
        g.concat(vec![last, part, next]).node()
    };
    let read_when_its_host_is_not: Rest = |g, part| {
        let whole = g.concat(vec![part, part, g.input()]).node();
        let whole = g.concat(vec![whole, part]).node();
        let mut x = conv(g, "first", whole);
        for name in ["second", "third", "fourth"] {
            x = conv(g, name, x);
        }
        let part = g.at(part).max_pool(3, 1, 1).node();
        g.add(x, part).node()
    };
    let read_last_in_place: Rest = |g, part| {
        let whole = g.concat(vec![part, g.input()]).node();
        let other = conv(g, "other", whole);
        let part = g.push("leaky", Op::Activation(Activation::LeakyRelu { slope: 0.1 }), vec![part]).node();
        g.push("product", Op::Mul, vec![part, other]).node()
    };
    let twice_in_one: Rest = |g, part| g.concat(vec![part, part]).node();
    let rests: [(&str, Rest); 4] = [
        ("dense block", dense_block),
        ("read when its host is not", read_when_its_host_is_not),
        ("read last in place", read_last_in_place),
        ("twice in one", twice_in_one),
    ];
    for (name, rest) in rests {
        let mut g = Builder::new("meeting", Rank::Planar, 3);
        let input = g.input();
        let part = conv(&mut g, "part", input);
        let output = rest(&mut g, part);
        let output = g.conv(output, &Scope::root("output"), Conv::square(2, 1)).node();
        let graph = g.build(output).unwrap();
        compare(name, &graph, &weights(&graph, 5), &noisy(Shape::planar(3, 9, 14), 3), 5e-5);
    }
}

#[test]
fn calls_at_the_same_time_do_not_meet() {
    let graph = zoo::build("fcn_resnet50", 3, 2).unwrap();
    let arithmetic = Arithmetic { precision: Precision::Bf16, convolutions: Convolutions::Winograd };
    let fused = Fused::new(graph.clone(), &weights(&graph, 1), arithmetic).unwrap();
    let inputs: Vec<Tensor> = (0..4).map(|seed| noisy(Shape::planar(3, 40 + 8 * (seed as usize % 2), 40), seed)).collect();
    let alone: Vec<Tensor> = inputs.iter().map(|input| fused.run(input.clone()).unwrap()).collect();
    std::thread::scope(|scope| {
        for (input, alone) in inputs.iter().zip(&alone) {
            let fused = &fused;
            scope.spawn(move || (0..3).for_each(|_| assert_eq!(&fused.run(input.clone()).unwrap(), alone)));
        }
    });
}

#[test]
fn a_tile_gives_the_bits_of_the_whole() {
    let mut g = Builder::new("shallow", Rank::Planar, 3);
    let x = g.conv(g.input(), &Scope::root("a"), Conv::square(7, 3).stride(2)).relu().max_pool(3, 2, 1).node();
    let x = g.conv(x, &Scope::root("b"), Conv::square(5, 3)).node();
    let x = g.resize_like(x, g.input()).softmax().node();
    let graph = g.build(x).unwrap();
    let fused = Fused::new(graph.clone(), &weights(&graph, 1), Arithmetic::default()).unwrap();
    let (size, from, side) = (96, 32, 48);
    let whole = noisy(Shape::planar(3, size, size), 4);
    let cut: Vec<f32> = (0..3 * side * side)
        .map(|i| whole.channel(i / (side * side))[(from + i / side % side) * size + from + i % side])
        .collect();
    let whole = fused.run(whole).unwrap();
    let tile = fused.run(Tensor::new(Shape::planar(3, side, side), cut).unwrap()).unwrap();
    let halo = 16;
    for channel in 0..5 {
        for y in halo..side - halo {
            for x in halo..side - halo {
                let (a, b) = (tile.channel(channel)[y * side + x], whole.channel(channel)[(from + y) * size + from + x]);
                assert_eq!(a.to_bits(), b.to_bits(), "channel {channel} at {x}, {y}");
            }
        }
    }
}

/// As in PyTorch, where a maximum of NaN is NaN: a score of bad input must not look like one of good input.
#[test]
fn nan_stays_nan() {
    let pool = Pool {
        kind: PoolKind::Max,
        kernel: Axes::cube(2),
        stride: Axes::cube(1),
        padding: Axes::default().map(|_: usize| swath_models::Padding { before: 0, after: 1 }),
    };
    let ops = [
        Op::Activation(Activation::Relu),
        Op::Activation(Activation::LeakyRelu { slope: 0.1 }),
        Op::Activation(Activation::Sigmoid),
        Op::Activation(Activation::Clip { min: Some(-0.5), max: Some(0.5) }),
        Op::Activation(Activation::Clip { min: None, max: Some(0.5) }),
        Op::Pool(pool),
    ];
    let shape = Shape { channels: 3, extent: Extent { z: 3, y: 5, x: 7 } };
    let mut values = noise(shape.elements(), 7);
    let bad = [0, 52, 104];
    for index in bad {
        values[index] = f32::NAN;
    }
    let input = Tensor::new(shape, values).unwrap();
    for op in ops {
        for (after_convolution, is_last) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut g = Builder::new("nan", Rank::Volumetric, 3);
            let mut x = g.input();
            if after_convolution {
                let identity =
                    Conv { kernel: Axes::cube(1), stride: Axes::cube(1), dilation: Axes::cube(1), ..Conv::square(3, 1) };
                x = g.conv(x, &Scope::root("identity"), identity.groups(3)).node();
            }
            x = g.push("op", op.clone(), vec![x]).node();
            if !is_last {
                x = g.concat(vec![x]).node();
            }
            let graph = g.build(x).unwrap();
            let mut weights = Weights::new();
            if after_convolution {
                weights.insert("identity.weight", vec![3, 1, 1, 1, 1], vec![1.0; 3]);
            }
            let what = format!("{op:?}, {after_convolution}, {is_last}");
            let scores = Reference::new(graph.clone(), &weights).unwrap().run(input.clone()).unwrap();
            assert!(bad.iter().all(|&index| scores.data()[index].is_nan()), "{what}");
            let count = scores.data().iter().filter(|score| score.is_nan()).count();
            // Windows of 2 x 2 x 2 see a position from eight places, the first one only from its own.
            assert_eq!(count, if matches!(op, Op::Pool(_)) { 1 + 8 + 8 } else { 3 }, "{what}");
            compare(&what, &graph, &weights, &input, 1e-5);
        }
    }
}

#[test]
fn what_cannot_be_computed_names_the_node() {
    let graph = zoo::build("fcn_resnet50", 3, 2).unwrap();
    let fused = Fused::new(graph.clone(), &zoo::random_weights(&graph, 1), Arithmetic::default()).unwrap();
    let message = fused.run(noisy(Shape::planar(4, 8, 8), 1)).unwrap_err().to_string();
    assert_eq!(message, "node `input`: expected (3, 8, 8), got (4, 8, 8)");
    assert!(Fused::new(graph, &Weights::new(), Arithmetic::default()).is_err());
    let mut g = Builder::new("reflects", Rank::Planar, 1);
    let pad = Op::Pad { padding: Axes::plane_padding(3), fill: swath_models::PadFill::Reflect };
    let output = g.push("pad", pad, vec![g.input()]).node();
    let fused = Fused::new(g.build(output).unwrap(), &Weights::new(), Arithmetic::default()).unwrap();
    let message = fused.run(noisy(Shape::planar(1, 3, 8), 1)).unwrap_err().to_string();
    assert_eq!(message, "node `pad`: expected more positions than are reflected, got an input of 1 x 3 x 8");
}

#[test]
fn memory_is_that_of_the_values_alive_at_once() {
    let graph = zoo::build("fcn_resnet50", 3, 6).unwrap();
    let tile = Extent::planar(512, 512);
    let alive = graph.cost(tile).unwrap().activation_bytes;
    for (arithmetic, _) in arithmetics(0.0) {
        let fused = Fused::new(graph.clone(), &zoo::random_weights(&graph, 1), arithmetic).unwrap();
        let peak = fused.peak_bytes(tile, 2).unwrap();
        // Values take half the room in 16 bits, the tile and its scores do not; Winograd's blocks come on top.
        let most = if arithmetic.precision == Precision::F32 { alive * 5 / 4 } else { alive * 4 / 5 };
        assert!(peak < most, "{arithmetic:?}: {peak} bytes, {alive} alive in the graph as it is");
    }
}
