//! Stitching on a card, with the processor in its place: against sums made plainly.
#![expect(clippy::float_cmp, reason = "the same sums in the same order")]

use super::device::Device;
use super::engine::Engine;
use super::host::HostDevice;
use super::kernel::Stored;
use super::resident::Resident;
use crate::{
    EndOfRows, Extent, FinishedRows, Graph, LabelTable, PixelType, Precision, Rows, RowsOf, Scaling, ScoreActivation, Shape,
    Stitch as _, StitchRequest, StitchTile, Tensor, WantedRows, zoo,
};
use std::sync::Arc;

const WIDTH: usize = 53;
const HEIGHT: usize = 41;
const TILE: usize = 24;
const OVERLAP: usize = 8;
const BANDS: usize = 3;

/// Starts of tiles along an axis, the last one shifted inwards.
fn starts(length: usize) -> Vec<usize> {
    let mut starts: Vec<usize> = (0..).step_by(TILE - OVERLAP).take_while(|start| start + TILE < length).collect();
    starts.push(length - TILE);
    starts
}

/// From where to where a tile's scores count when each pixel has those of one tile.
fn cores(starts: &[usize], length: usize) -> Vec<[usize; 2]> {
    let cut = |i: usize| if i == 0 { 0 } else { usize::midpoint(starts[i - 1] + TILE, starts[i]) };
    (0..starts.len()).map(|i| [cut(i), if i + 1 == starts.len() { length } else { cut(i + 1) }]).collect()
}

/// A scene with a corner that is not valid, and pixels as they are stored.
struct Scene {
    /// `(bands, height, width)`
    values: Vec<f64>,
    valid: Vec<bool>,
    pixels: PixelType,
}

impl Scene {
    fn new(pixels: PixelType) -> Self {
        let value = |i: usize| {
            let noise = (i * 7919 % 251) as f64;
            match pixels {
                PixelType::U8 => noise,
                PixelType::U16 => 200.0 * noise,
                PixelType::I16 => 100.0 * noise - 12_000.0,
                PixelType::F32 => noise / 7.0,
            }
        };
        let valid = (0..HEIGHT * WIDTH).map(|i| i / WIDTH < 30 || i % WIDTH < 20).collect();
        Self { values: (0..BANDS * HEIGHT * WIDTH).map(value).collect(), valid, pixels }
    }

    fn bytes(&self, value: f64) -> Vec<u8> {
        match self.pixels {
            PixelType::U8 => vec![value as u8],
            PixelType::U16 => (value as u16).to_ne_bytes().to_vec(),
            PixelType::I16 => (value as i16).to_ne_bytes().to_vec(),
            PixelType::F32 => (value as f32).to_ne_bytes().to_vec(),
        }
    }

    /// The values of a tile, band after band, and whether they are valid.
    fn tile(&self, y: usize, x: usize) -> (Vec<f64>, Vec<u8>) {
        let places: Vec<usize> = (y..y + TILE).flat_map(|y| (x..x + TILE).map(move |x| y * WIDTH + x)).collect();
        let values = (0..BANDS).flat_map(|band| places.iter().map(move |at| self.values[band * HEIGHT * WIDTH + at]));
        (values.collect(), places.iter().map(|at| u8::from(self.valid[*at])).collect())
    }

    fn scaling(&self) -> [Scaling; BANDS] {
        let width = match self.pixels {
            PixelType::U8 | PixelType::F32 => 255.0,
            PixelType::U16 | PixelType::I16 => 50_000.0,
        };
        [
            Scaling::MinMax { minimum: 0.0, maximum: width },
            Scaling::ZScore { mean: 90.0, stddev: width / 3.0 },
            Scaling::Scale { value: width },
        ]
    }
}

/// Sums of weighted scores, `(channels + 1, height, width)`, made plainly; NaN becomes `spoiled`'s scores.
fn plain_sums(engine: &Engine, scene: &Scene, weights: Option<&[f32]>, classes: usize) -> Vec<f32> {
    let (ys, xs) = (starts(HEIGHT), starts(WIDTH));
    let mut sums = vec![0.0; (classes + 1) * HEIGHT * WIDTH];
    for (&y, core_y) in ys.iter().zip(cores(&ys, HEIGHT)) {
        for (&x, core_x) in xs.iter().zip(cores(&xs, WIDTH)) {
            let (values, valid) = scene.tile(y, x);
            if !valid.contains(&1) {
                continue;
            }
            let mut scaled: Vec<f32> = values.iter().map(|v| *v as f32).collect();
            for (band, scaling) in scaled.chunks_exact_mut(TILE * TILE).zip(scene.scaling()) {
                scaling.apply(band);
                band.iter_mut().zip(&valid).filter(|(_, valid)| **valid == 0).for_each(|(v, _)| *v = 0.0);
            }
            let scores = engine.run(&Tensor::new(Shape::planar(BANDS, TILE, TILE), scaled).unwrap()).unwrap();
            for at in 0..TILE * TILE {
                let (row, column) = (y + at / TILE, x + at % TILE);
                let within = (core_y[0]..core_y[1]).contains(&row) && (core_x[0]..core_x[1]).contains(&column);
                if weights.is_none() && !within {
                    continue;
                }
                let weight = weights.map_or(1.0, |weights| weights[at]);
                for class in 0..classes {
                    sums[(class * HEIGHT + row) * WIDTH + column] += scores.channel(class)[at] * weight;
                }
                sums[(classes * HEIGHT + row) * WIDTH + column] += weight;
            }
        }
    }
    sums
}

