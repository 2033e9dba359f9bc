//! Holds a card against the processor, and times it: what `make gpu-check` runs. It needs neither cargo nor a network.
//!
//! `gpu_check parity` compares every operator and every network of the zoo, in every precision, and exits with 1 if one differs by more than it may.
//! `gpu_check time FOLDER` writes FOLDER/weights.safetensors, the weights that it times FCN-ResNet50 with, and prints a JSON object a line for each tile
//! and precision: milliseconds of the kernels alone for a batch, and of tiles that go up as 8-bit pixels and come back as labels.
//! `gpu_check model FOLDER` makes a model folder of the same network and weights, for `swath segment`.
#![expect(clippy::print_stdout, reason = "the answers")]

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use serde::Deserialize;
use serde_json::json;
use swath_models::{
    Arithmetic, Builder, Class, Cuda, CudaDevices, EndOfRows, Executor, Extent, Fused, Graph, LabelTable, Model, ModelCard, Op,
    PixelType, Precision, Rank, Rows, RowsOf, Scaling, ScoreActivation, Shape, StitchRequest, StitchTile, Tensor, WantedRows,
    Weights, zoo,
};

const USAGE: &str = "gpu_check parity | time FOLDER | model FOLDER";

/// Every precision, and how far from the processor's `f32` scores may be, relative to the largest: rounding, layer after layer.
const PRECISIONS: [(Precision, f32); 4] =
    [(Precision::F32, 2e-5), (Precision::Tf32, 5e-3), (Precision::F16, 5e-3), (Precision::Bf16, 3e-2)];

/// Whole networks round more often than single operators.
const OF_NETWORKS: f32 = 3.0;

/// The network that is timed.
const CLASSES: usize = 6;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["parity"] => parity(),
        ["time", folder] => time(Path::new(folder)).map(|()| ExitCode::SUCCESS),
        ["model", folder] => model(Path::new(folder)).map(|()| ExitCode::SUCCESS),
        _ => Err(USAGE.into()),
    }
}

/// A network with an input.
struct Case {
    name: String,
    graph: Graph,
    weights: Weights,
    input: Tensor,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Operator,
    Network,
}

/// An operator as operators.json has it.
#[derive(Deserialize)]
struct Entry {
    name: String,
    rank: Rank,
    op: Op,
    /// Of an operator of two inputs: what makes one of them.
    before: Option<Op>,
    inputs: Option<[Source; 2]>,
}

/// What an operator of two inputs is given.
#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Source {
    Input,
    Before,
}

/// The golden operators: their own tensors and inputs.
fn operators() -> Result<Vec<Case>, Box<dyn Error>> {
    let entries: Vec<Entry> = serde_json::from_slice(include_bytes!("../tests/golden/operators.json"))?;
    let all = Weights::from_bytes(include_bytes!("../tests/golden/operators.safetensors"), Path::new("operators.safetensors"))?;
    let mut cases = Vec::new();
    for Entry { name, rank, op, before, inputs } in entries {
        let (mut input, mut weights) = (None, Weights::new());
        for spec in all.specs().filter(|spec| spec.name.rsplit_once('.').is_some_and(|(case, _)| case == name)) {
            let data = all.get(&spec.name)?.to_vec();
            match (spec.name.rsplit('.').next(), spec.shape.as_slice()) {
                (Some("input"), [channels, rest @ ..]) => {
                    let extent = match rest {
                        [y, x] => Extent::planar(*y, *x),
                        [z, y, x] => Extent { z: *z, y: *y, x: *x },
                        other => return Err(format!("{name}: expected 2 or 3 axes, got {}", other.len()).into()),
                    };
                    input = Some(Tensor::new(Shape { channels: *channels, extent }, data)?);
                }
                (Some("output"), _) => {}
                _ => weights.insert(spec.name, spec.shape, data),
            }
        }
        let input = input.ok_or_else(|| format!("{name} has no input"))?;
        let mut builder = Builder::new(&name, rank, input.shape().channels);
        let from = builder.input();
        let given = match before.zip(inputs) {
            Some((before, inputs)) => {
                let made = builder.push("before", before, vec![from]).node();
                inputs.map(|source| if source == Source::Input { from } else { made }).to_vec()
            }
            None => vec![from],
        };
        let output = builder.push(&name, op, given).node();
        cases.push(Case { graph: builder.build(output)?, name, weights, input, kind: Kind::Operator });
    }
    Ok(cases)
}

