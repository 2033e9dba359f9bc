//! What an output pixel sees, against finite differences of the reference executor.
#![expect(clippy::unwrap_used, clippy::float_cmp, reason = "a test may, and means equal to the last bit")]

use swath_models::{
    Axes, Builder, Conv, Coordinates, CropPlace, Executor, Extent, Graph, Interpolation, MaxUnpool, Padding, Rank, Reach,
    Reference, Scope, Shape, Tensor, zoo,
};

fn run(executor: &Reference, height: usize, width: usize, bump: Option<usize>) -> Tensor {
    let shape = Shape::planar(executor.graph().input_channels(), height, width);
    let mut data: Vec<f32> = (0..shape.elements()).map(|i| ((i * 2_654_435_761) % 1000) as f32 / 1000.0).collect();
    for channel in 0..shape.channels {
        if let Some(x) = bump {
            (0..height).for_each(|y| data[(channel * height + y) * width + x] += 50.0);
        }
    }
    executor.run(Tensor::new(shape, data).unwrap()).unwrap()
}

/// Columns of the output that change when input column `x` does, first and last.
fn touched(executor: &Reference, height: usize, width: usize, x: usize) -> Option<(usize, usize)> {
    let [before, after] = [run(executor, height, width, None), run(executor, height, width, Some(x))];
    let out = before.shape().extent.x;
    let differs =
        |c: &usize| (0..before.data().len() / out).any(|row| before.data()[row * out + c] != after.data()[row * out + c]);
    Some(((0..out).find(differs)?, (0..out).rev().find(differs)?))
}

/// The halo is as small as it can be: the farthest pixels it names are really seen, and none beyond.
fn assert_tight(graph: &Graph, height: usize, width: usize) {
    let geometry = graph.geometry().unwrap();
    let Reach::Halo(Axes { x: Padding { before, after }, .. }) = geometry.reach else { panic!("{geometry:?}") };
    let executor = Reference::new(graph.clone(), &zoo::random_weights(graph, 3)).unwrap();
    let [mut seen_before, mut seen_after] = [0, 0];
    let middle = width / 2 / geometry.stride.x * geometry.stride.x;
    for x in middle..middle + geometry.stride.x {
        let Some((first, last)) = touched(&executor, height, width, x) else { continue };
        seen_after = seen_after.max(x.saturating_sub(first + geometry.margin.x.before));
        seen_before = seen_before.max((last + geometry.margin.x.before).saturating_sub(x));
    }
    assert_eq!((before, after), (seen_before, seen_after), "{}: {geometry:?}", graph.name());
}

#[test]
fn fcn_resnet50_reaches_as_far_as_its_layers_say() {
    let geometry = zoo::fcn_resnet50(3, 6).unwrap().geometry().unwrap();
    assert_eq!(geometry.stride, Axes { z: 1, y: 32, x: 32 });
    assert_eq!(geometry.margin, Axes::default());
    assert_eq!(geometry.halo(), Some(Axes { z: 0, y: 260, x: 260 }));
    assert_eq!(geometry.receptive_field(), Some(Axes { z: 1, y: 459, x: 459 }));
}

#[test]
fn the_halo_is_what_finite_differences_find() {
    let mut g = Builder::new("unet", Rank::Planar, 2);
    let input = g.input();
    let a = g.conv(input, &Scope::root("a"), Conv::square(4, 3)).relu().node();
    let down = g.at(a).max_pool(2, 2, 0).node();
    let b = g.conv(down, &Scope::root("b"), Conv::square(4, 5)).relu().node();
    let up = g.resize_like(b, a).node();
    let both = g.concat(vec![a, up]).node();
    let head = g.conv(both, &Scope::root("head"), Conv::square(2, 1)).node();
    assert_tight(&g.build(head).unwrap(), 8, 64);

    let mut g = Builder::new("dilated", Rank::Planar, 1);
    let input = g.input();
    let a = g.conv(input, &Scope::root("a"), Conv::square(3, 3).dilation(4)).node();
    let head = g.conv(a, &Scope::root("head"), Conv::square(2, 3).dilation(2)).node();
    assert_tight(&g.build(head).unwrap(), 13, 48);

    let mut g = Builder::new("valid", Rank::Planar, 1);
    let input = g.input();
    let head = g.conv(input, &Scope::root("head"), Conv::square(2, 7).padding(0)).node();
    let valid = g.build(head).unwrap();
    assert_eq!(valid.geometry().unwrap().margin.x, Padding::both(3));
    assert_tight(&valid, 9, 40);
}