/// All rows that come back of a scene.
fn stitch(
    engine: &Engine,
    scene: &Scene,
    weights: Option<Vec<f32>>,
    wanted: WantedRows,
    batch: usize,
    table: LabelTable,
) -> Vec<FinishedRows> {
    let request = StitchRequest {
        input: Extent::planar(TILE, TILE),
        scores: [TILE, TILE],
        offset: [0, 0],
        width: WIDTH,
        weights,
        pixels: scene.pixels,
        scaling: scene.scaling().to_vec(),
        labels: table,
        wanted,
        batch,
    };
    let is_cut = request.weights.is_none();
    let mut stitch = Resident::new(engine, request).unwrap();
    let (ys, xs) = (starts(HEIGHT), starts(WIDTH));
    let (cores_y, cores_x) = (cores(&ys, HEIGHT), cores(&xs, WIDTH));
    let mut tiles = Vec::new();
    for (row, &y) in ys.iter().enumerate() {
        for (column, &x) in xs.iter().enumerate() {
            let (values, valid) = scene.tile(y, x);
            let pixels: Vec<u8> = values.iter().flat_map(|v| scene.bytes(*v)).collect();
            let (core_y, core_x) = (cores_y[row], cores_x[column]);
            let core = [[core_y[0] - y, core_x[0] - x], [core_y[1] - y, core_x[1] - x]];
            let end = ys.get(row + 1).copied().unwrap_or(HEIGHT);
            // Where pixels are cut, the rows up to the next cut are finished.
            let [first, end] = if is_cut { core_y } else { [y, end] };
            let rows = RowsOf { y: first, x: 0, height: end - first, width: WIDTH };
            let ends = EndOfRows { y: first, height: end - first, owned: Some(rows) };
            tiles.push((pixels, valid, [y, x], core, (column + 1 == xs.len()).then_some(ends)));
        }
    }
    let mut finished = Vec::new();
    for batch in tiles.chunks(batch) {
        let batch: Vec<StitchTile<'_>> = batch
            .iter()
            .map(|(pixels, valid, at, core, ends)| StitchTile {
                pixels,
                seen: valid,
                valid,
                runs: valid.contains(&1),
                at: *at,
                core: *core,
                ends: *ends,
            })
            .collect();
        stitch.submit(&batch).unwrap();
        while let Some(rows) = stitch.take(Rows::OfEarlierBatches).unwrap() {
            finished.push(rows);
        }
    }
    while let Some(rows) = stitch.take(Rows::OfAllBatches).unwrap() {
        finished.push(rows);
    }
    finished
}

fn table(classes: usize) -> LabelTable {
    let values = (0..classes).map(|class| 10 + class as u8).collect();
    LabelTable { values, kept: (0..classes).map(|class| class != 1).collect(), nodata: 255 }
}

fn engine(classes: usize, activation: ScoreActivation, precision: Precision) -> Option<Engine> {
    let device: Arc<dyn Device> = HostDevice::of(Stored::of(precision))?;
    let graph: Graph = zoo::build("fcn_small", BANDS, classes).unwrap().with_activation(activation);
    Some(Engine::new(device, &graph, &zoo::random_weights(&graph, 4), precision).unwrap())
}

fn tapered() -> Vec<f32> {
    let along = |i: usize| (i.min(TILE - 1 - i) + 1) as f32 / 12.0;
    (0..TILE * TILE).map(|at| along(at / TILE) * along(at % TILE)).collect()
}

fn assert_covers_the_scene(finished: &[FinishedRows]) {
    let mut next = 0;
    for rows in finished {
        assert_eq!((rows.rows.y, rows.rows.x, rows.rows.width), (next, 0, WIDTH));
        next += rows.rows.height;
    }
    assert_eq!(next, HEIGHT);
}

#[test]
fn scores_are_the_weighted_means() {
    for pixels in [PixelType::U8, PixelType::U16, PixelType::I16, PixelType::F32] {
        for (weights, batch) in [(Some(tapered()), 1), (Some(tapered()), 5), (None, 3)] {
            let Some(engine) = engine(4, ScoreActivation::Softmax, Precision::Bf16) else { return };
            let scene = Scene::new(pixels);
            let sums = plain_sums(&engine, &scene, weights.as_deref(), 4);
            let finished = stitch(&engine, &scene, weights, WantedRows::Scores, batch, table(4));
            assert_covers_the_scene(&finished);
            for part in &finished {
                assert_eq!(part.wrong, None);
                let area = part.rows.height * WIDTH;
                for at in 0..area {
                    let place = part.rows.y * WIDTH + at;
                    assert_eq!(part.valid[at], scene.valid[place]);
                    if !scene.valid[place] {
                        continue;
                    }
                    for class in 0..4 {
                        let expected = sums[class * HEIGHT * WIDTH + place] / sums[4 * HEIGHT * WIDTH + place];
                        assert_eq!(part.scores[class * area + at], expected, "{pixels:?}, class {class} of pixel {place}");
                    }
                }
            }
        }
    }
}

