//! Tiles that are cropped are the whole: the same scene in tiles and as one tile, both padded to the network's stride.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]
#![expect(clippy::float_cmp, reason = "labels are whole numbers, read as floats")]
#![expect(clippy::print_stderr, reason = "what is measured is part of the result")]

mod common;
mod real_data;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use common::{Raster, difference};
use swath::plan::{BlendChoice, Plan, PlanRequest};
use swath::{Error, Existing, LayerEncoding, NoObserver, Outputs, ProbabilityOutput, Segmenter};
use swath_models::{
    Arithmetic, Axes, Builder, Class, Conv, ConvTranspose, Convolutions, Coordinates, Graph, Interpolation, MaxUnpool, Model,
    ModelCard, NodeId, Op, Padding, Pool, PoolKind, Precision, Rank, Resize, ResizeTo, Scaling, Scope, ScoreActivation, Weights,
    onnx, zoo,
};
use swath_tiling::{Size, Window};
use tempfile::TempDir;

/// What the order of sums may change a probability by; tiles change the shapes that matrix products see.
const TOLERANCE: f32 = 1e-6;

const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::Bf16];

/// Larger than any raster here, and a multiple of all strides.
const WHOLE: usize = 16 * 9 * 25 * 32;

fn model(graph: Graph, weights: Weights, activation: ScoreActivation) -> Model {
    let class =
        |value: usize| Class { value: value as u8, name: format!("class_{value}"), title: None, description: None, colour: None };
    let card = ModelCard {
        name: graph.name().into(),
        architecture: graph.name().into(),
        bands: (1..=graph.input_channels()).map(|band| band.to_string()).collect(),
        scaling: vec![Scaling::None; graph.input_channels()],
        classes: (0..graph.output_channels().max(2)).map(class).collect(),
        nodata: 255,
        activation,
        dropped: Vec::new(),
        gsd: None,
        volume: None,
        crf: None,
    };
    Model { card, graph, weights }
}

/// A network with random weights, and a scene for it.
struct Bench {
    segmenter: Segmenter,
    folder: TempDir,
}

struct Labelled {
    plan: Plan,
    labels: Raster,
    probabilities: Raster,
    /// The file with the labels.
    bytes: Vec<u8>,
}

impl Bench {
    fn new(model: Model, size: Size, precision: Precision) -> Self {
        let folder = TempDir::new().unwrap();
        Raster::noise(model.graph.input_channels() as u32, size).write(&folder.path().join("scene.tif"), None);
        let arithmetic = Arithmetic { precision, convolutions: Convolutions::Direct };
        Self { segmenter: Segmenter::new(model, arithmetic).unwrap(), folder }
    }

