//! Means over views of a tile, and over several networks.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as the tests do")]

use swath_models::{
    Arithmetic, Augmentation, Augmented, Axes, Builder, Conv, Ensemble, Executor, Extent, Fused, Graph, Member, Padding, Rank,
    Reach, Result, Scope, Shape, Tensor, zoo,
};

/// Gives back its input, each value larger by its column.
struct Columns {
    graph: Graph,
}

impl Columns {
    fn boxed() -> Box<dyn Executor> {
        let mut builder = Builder::new("columns", Rank::Planar, 2);
        let input = builder.input();
        let head = builder.conv(input, &Scope::root("head"), Conv::square(2, 1)).node();
        Box::new(Self { graph: builder.build(head).unwrap() })
    }
}

impl Executor for Columns {
    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::default()
    }

    fn run(&self, tile: Tensor) -> Result<Tensor> {
        let shape = tile.shape();
        let values = tile.into_data().into_iter().enumerate();
        Tensor::new(shape, values.map(|(place, value)| value + (place % shape.extent.x) as f32).collect())
    }

    fn peak_bytes(&self, tile: Extent, _: usize) -> Result<usize> {
        Ok(8 * tile.product())
    }

    fn resident_bytes(&self) -> usize {
        0
    }
}

fn tile(channels: usize, height: usize, width: usize) -> Tensor {
    let shape = Shape::planar(channels, height, width);
    Tensor::new(shape, (0..shape.elements()).map(|place| (place * place % 97) as f32).collect()).unwrap()
}

#[track_caller]
fn assert_close(a: &Tensor, b: &[f32]) {
    let worst = a.data().iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(a.data().len() == b.len() && worst < 1e-4, "{worst}");
}

#[test]
fn views_are_brought_back_before_they_are_averaged() {
    let (height, width) = (3, 5);
    let tile = tile(2, height, width);
    let places = || (0..2 * height * width).map(|place| (place % width) as f32);
    // By how much larger values are on average: by their own column, by that from the other end, and by the same of rows.
    for (views, shift) in [("none", None), ("hflip", Some(2.0)), ("flips", Some(2.0)), ("d4", Some(f32::midpoint(2.0, 1.0)))] {
        let augmented = Augmented::new(Columns::boxed(), views.parse().unwrap()).unwrap();
        let mean = augmented.run(tile.clone()).unwrap();
        assert_eq!(mean.shape(), tile.shape());
        let expected: Vec<f32> = tile.data().iter().zip(places()).map(|(value, x)| value + shift.unwrap_or(x)).collect();
        assert_close(&mean, &expected);
    }
}

/// Every mirror image is turned back before it counts: a network without symmetry has the mean of what it says of all of them.
#[test]
fn volumes_are_mirrored_along_their_depth_too() {
    let mut builder = Builder::new("corner", Rank::Volumetric, 1);
    let input = builder.input();
    let head = builder
        .conv(
            input,
            &Scope::root("head"),
            Conv { kernel: Extent::cube(3), padding: Extent::cube(1).map(Padding::both), ..Conv::square(1, 1) },
        )
        .node();
    let mut weights = swath_models::Weights::new();
    // The sum of 1, 2 and 4 times the neighbours behind, below and to the right.
    let mut kernel = vec![0.0; 27];
    (kernel[22], kernel[16], kernel[14]) = (1.0, 2.0, 4.0);
    weights.insert("head.weight", vec![1, 1, 3, 3, 3], kernel);
    let network = Fused::new(builder.build(head).unwrap(), &weights, Arithmetic::default()).unwrap();
    let extent = Extent { z: 3, y: 4, x: 5 };
    let shape = Shape { channels: 1, extent };
    let values: Vec<f32> = (0..shape.elements()).map(|place| (place * place % 97) as f32).collect();
    let mirrored = Augmented::new(Box::new(network), "mirrors".parse().unwrap()).unwrap();
    let mean = mirrored.run(Tensor::new(shape, values.clone()).unwrap()).unwrap();
    let value = |z: usize, y: usize, x: usize| {
        let inside = z < extent.z && y < extent.y && x < extent.x;
        if inside { values[(z * extent.y + y) * extent.x + x] } else { 0.0 }
    };
    let expected: Vec<f32> = (0..shape.elements())
        .map(|place| {
            let (z, y, x) = (place / 20, place / 5 % 4, place % 5);
            // One before the first is far beyond the last.
            let pair = |weight: f32, before: f32, after: f32| weight * f32::midpoint(before, after);
            pair(1.0, value(z.wrapping_sub(1), y, x), value(z + 1, y, x))
                + pair(2.0, value(z, y.wrapping_sub(1), x), value(z, y + 1, x))
                + pair(4.0, value(z, y, x.wrapping_sub(1)), value(z, y, x + 1))
        })
        .collect();
    assert_close(&mean, &expected);
    assert_eq!(mirrored.flops(extent).unwrap(), 8 * mirrored.graph().cost(extent).unwrap().flops);
    let refused = Augmented::new(Columns::boxed(), "mirrors".parse().unwrap()).unwrap_err().to_string();
    assert!(
        refused.starts_with("expected a network of volumes for mirrors of network `columns`, got one of planes"),
        "{refused}"
    );
}