#[test]
fn labels_are_the_most_probable_classes() {
    // One score stands for two classes.
    for (channels, classes, activation) in [(4, 4, ScoreActivation::Softmax), (1, 2, ScoreActivation::Sigmoid)] {
        let Some(engine) = engine(channels, activation, Precision::F32) else { return };
        let scene = Scene::new(PixelType::U8);
        let weights = tapered();
        let sums = plain_sums(&engine, &scene, Some(&weights), channels);
        let mut table = table(classes);
        if classes == 2 {
            table.kept = vec![true; 2];
        }
        let finished = stitch(&engine, &scene, Some(weights), WantedRows::LabelsWithConfidence, 4, table.clone());
        assert_covers_the_scene(&finished);
        let mut labels = std::collections::BTreeSet::new();
        for part in &finished {
            for (at, (label, confidence)) in part.labels.iter().zip(&part.confidence).enumerate() {
                let place = part.rows.y * WIDTH + at;
                if !scene.valid[place] {
                    assert_eq!((*label, *confidence), (255, 255));
                    continue;
                }
                let score = |channel: usize| sums[channel * HEIGHT * WIDTH + place] / sums[channels * HEIGHT * WIDTH + place];
                let scores: Vec<f32> =
                    if channels == 1 { vec![1.0 - score(0), score(0)] } else { (0..channels).map(score).collect() };
                let best = (0..classes)
                    .filter(|class| table.kept[*class])
                    .max_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(b.cmp(a)));
                let best = best.unwrap();
                assert_eq!((*label, *confidence), (table.values[best], (254.0 * scores[best]).round() as u8), "pixel {place}");
                labels.insert(*label);
            }
        }
        assert!(labels.len() > 1, "expected several classes, got {labels:?}");
    }
}

#[test]
fn a_score_that_is_no_number_is_found() {
    let Some(engine) = engine(4, ScoreActivation::Softmax, Precision::F32) else { return };
    let mut scene = Scene::new(PixelType::F32);
    // Far right in the first rows of tiles; networks spread it.
    scene.values[5 * WIDTH + 50] = f64::NAN;
    let finished = stitch(&engine, &scene, Some(tapered()), WantedRows::Labels, 2, table(4));
    let wrong = finished.iter().find_map(|part| part.wrong.map(|wrong| (part.rows, wrong))).unwrap();
    assert!(wrong.1.score.is_nan() && wrong.1.channel == 0 && wrong.0.y == 0);
    let sums = plain_sums(&engine, &scene, Some(&tapered()), 4);
    let first = (0..HEIGHT * WIDTH).find(|at| scene.valid[*at] && sums[*at].is_nan()).unwrap();
    assert_eq!((wrong.1.y, wrong.1.x), (first / WIDTH, first % WIDTH));
}

#[test]
fn tiles_of_another_size_are_refused() {
    let Some(engine) = engine(2, ScoreActivation::Softmax, Precision::F32) else { return };
    let request = request();
    let mut stitch = Resident::new(&engine, request.clone()).unwrap();
    let (pixels, mask) = (vec![0; BANDS * TILE * TILE], vec![1; TILE * TILE]);
    let tile = StitchTile {
        pixels: &pixels[1..],
        seen: &mask,
        valid: &mask,
        runs: true,
        at: [0, 0],
        core: [[0, 0], [TILE, TILE]],
        ends: None,
    };
    assert!(stitch.submit(&[tile]).is_err());
    let tile = StitchTile { pixels: &pixels, ..tile };
    assert!(stitch.submit(&[tile, tile]).is_err());
    // The next one waits for its end.
    drop(stitch);
    assert!(Resident::new(&engine, StitchRequest { scores: [TILE, TILE - 1], ..request.clone() }).is_err());
    let bytes = Resident::bytes(&engine, &StitchRequest { batch: 8, ..request.clone() }).unwrap();
    let less = Resident::bytes(&engine, &request).unwrap();
    assert!(bytes.card > less.card && bytes.host > less.host);
}

fn request() -> StitchRequest {
    StitchRequest {
        input: Extent::planar(TILE, TILE),
        scores: [TILE, TILE],
        offset: [0, 0],
        width: WIDTH,
        weights: None,
        pixels: PixelType::U8,
        scaling: vec![Scaling::None; BANDS],
        labels: table(2),
        wanted: WantedRows::Labels,
        batch: 1,
    }
}