fn noise(shape: Shape) -> Result<Tensor, swath_models::Error> {
    let value = |i: usize| ((i.wrapping_mul(2_654_435_761) >> 7) % 4096) as f32 / 2048.0 - 1.0;
    Tensor::new(shape, (0..shape.elements()).map(value).collect())
}

/// A network of the zoo.
fn network(name: &str, graph: Graph, extent: Extent) -> Result<Case, Box<dyn Error>> {
    let input = noise(Shape { channels: graph.input_channels(), extent })?;
    let (name, weights) = (format!("{name} {extent:?}"), zoo::random_weights(&graph, 3));
    Ok(Case { name, weights, graph, input, kind: Kind::Network })
}

/// The networks of the zoo, one after the other, each in two sizes.
fn networks() -> impl Iterator<Item = Result<Case, Box<dyn Error>>> {
    zoo::names().into_iter().flat_map(|name| {
        [0, 1].into_iter().map(move |size| {
            let graph = zoo::build(name, 3, CLASSES)?.with_activation(ScoreActivation::Softmax);
            let extents = match graph.rank() {
                Rank::Planar => [Extent::planar(256, 256), Extent::planar(288, 320)],
                Rank::Volumetric => [Extent::cube(32), Extent { z: 16, y: 48, x: 32 }],
            };
            network(name, graph, extents[size])
        })
    })
}