#[test]
fn the_halo_of_what_is_pooled_and_made_larger_is_what_finite_differences_find() {
    // One position more than half the input has, made twice as large, and cut to the input.
    let mut g = Builder::new("pooled_up", Rank::Planar, 1);
    let input = g.input();
    let x = g.conv(input, &Scope::root("a"), Conv::square(3, 3)).max_pool_up(3, 2, 1);
    let x = x.conv(&Scope::root("b"), Conv::square(2, 3)).enlarge(2, Interpolation::Linear, Coordinates::Asymmetric).node();
    let cut = g.crop(x, input, CropPlace::After { before: Axes::cube(0) }).node();
    assert_tight(&g.build(cut).unwrap(), 12, 48);

    let mut g = Builder::new("unpooled", Rank::Planar, 1);
    let input = g.input();
    let x = g.conv(input, &Scope::root("a"), Conv::square(3, 3)).relu().node();
    let y = g.at(x).max_pool(2, 2, 0).conv(&Scope::root("b"), Conv::square(3, 3)).node();
    let unpool = MaxUnpool { kernel: Axes::plane(2), stride: Axes::plane(2) };
    let head = g.max_unpool(y, x, unpool).conv(&Scope::root("head"), Conv::square(2, 3)).node();
    assert_tight(&g.build(head).unwrap(), 12, 48);
}

#[test]
fn a_global_mean_sees_the_whole_tile_and_a_coarse_output_is_refused() {
    let mut g = Builder::new("global", Rank::Planar, 1);
    let input = g.input();
    let mean = g.push("mean", swath_models::Op::GlobalAveragePool, vec![input]).node();
    let sum = g.add(input, mean).node();
    let geometry = g.build(sum).unwrap().geometry().unwrap();
    assert_eq!(geometry.reach, Reach::WholeTile { node: "mean".into() });

    let mut g = Builder::new("coarse", Rank::Planar, 1);
    let input = g.input();
    let head = g.conv(input, &Scope::root("head"), Conv::square(2, 3).stride(4)).node();
    let error = g.build(head).unwrap().geometry().unwrap_err().to_string();
    assert!(error.contains("1/4 pixels per input pixel"), "{error}");
}

#[test]
fn what_valid_convolutions_lose_and_a_resampling_makes_up_for_sees_the_whole_tile() {
    let mut g = Builder::new("stretched", Rank::Planar, 1);
    let input = g.input();
    let smaller = g.conv(input, &Scope::root("a"), Conv::square(2, 9).padding(0)).node();
    let head = g.resize_like(smaller, input).node();
    let graph = g.build(head).unwrap();
    assert_eq!(graph.geometry().unwrap().reach, Reach::WholeTile { node: "resize_2".into() });
    // A bump at the end is seen at other places where the row is longer: the factor is another one.
    let executor = Reference::new(graph.clone(), &zoo::random_weights(&graph, 3)).unwrap();
    let [short, long] = [48, 96].map(|width| touched(&executor, 12, width, 44).unwrap());
    assert_ne!(short, long);

    // As large as it is already, a map stays what it is.
    let mut g = Builder::new("as_large", Rank::Planar, 1);
    let input = g.input();
    let a = g.conv(input, &Scope::root("a"), Conv::square(2, 9).padding(0)).node();
    let b = g.conv(a, &Scope::root("b"), Conv::square(2, 3)).node();
    let head = g.resize_like(b, a).node();
    assert_tight(&g.build(head).unwrap(), 12, 40);
}

#[test]
fn cost_of_fcn_resnet50_is_that_of_the_literature() {
    let graph = zoo::fcn_resnet50(3, 6).unwrap();
    let cost = graph.cost(Extent::planar(512, 512)).unwrap();
    // 42.75 GFLOP of convolutions (PyTorch's flop counter) plus what is element-wise.
    let convolutions: u64 = graph
        .nodes()
        .iter()
        .zip(graph.flops_by_node(Extent::planar(512, 512)).unwrap())
        .filter(|(node, _)| node.op.label() == "conv")
        .map(|(_, flops)| flops)
        .sum();
    assert_eq!(convolutions / 10_000_000, 4275, "{convolutions}");
    assert!(cost.flops > convolutions);
    // torchvision's 25,557,032 less its classifier's 2,049,000, plus the three heads.
    assert_eq!(cost.parameters - 2 * 26_560, 23_508_032 + 6 * (512 + 1024 + 2048) + 18);
}