#[test]
fn what_is_resized_comes_back_where_it_was() {
    // A plane stays a plane at any scale, but for the edges, where pixels beyond are taken for those inside.
    let shape = Shape::planar(2, 40, 60);
    let plane: Vec<f32> = (0..shape.elements()).map(|place| (place / 60 % 40) as f32 + 0.5 * (place % 60) as f32).collect();
    let mut builder = Builder::new("same", Rank::Planar, 2);
    let input = builder.input();
    let head = builder.conv(input, &Scope::root("head"), Conv::square(2, 1)).node();
    let mut weights = swath_models::Weights::new();
    weights.insert("head.weight", vec![2, 2, 1, 1], vec![1.0, 0.0, 0.0, 1.0]);
    let same = Fused::new(builder.build(head).unwrap(), &weights, Arithmetic::default()).unwrap();
    let augmented = Augmented::new(Box::new(same), "d4+scales=0.5,1,1.3".parse().unwrap()).unwrap();
    let mean = augmented.run(Tensor::new(shape, plane.clone()).unwrap()).unwrap();
    for (place, (got, expected)) in mean.data().iter().zip(&plane).enumerate() {
        let (x, y) = (place % 60, place / 60 % 40);
        let tolerance = if (2..58).contains(&x) && (2..38).contains(&y) { 0.02 } else { 1.0 };
        assert!((got - expected).abs() < tolerance, "{x} {y}: {got} for {expected}");
    }
    assert!(matches!(augmented.geometry().unwrap().reach, Reach::WholeTile { node } if node == "scales=0.5,1,1.3"));
    let extent = Extent::planar(40, 60);
    let flops = |executor: &dyn Executor, y, x| executor.flops(Extent::planar(y, x)).unwrap();
    let inner = Fused::new(augmented.graph().clone(), &weights, Arithmetic::default()).unwrap();
    let each = flops(&inner, 20, 30) + flops(&inner, 40, 60) + flops(&inner, 52, 78);
    assert_eq!(augmented.flops(extent).unwrap(), 8 * each);
    assert!(augmented.peak_bytes(extent, 1).unwrap() > inner.peak_bytes(Extent::planar(52, 78), 1).unwrap());
}

#[test]
fn a_network_that_sees_more_to_one_side_sees_as_much_to_the_other_when_mirrored() {
    let network = |padding: Axes<Padding>| {
        let mut builder = Builder::new("lopsided", Rank::Planar, 1);
        let input = builder.input();
        let conv = Conv { padding, ..Conv::square(1, 4) };
        let head = builder.conv(input, &Scope::root("head"), conv).node();
        let graph = builder.build(head).unwrap();
        let weights = zoo::random_weights(&graph, 1);
        Box::new(Fused::new(graph, &weights, Arithmetic::default()).unwrap())
    };
    let sides = |before, after| Axes { z: Padding::default(), y: Padding { before, after }, x: Padding { before, after } };
    let augmented = Augmented::new(network(sides(1, 2)), "hflip".parse().unwrap()).unwrap();
    let geometry = augmented.geometry().unwrap();
    assert_eq!(geometry.reach, Reach::Halo(sides(2, 2)));
    assert_eq!(geometry.receptive_field().unwrap().x, 5);
    let refused = Augmented::new(network(sides(0, 0)), "flips".parse().unwrap()).unwrap_err();
    let words = "expected the same margin at opposite sides for flips of network `lopsided`, got ";
    assert!(refused.to_string().starts_with(words), "{refused}");
}

#[test]
fn networks_that_see_to_opposite_sides_see_both_together() {
    let member = |before, after| {
        let mut builder = Builder::new("lopsided", Rank::Planar, 1);
        let input = builder.input();
        let padding = Padding { before, after };
        let conv = Conv { padding: Axes { z: Padding::default(), y: padding, x: padding }, ..Conv::square(1, 11) };
        let head = builder.conv(input, &Scope::root("head"), conv).node();
        let graph = builder.build(head).unwrap();
        let weights = zoo::random_weights(&graph, 1);
        let executor = Box::new(Fused::new(graph, &weights, Arithmetic::default()).unwrap());
        Member { executor, name: "lopsided".into(), bands: vec![0], classes: vec![0, 1], weight: 1.0 }
    };
    let geometry = Ensemble::new(vec![member(10, 0), member(0, 10)], 1).unwrap().geometry().unwrap();
    let both = Axes { z: Padding::default(), y: Padding::both(10), x: Padding::both(10) };
    assert_eq!(geometry.reach, Reach::Halo(both));
    assert_eq!(geometry.receptive_field(), Some(Axes { z: 1, y: 21, x: 21 }));
}