    fn request() -> PlanRequest {
        PlanRequest { blend: BlendChoice::Crop, ..PlanRequest::new(1 << 40, 2) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn plan(&self, request: &PlanRequest) -> swath::Result<Plan> {
        let scene = self.segmenter.scene(self.path("scene.tif"), None).unwrap();
        self.segmenter.plan(&scene, request)
    }

    fn label(&self, request: &PlanRequest) -> Labelled {
        self.run(self.plan(request).unwrap())
    }

    fn run(&self, plan: Plan) -> Labelled {
        let scene = self.segmenter.scene(self.path("scene.tif"), None).unwrap();
        let [path, probabilities] = ["labels.tif", "probabilities.tif"].map(|name| self.path(name));
        let outputs = Outputs {
            probabilities: Some(ProbabilityOutput { path: probabilities.clone(), encoding: LayerEncoding::F32 }),
            ..Outputs::labels(path.clone(), Existing::Overwrite)
        };
        // The tiles are those of a plan for labels alone.
        let plan = Plan { layers: outputs.layers(), ..plan };
        self.segmenter.run(&scene, &plan, &outputs, &NoObserver).unwrap();
        Labelled {
            plan,
            labels: Raster::read(&path),
            probabilities: Raster::read(&probabilities),
            bytes: fs::read(path).unwrap(),
        }
    }

    fn whole(&self) -> Labelled {
        let whole = self.label(&PlanRequest { tile: Some(WHOLE), ..Self::request() });
        assert_eq!(whole.plan.tiles(), 1);
        assert!(whole.plan.equals_whole());
        whole
    }

    /// The smallest tile that works, as the error about a smaller one names it.
    fn smallest_tile(&self) -> usize {
        let geometry = self.segmenter.executor().geometry().unwrap();
        let request = |tile| PlanRequest { tile: Some(tile), ..Self::request() };
        let stride = geometry.stride.x;
        let smallest = match self.plan(&request(stride)) {
            Err(Error::TileTooSmall { smallest, .. }) => smallest,
            other => panic!("a tile of {stride} gave {other:?}"),
        };
        assert!(matches!(self.plan(&request(smallest - stride)), Err(Error::TileTooSmall { .. })));
        smallest
    }

    /// Labels the scene in tiles of the side given, and holds it against the whole.
    fn check(&self, tile: usize, whole: &Labelled) -> Labelled {
        let tiled = self.label(&PlanRequest { tile: Some(tile), ..Self::request() });
        assert!(tiled.plan.equals_whole());
        assert!(tiled.plan.tiles() > 1, "one tile");
        let precision = self.segmenter.executor().arithmetic().precision.name();
        let what = format!("{} ({precision}) in {} tiles of {tile}", self.segmenter.card().name, tiled.plan.tiles());
        check(&tiled, whole, Window::all(whole.labels.size), &what);
        tiled
    }
}

/// Holds labels of a window against the whole.
fn check(tiled: &Labelled, whole: &Labelled, window: Window, what: &str) {
    let cut = |plane: &Vec<f32>| -> Vec<f32> {
        let rows = (window.y..window.y + window.height).map(|y| y * whole.labels.size.width + window.x);
        rows.flat_map(|start| plane[start..start + window.width].iter().copied()).collect()
    };
    let worst = whole.probabilities.bands.iter().zip(&tiled.probabilities.bands).map(|(a, b)| difference(&cut(a), b));
    let worst = worst.fold(0.0, |worst: f32, d| if d.is_nan() || d > worst { d } else { worst });
    eprintln!("{what}: probabilities differ by {worst:e} at most");
    assert!(worst <= TOLERANCE, "{what}: probabilities differ by {worst:e}");
    assert_eq!(tiled.labels.size, window.size(), "{what}");
    let unlike = cut(&whole.labels.bands[0]).iter().zip(&tiled.labels.bands[0]).filter(|(a, b)| a != b).count();
    assert_eq!(unlike, 0, "{what}: labels differ");
}

#[test]
fn fully_convolutional_networks() {
    for (name, precision) in [("fcn_resnet50", Precision::F32), ("fcn_small", Precision::Bf16)] {
        let graph = zoo::build(name, 3, 4).unwrap();
        let weights = zoo::random_weights(&graph, 7);
        let bench = Bench::new(model(graph, weights, ScoreActivation::Softmax), Size::plane(701, 633), precision);
        let smallest = bench.smallest_tile();
        bench.check(smallest.max(608), &bench.whole());
    }
}

#[test]
fn cloud_unet() {
    let Some(data) = real_data::folder() else { return };
    let imported = onnx::read(&data.join("weights/cloud_unet/landsatbiomeRGBISWIR7.onnx"), None).unwrap();
    for precision in PRECISIONS {
        let model = model(imported.graph.clone(), imported.weights.clone(), ScoreActivation::None);
        let bench = Bench::new(model, Size::plane(93, 71), precision);
        let whole = bench.whole();
        bench.check(bench.smallest_tile(), &whole);
        bench.check(64, &whole);
    }
}

/// Without padding, so that scores have a margin, and finer levels are cropped.
#[test]
fn unet_without_padding() {
    let options = zoo::UNet {
        widths: vec![4, 6, 8, 10],
        border: zoo::UNetBorder::Valid,
        norm: zoo::UNetNorm::None,
        ..zoo::UNet::default()
    };
    let graph = options.build("unet_without_padding", 2, 3).unwrap();
    let weights = zoo::random_weights(&graph, 5);
    let bench = Bench::new(model(graph, weights, ScoreActivation::Softmax), Size::plane(307, 290), Precision::F32);
    bench.check(bench.smallest_tile(), &bench.whole());
}

#[test]
fn unpooling_by_indices() {
    let mut g = Builder::new("unpooling", Rank::Planar, 2);
    let unpool = MaxUnpool { kernel: Axes::plane(2), stride: Axes::plane(2) };
    let x = g.conv(g.input(), &Scope::root("a"), Conv::square(6, 3).biased()).relu().node();
    let y = g.at(x).max_pool(2, 2, 0).conv(&Scope::root("b"), Conv::square(8, 3).biased()).relu().node();
    let z = g.at(y).max_pool(2, 2, 0).conv(&Scope::root("c"), Conv::square(8, 3).biased()).relu().node();
    let back = g.max_unpool(z, y, unpool).conv(&Scope::root("d"), Conv::square(6, 3).biased()).relu().node();
    let back = g.max_unpool(back, x, unpool).conv(&Scope::root("e"), Conv::square(3, 3).biased()).node();
    let graph = g.build(back).unwrap();
    let weights = zoo::random_weights(&graph, 6);
    let bench = Bench::new(model(graph, weights, ScoreActivation::Softmax), Size::plane(131, 117), Precision::F32);
    bench.check(bench.smallest_tile(), &bench.whole());
}

/// The generator `SplitMix64` (Steele, Lea & Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// A random network: down by random strides, up again with or without what was there before, and lost edges at the end.
struct Sketch {
    random: Random,
    builder: Builder,
    nodes: usize,
}

impl Sketch {
    fn graph(seed: u64) -> Graph {
        let mut random = Random(seed);
        let bands = 1 + random.below(3);
        let mut sketch = Self { random, builder: Builder::new(format!("random_{seed}"), Rank::Planar, bands), nodes: 0 };
        let mut x = sketch.builder.input();
        let mut levels = Vec::new();
        let mut stride = 1;
        x = sketch.block(x);
        while levels.len() < 3 {
            let factor = sketch.random.one_of(&[2, 2, 3, 4]);
            if stride * factor > 16 {
                break;
            }
            stride *= factor;
            levels.push((x, factor));
            x = sketch.down(x, factor);
            x = sketch.block(x);
        }
        while let Some((skip, factor)) = levels.pop() {
            x = sketch.up(x, skip, factor);
            if sketch.random.below(3) > 0 {
                x = sketch.join(x, skip);
            }
            x = sketch.block(x);
        }
        for _ in 0..sketch.random.below(3) {
            let kernel = sketch.random.one_of(&[2, 3, 5]);
            x = sketch.conv(x, Conv::square(4, kernel).padding(0).biased());
        }
        let classes = 2 + sketch.random.below(4);
        x = sketch.conv(x, Conv::square(classes, 1).biased());
        sketch.builder.build(x).unwrap()
    }

    fn name(&mut self, what: &str) -> String {
        self.nodes += 1;
        format!("{what}{}", self.nodes)
    }

    fn push(&mut self, op: Op, inputs: Vec<NodeId>) -> NodeId {
        let name = self.name(op.label());
        self.builder.push(name, op, inputs).node()
    }

    fn conv(&mut self, x: NodeId, conv: Conv) -> NodeId {
        self.push(Op::Conv(conv), vec![x])
    }

    /// One or two convolutions with a nonlinearity.
    fn block(&mut self, mut x: NodeId) -> NodeId {
        for _ in 0..=self.random.below(2) {
            let kernel = self.random.one_of(&[1, 3, 3, 5]);
            let dilation = self.random.one_of(&[1, 1, 2, 3]);
            let name = self.name("block");
            x = self.builder.conv(x, &Scope::root(name), Conv::square(6, kernel).dilation(dilation).biased()).relu().node();
        }
        x
    }

    fn down(&mut self, x: NodeId, factor: usize) -> NodeId {
        let pool = |kind, kernel, padding: Padding| {
            let padding = Axes { z: Padding::default(), y: padding, x: padding };
            Op::Pool(Pool { kind, kernel: Axes::plane(kernel), stride: Axes::plane(factor), padding })
        };
        let one = Padding::both(1);
        match self.random.below(5) {
            0 => self.conv(x, Conv::square(8, 3).stride(factor)),
            1 => self.conv(x, Conv::square(8, factor).padding(0).stride(factor)),
            2 => self.push(pool(PoolKind::Max, factor, Padding::default()), vec![x]),
            3 => self.push(pool(PoolKind::AverageWithPadding, 3, one), vec![x]),
            _ => self.push(pool(PoolKind::AverageInside, 3, one), vec![x]),
        }
    }

    fn up(&mut self, x: NodeId, like: NodeId, factor: usize) -> NodeId {
        let transposed = |kernel: usize, padding: usize, output_padding: usize| {
            Op::ConvTranspose(ConvTranspose {
                out_channels: 6,
                kernel: Axes::plane(kernel),
                stride: Axes::plane(factor),
                padding: Axes::plane_padding(padding),
                output_padding: Axes { z: 0, y: output_padding, x: output_padding },
                dilation: Axes::plane(1),
                groups: 1,
                bias: true,
            })
        };
        let times = ResizeTo::Factor { factor: Axes { z: 1.0, y: factor as f64, x: factor as f64 } };
        let resize = |interpolation, coordinates, to| Op::Resize(Resize { interpolation, coordinates, to });
        match self.random.below(6) {
            0 => self.push(transposed(factor, 0, 0), vec![x]),
            1 => self.push(transposed(factor + 2, 1, 0), vec![x]),
            2 => self.push(transposed(3, 1, factor - 1), vec![x]),
            3 => self.push(resize(Interpolation::NearestFloor, Coordinates::Asymmetric, times), vec![x]),
            4 => self.push(resize(Interpolation::Linear, Coordinates::Asymmetric, times), vec![x]),
            _ => self.builder.resize_like(x, like).node(),
        }
    }

    /// What came up and what was there before: side by side, or summed.
    fn join(&mut self, x: NodeId, skip: NodeId) -> NodeId {
        if self.random.below(2) == 0 {
            return self.builder.concat(vec![x, skip]).node();
        }
        let [x, skip] = [x, skip].map(|node| self.conv(node, Conv::square(5, 1)));
        self.builder.add(x, skip).node()
    }
}

fn random_bench(seed: u64, precision: Precision) -> Bench {
    let graph = Sketch::graph(seed);
    let weights = zoo::random_weights(&graph, seed);
    let geometry = graph.geometry().unwrap();
    let halo = geometry.halo().unwrap_or_else(|| panic!("{}: {geometry:?}", graph.name()));
    eprintln!("{}: {} nodes, {geometry:?}", graph.name(), graph.nodes().len());
    // The smallest tile steps by one stride: a scene little larger than it takes a dozen.
    let [stride, tile] = [geometry.stride.x, (2 * halo.x + geometry.stride.x).next_multiple_of(geometry.stride.x)];
    Bench::new(model(graph, weights, ScoreActivation::Softmax), Size::plane(tile + 2 * stride + 5, tile + stride + 3), precision)
}

/// Seeds of random networks that have all of what [`Sketch`] can do between them.
const SEEDS: [u64; 4] = [29, 30, 34, 36];

#[test]
fn random_networks() {
    let mut seen = BTreeSet::new();
    for (seed, precision) in SEEDS.into_iter().flat_map(|seed| PRECISIONS.map(|precision| (seed, precision))) {
        let bench = random_bench(seed, precision);
        let graph = bench.segmenter.executor().graph();
        let stride = graph.geometry().unwrap().stride.x;
        seen.extend(graph.nodes().iter().map(|node| node.op.label()));
        let whole = bench.whole();
        let smallest = bench.smallest_tile();
        let tiled = bench.check(smallest, &whole);
        bench.check(smallest + stride, &whole);

        let Size { width, height, .. } = whole.labels.size;
        for window in [
            Window::plane(0, 0, 1, 1),
            Window::plane(width / 3, height / 4, width / 2, 17),
            Window::plane(width - 13, height - 41, 13, 41),
        ] {
            let part = bench.label(&PlanRequest { tile: Some(smallest), window: Some(window), ..Bench::request() });
            check(&part, &whole, window, &format!("random_{seed}, {window}"));
        }
        let again = bench.label(&PlanRequest { tile: Some(smallest), threads: 1, ..Bench::request() });
        assert!(again.bytes == tiled.bytes && again.probabilities == tiled.probabilities, "one thread gives something else");

        // Without the halo tiles are not the whole, or all of this would show nothing.
        let apart = bench.label(&PlanRequest { tile: Some(4 * stride), overlap: Some(0), ..Bench::request() });
        assert!(!apart.plan.equals_whole());
        assert!(difference(&apart.probabilities.bands[1], &whole.probabilities.bands[1]) > 100.0 * TOLERANCE);
    }
    let expected = ["add", "average_pool", "concat", "conv", "conv_transpose", "input", "max_pool", "relu", "resize", "softmax"];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
}

/// What a network says of mirrored and turned tiles is, averaged, what it says of the whole scene mirrored and turned: also where its own result
/// changes with the scene, as that of strided layers does, and scenes are no multiple of the stride.
#[test]
fn views_in_tiles_are_those_of_the_whole() {
    let mut seen = 0;
    for seed in SEEDS[0].. {
        let margin = Sketch::graph(seed).geometry().unwrap().margin;
        let even = [margin.y, margin.x].iter().all(|side| side.before == side.after);
        let bench = random_bench(seed, Precision::F32);
        let plain = bench.whole();
        for views in ["flips", "d4"] {
            let Bench { segmenter, folder } = random_bench(seed, Precision::F32);
            let augmented = segmenter.augmented(views.parse().unwrap());
            if !even {
                // Layers of even kernels without padding lose more on one side.
                let error = augmented.map(|_| ()).unwrap_err().with_causes();
                assert!(error.contains("expected the same margin at opposite sides for"), "{error}");
                continue;
            }
            let bench = Bench { segmenter: augmented.unwrap(), folder };
            let whole = bench.whole();
            bench.check(bench.smallest_tile(), &whole);
            assert!(difference(&whole.probabilities.bands[1], &plain.probabilities.bands[1]) > 100.0 * TOLERANCE, "{views}");
            seen += 1;
        }
        if seen == 4 {
            break;
        }
    }
}

/// One convolution, and then a softmax.
fn shallow(classes: usize) -> Model {
    let mut builder = Builder::new("shallow", Rank::Planar, 1);
    let input = builder.input();
    let head = builder.conv(input, &Scope::root("head"), Conv::square(classes, 3).biased()).node();
    let graph = builder.build(head).unwrap();
    let weights = zoo::random_weights(&graph, 5);
    model(graph, weights, ScoreActivation::Softmax)
}

#[test]
fn swaths_are_the_whole_width() {
    let bench = Bench::new(shallow(5), Size::plane(1999, 123), Precision::F32);
    for blend in [BlendChoice::Hann, BlendChoice::Gaussian, BlendChoice::Flat] {
        let request = PlanRequest { tile: Some(64), overlap: Some(24), blend, ..Bench::request() };
        let whole = bench.label(&request);
        assert_eq!(whole.plan.swaths.len(), 1);
        let cut = bench.run(Plan { swaths: whole.plan.layout.grid.swaths(700), ..whole.plan.clone() });
        assert_eq!(cut.plan.swaths.len(), 3);
        assert!(cut.bytes == whole.bytes && cut.probabilities == whole.probabilities, "{blend:?}: swaths give something else");
    }
}

/// Sums that wait for the next row of tiles are as wide as the scene: where they do not fit, the plan cuts it into swaths.
#[test]
fn a_wide_scene_is_cut_into_swaths() {
    let bench = Bench::new(shallow(40), Size::plane(16_384, 600), Precision::F32);
    let request = PlanRequest { tile: Some(256), overlap: Some(128), blend: BlendChoice::Hann, ..Bench::request() };
    let whole = bench.plan(&request).unwrap();
    assert_eq!(whole.swaths.len(), 1);
    let max_memory = whole.memory.total() - whole.memory.mosaic / 3;
    let cut = bench.plan(&PlanRequest { max_memory, ..request }).unwrap();
    assert!(cut.swaths.len() > 1 && cut.memory.total() <= max_memory, "{:?}", cut.memory);
    assert!(cut.tiles() > whole.tiles(), "tiles on a cut are run twice");
}

#[test]
fn a_constant_stays_one() {
    let mut model = shallow(3);
    model.card.activation = ScoreActivation::None;
    let scores = [0.125f32, 0.575, 0.3];
    model.weights.insert("head.weight", vec![3, 1, 3, 3], vec![0.0; 27]);
    model.weights.insert("head.bias", vec![3], scores.to_vec());
    let bench = Bench::new(model, Size::plane(211, 157), Precision::F32);
    for blend in [BlendChoice::Hann, BlendChoice::Gaussian, BlendChoice::Flat, BlendChoice::Crop] {
        // Up to 16 tiles cover a pixel; of hundreds the sums would be less exact than this.
        for overlap in [0, 1, 7, 16, 24] {
            let labelled = bench.label(&PlanRequest { tile: Some(32), overlap: Some(overlap), blend, ..Bench::request() });
            for (plane, score) in labelled.probabilities.bands.iter().zip(scores) {
                let worst = difference(plane, &vec![score; plane.len()]);
                assert!(worst <= TOLERANCE, "{blend:?}, overlap {overlap}: {worst:e}");
            }
            assert!(labelled.labels.bands[0].iter().all(|label| *label == 1.0), "{blend:?}, overlap {overlap}");
        }
    }
}

/// Threads and workers of the program.
const MODES: [[&str; 2]; 4] = [["1", "1"], ["2", "1"], ["4", "3"], ["4", "4"]];

/// The program gives the same bytes in every mode.
fn check_modes(model: &Model, blends: &[&str]) {
    let name = model.card.name.clone();
    let bench = Bench::new(model.clone(), Size::plane(333, 219), Precision::F32);
    let folder = bench.path("model");
    model.write(&folder).unwrap();
    for (blend, precision) in blends.iter().flat_map(|blend| PRECISIONS.map(|precision| (blend, precision.name()))) {
        let files = MODES.map(|[threads, workers]| {
            let [labels, probabilities] = ["labels", "probabilities"]
                .map(|name| bench.path(&format!("{name}_{blend}_{precision}_{threads}_{workers}.tif")));
            let output = Command::new(env!("CARGO_BIN_EXE_swath"))
                .arg("segment")
                .arg(bench.path("scene.tif"))
                .args(["--quiet", "--tile", "128", "--blend", blend, "--threads", threads, "--workers", workers])
                .args(["--precision", precision, "--max-memory", "4GiB", "--model"])
                .args([folder.as_path(), Path::new("--output"), &labels, Path::new("--probabilities"), &probabilities])
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            [labels, probabilities].map(|path| fs::read(path).unwrap())
        });
        for (mode, file) in MODES.iter().zip(&files) {
            assert!(*file == files[0], "{name}, {blend}, {precision}: {mode:?} gives other bytes");
        }
    }
}

#[test]
fn threads_of_the_program_give_the_same_bytes() {
    let graph = Sketch::graph(SEEDS[2]);
    let weights = zoo::random_weights(&graph, 3);
    check_modes(&model(graph, weights, ScoreActivation::Softmax), &["hann", "crop"]);
    // Its convolutions are wide enough for Winograd's algorithm.
    let graph = zoo::build("fcn_resnet18", 2, 3).unwrap();
    let weights = zoo::random_weights(&graph, 3);
    check_modes(&model(graph, weights, ScoreActivation::Softmax), &["flat"]);
}