/// Compares all cases in all precisions. That there is no card is found before anything is computed.
fn parity() -> Result<ExitCode, Box<dyn Error>> {
    let mut worst = PRECISIONS.map(|_| (0.0, String::new()));
    let (mut cases, mut failures) = (0, 0);
    for case in operators()?.into_iter().map(Ok).chain(networks()) {
        let Case { name, graph, weights, input, kind } = case?;
        cases += 1;
        let mut expected = None;
        for ((precision, tolerance), worst) in PRECISIONS.into_iter().zip(&mut worst) {
            let cuda = Cuda::new(graph.clone(), &weights, precision, CudaDevices::One(0));
            let got = match cuda.and_then(|cuda| cuda.run(input.clone())) {
                Ok(got) => got,
                Err(error @ swath_models::Error::NoCuda { .. }) => return Err(error.into()),
                Err(error) => {
                    failures += 1;
                    println!("FAILED {} {name}: {error}", precision.name());
                    continue;
                }
            };
            let expected = match &mut expected {
                Some(expected) => expected,
                none => none.insert(Fused::new(graph.clone(), &weights, Arithmetic::default())?.run(input.clone())?),
            };
            let largest = expected.data().iter().fold(1.0, |largest: f32, value| largest.max(value.abs()));
            let differences = got.data().iter().zip(expected.data()).map(|(a, b)| (a - b).abs() / largest);
            // Of whole networks in fewer bits the mean is held: deep ones with random weights make much of single roundings. What is no number must
            // not look like agreement.
            let (difference, tolerance) = match (kind, precision) {
                (Kind::Network, Precision::F16 | Precision::Bf16 | Precision::Tf32) => {
                    (differences.sum::<f32>() / got.data().len() as f32, tolerance)
                }
                (kind, _) => {
                    let worst = differences.fold(0.0, |worst: f32, d| if d.is_nan() || d > worst { d } else { worst });
                    (worst, if kind == Kind::Network { OF_NETWORKS * tolerance } else { tolerance })
                }
            };
            if difference.is_nan() || difference > tolerance {
                failures += 1;
                println!("FAILED {} {name}: differs by {difference:e}, at most {tolerance:e} expected", precision.name());
            }
            if difference > worst.0 {
                *worst = (difference, name.clone());
            }
        }
    }
    for ((precision, _), (difference, name)) in PRECISIONS.iter().zip(worst) {
        println!("{}: {cases} cases, the largest difference is {difference:e} ({name})", precision.name());
    }
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn timed() -> Result<(Graph, Weights), Box<dyn Error>> {
    let graph = zoo::build("fcn_resnet50", 3, CLASSES)?;
    let weights = zoo::random_weights(&graph, 1);
    Ok((graph, weights))
}

fn time(folder: &Path) -> Result<(), Box<dyn Error>> {
    let (graph, weights) = timed()?;
    std::fs::create_dir_all(folder)?;
    weights.write(&folder.join("weights.safetensors"))?;
    let graph = graph.with_activation(ScoreActivation::Softmax);
    for precision in [Precision::Bf16, Precision::F16, Precision::Tf32] {
        let cuda = Cuda::new(graph.clone(), &weights, precision, CudaDevices::One(0))?;
        for (side, batch) in [(512, 16), (1024, 4)] {
            let kernels = cuda.time(Extent::planar(side, side), batch, 50)?.as_secs_f64() * 1e3;
            let stitched = stitched(&cuda, side, batch)? * 1e3;
            let pixels = (batch * side * side) as f64;
            println!(
                "{}",
                json!({
                    "engine": "swath",
                    "precision": precision.name(),
                    "tile": side,
                    "batch": batch,
                    "kernels_ms": kernels,
                    "stitched_ms": stitched,
                    "tiles_per_s": batch as f64 / kernels * 1e3,
                    "mpx_per_s": pixels / kernels / 1e3,
                    // 43 GFLOP at 790 TFLOP/s for a tile of 512 x 512.
                    "share_of_floor": 55e-3 * pixels / (512.0 * 512.0) / kernels,
                })
            );
        }
    }
    Ok(())
}

/// Seconds of a batch whose pixels go up and whose labels come back, on average.
fn stitched(cuda: &Cuda, side: usize, batch: usize) -> Result<f64, Box<dyn Error>> {
    const COLUMNS: usize = 16;
    const ROWS: usize = 8;
    let step = side * 3 / 4;
    let width = step * (COLUMNS - 1) + side;
    let request = StitchRequest {
        input: Extent::planar(side, side),
        scores: [side, side],
        offset: [0, 0],
        width,
        weights: Some(vec![1.0; side * side]),
        pixels: PixelType::U8,
        scaling: vec![Scaling::Scale { value: 255.0 }; 3],
        labels: LabelTable { values: (0..CLASSES as u8).collect(), kept: vec![true; CLASSES], nodata: 255 },
        wanted: WantedRows::LabelsWithConfidence,
        batch,
    };
    let pixels: Vec<u8> = (0..3 * side * side).map(|i| (i.wrapping_mul(2_654_435_761) >> 9) as u8).collect();
    let valid = vec![1; side * side];
    let mut stitchers = cuda.stitchers(&request)?;
    let stitcher = stitchers.first_mut().ok_or("no card")?;
    let tile = |index: usize| {
        let (row, column) = (index / COLUMNS, index % COLUMNS);
        let rows = RowsOf { y: row * step, x: 0, height: step, width };
        let ends = EndOfRows { y: rows.y, height: step, owned: Some(rows) };
        StitchTile {
            pixels: &pixels,
            seen: &valid,
            valid: &valid,
            runs: true,
            at: [row * step, column * step],
            core: [[0, 0], [side, side]],
            ends: (column + 1 == COLUMNS).then_some(ends),
        }
    };
    let tiles: Vec<StitchTile<'_>> = (0..ROWS * COLUMNS).map(tile).collect();
    // Once before, so that what is done once is not timed.
    stitcher.submit(&tiles[..batch])?;
    while stitcher.take(Rows::OfAllBatches)?.is_some() {}
    let started = Instant::now();
    for batch in tiles.chunks(batch) {
        stitcher.submit(batch)?;
        while stitcher.take(Rows::OfEarlierBatches)?.is_some() {}
    }
    while stitcher.take(Rows::OfAllBatches)?.is_some() {}
    Ok(started.elapsed().as_secs_f64() / tiles.len().div_ceil(batch) as f64)
}

/// Makes a model folder.
fn model(folder: &Path) -> Result<(), Box<dyn Error>> {
    let (graph, weights) = timed()?;
    let class = |value: u8| Class { value, name: format!("class{value}"), title: None, description: None, colour: None };
    let card = ModelCard {
        name: "fcn_resnet50".into(),
        architecture: "FCN-ResNet50".into(),
        bands: ["1", "2", "3"].map(String::from).to_vec(),
        scaling: vec![Scaling::Scale { value: 255.0 }; 3],
        classes: (0..CLASSES as u8).map(class).collect(),
        activation: ScoreActivation::Softmax,
        nodata: 255,
        dropped: Vec::new(),
        gsd: None,
        crf: None,
        volume: None,
    };
    Model { card, graph, weights }.write(folder)?;
    println!("{}", folder.display());
    Ok(())
}