#[test]
fn views_are_written_as_they_are_read() {
    for text in ["none", "hflip", "flips", "d4", "mirrors", "scales=0.5,1", "flips+scales=0.75,1,1.25"] {
        assert_eq!(text.parse::<Augmentation>().unwrap().to_string(), text);
    }
    assert_eq!("scales=1,2+d4".parse::<Augmentation>().unwrap().to_string(), "d4+scales=1,2");
    assert_eq!("d4+scales=1,2".parse::<Augmentation>().unwrap().views(), 16);
    for (text, words) in
        [("", "expected none"), ("scales=", "got ``"), ("scales=x", "got `x`"), ("scales=1+scales=2", "scales once")]
    {
        let error = text.parse::<Augmentation>().unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

/// A network of one score for each pixel: its only band.
fn single(name: &str, bands: &[usize], classes: [usize; 2], weight: f32, stride: usize) -> Member {
    let mut builder = Builder::new(name, Rank::Planar, 1);
    let input = builder.input();
    let scope = Scope::root("head");
    let head = match stride {
        1 => builder.conv(input, &scope, Conv::square(1, 1)).node(),
        stride => {
            let down = builder.conv(input, &scope, Conv::square(1, stride).stride(stride).padding(0)).node();
            builder.resize_like(down, input).node()
        }
    };
    let mut weights = swath_models::Weights::new();
    weights.insert("head.weight", vec![1, 1, stride, stride], vec![1.0 / (stride * stride) as f32; stride * stride]);
    let executor = Box::new(Fused::new(builder.build(head).unwrap(), &weights, Arithmetic::default()).unwrap());
    Member { executor, name: name.into(), bands: bands.to_vec(), classes: classes.to_vec(), weight }
}

#[test]
fn single_scores_are_those_of_the_second_class() {
    let shape = Shape::planar(2, 1, 2);
    let tile = Tensor::new(shape, vec![0.25, 0.5, 0.75, 1.0]).unwrap();
    let run = |members| {
        let ensemble = Ensemble::new(members, 2).unwrap();
        (ensemble.output_channels(), ensemble.run(tile.clone()).unwrap().into_data())
    };
    let same = run(vec![single("a", &[0], [0, 1], 1.0, 1), single("b", &[1], [0, 1], 3.0, 1)]);
    assert_eq!(same, (1, vec![0.25 * 0.25 + 0.75 * 0.75, 0.25 * 0.5 + 0.75]));
    // One of them calls first what the other calls second.
    let other = run(vec![single("a", &[0], [0, 1], 1.0, 1), single("b", &[1], [1, 0], 1.0, 1)]);
    assert_eq!(other, (2, vec![0.5 * (0.75 + 0.75), 0.5 * (0.5 + 1.0), 0.5 * (0.25 + 0.25), 0.25]));
}

#[test]
fn tiles_fit_all_networks_of_an_ensemble() {
    let ensemble = Ensemble::new(vec![single("a", &[0], [0, 1], 1.0, 4), single("b", &[0], [0, 1], 1.0, 6)], 1).unwrap();
    let geometry = ensemble.geometry().unwrap();
    assert_eq!((geometry.stride.y, geometry.stride.x), (12, 12));
    let extent = Extent::planar(24, 24);
    let flops = |stride| single("c", &[0], [0, 1], 1.0, stride).executor.flops(extent).unwrap();
    assert_eq!(ensemble.flops(extent).unwrap(), flops(4) + flops(6));
    assert_eq!(ensemble.parameters(), 16 + 36);
    let mut valid = single("valid", &[0], [0, 1], 1.0, 1);
    let mut builder = Builder::new("valid", Rank::Planar, 1);
    let input = builder.input();
    let head = builder.conv(input, &Scope::root("head"), Conv::square(1, 3).padding(0)).node();
    let graph = builder.build(head).unwrap();
    let weights = zoo::random_weights(&graph, 1);
    valid.executor = Box::new(Fused::new(graph, &weights, Arithmetic::default()).unwrap());
    let refused = Ensemble::new(vec![single("a", &[0], [0, 1], 1.0, 1), valid], 1).unwrap_err();
    assert!(refused.to_string().starts_with("model `valid`: expected the margins of model `a`, 0, 0, 0 and 0"), "{refused}");
    assert!(Ensemble::new(Vec::new(), 1).is_err());
}
