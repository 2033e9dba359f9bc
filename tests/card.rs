//! Networks that run elsewhere: `--device cuda` where there is no card, and the pipeline around cards, with the processor in the place of some.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod support;

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::{Linear, program, run, swath};
use swath::plan::{BlendChoice, PlanRequest};
use swath::source::Scene;
use swath::{Existing, NoObserver, Outputs, Segmenter};
use swath_models::{
    Arithmetic, DeviceFacts, Error, Executor, Extent, FinishedRows, Fused, Graph, Model, PixelType, Result, Rows, Shape, Stitch,
    StitchBytes, StitchRequest, StitchTile, Tensor, WantedRows,
};
use swath_tiling::Window;
use tempfile::TempDir;

fn workplace() -> TempDir {
    let folder = TempDir::new().unwrap();
    support::write_noise(&folder.path().join("scene.tif"), 150, 130, 3);
    Linear::by_sum(3, 600.0, 900.0).write(&folder.path().join("model"));
    folder
}

#[test]
fn without_a_card_the_device_says_what_is_missing() {
    let folder = workplace();
    for device in ["cuda", "cuda:3"] {
        let args = format!("segment scene.tif --model model --output labels.tif --device {device}");
        swath(folder.path(), &args).fails(2, &["cannot compute on CUDA", "--device cpu"]);
    }
    assert!(!folder.path().join("labels.tif").exists());
}

#[test]
fn auto_falls_back_to_the_processor_and_says_so_once() {
    let folder = workplace();
    support::write_noise(&folder.path().join("other.tif"), 70, 50, 3);
    let auto = swath(folder.path(), "segment scene.tif other.tif --model model --output maps --device auto").succeeds();
    assert_eq!(auto.stderr.matches("computing on the processor").count(), 1, "{}", auto.stderr);
    swath(folder.path(), "segment scene.tif --model model --output auto.tif").succeeds();
    swath(folder.path(), "segment scene.tif --model model --output cpu.tif --device cpu").succeeds();
    let bytes = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(bytes("auto.tif") == bytes("cpu.tif"));
    let plan = swath(folder.path(), "plan scene.tif --model model --json").succeeds();
    assert_eq!(plan.json()[0]["card"], serde_json::Value::Null);
}

#[test]
fn precisions_of_cards_are_refused_by_the_processor() {
    let folder = workplace();
    for precision in ["f16", "tf32"] {
        let args = format!("segment scene.tif --model model --output labels.tif --device cpu --precision {precision}");
        swath(folder.path(), &args).fails(2, &["expected a precision of f32 or bf16", precision]);
    }
}

#[test]
fn a_folder_that_is_named_is_looked_in() {
    let folder = workplace();
    let mut command = program(folder.path());
    command.env("SWATH_CUDA_PATH", folder.path()).args("segment scene.tif --model model --output l.tif --device cuda".split(' '));
    let run = run(&mut command).fails(2, &["cannot compute on CUDA"]);
    // Where there is a driver, it says that it finds no card.
    assert!(run.stderr.contains(folder.path().to_str().unwrap()) || run.stderr.contains("no card"), "{}", run.stderr);
}

/// An executor that has cards, each of which is the processor.
struct Elsewhere {
    network: Fused,
    cards: usize,
    /// Tiles until a card is lost.
    left: AtomicUsize,
}

impl Executor for Elsewhere {
    fn graph(&self) -> &Graph {
        self.network.graph()
    }

    fn arithmetic(&self) -> Arithmetic {
        self.network.arithmetic()
    }

    fn run(&self, tile: Tensor) -> Result<Tensor> {
        self.network.run(tile)
    }

    fn peak_bytes(&self, tile: Extent, threads: usize) -> Result<usize> {
        self.network.peak_bytes(tile, threads)
    }

    fn resident_bytes(&self) -> usize {
        self.network.resident_bytes()
    }

    fn device(&self) -> Option<DeviceFacts> {
        Some(DeviceFacts { name: "a card".into(), cards: self.cards, free: 1 << 30 })
    }

    fn stitchers(&self, request: &StitchRequest) -> Result<Vec<Box<dyn Stitch + Send + '_>>> {
        let stitcher = |_| Box::new(Plain::new(self, request.clone())) as Box<dyn Stitch + Send>;
        Ok((0..self.cards).map(stitcher).collect())
    }

    fn stitch_bytes(&self, request: &StitchRequest) -> Result<StitchBytes> {
        // Four tiles fit.
        Ok(StitchBytes { card: request.batch * (200 << 20), host: request.batch << 10 })
    }
}

/// Most rows of a scene here.
const ROWS: usize = 256;

/// Stitches plainly: sums of the whole scene.
struct Plain<'a> {
    executor: &'a Elsewhere,
    request: StitchRequest,
    channels: usize,
    /// `(channels + 1, ROWS, width)`
    sums: Vec<f32>,
    valid: Vec<bool>,
    finished: VecDeque<FinishedRows>,
}

impl<'a> Plain<'a> {
    fn new(executor: &'a Elsewhere, request: StitchRequest) -> Self {
        let channels = executor.graph().output_channels();
        let pixels = ROWS * request.width;
        let sums = vec![0.0; (channels + 1) * pixels];
        Self { executor, request, channels, sums, valid: vec![false; pixels], finished: VecDeque::new() }
    }

    fn scores(&self, tile: &StitchTile<'_>) -> Result<Tensor> {
        let mut values: Vec<f32> = match self.request.pixels {
            PixelType::U8 => tile.pixels.iter().map(|v| f32::from(*v)).collect(),
            other => panic!("expected bytes, got {other:?}"),
        };
        for (band, scaling) in values.chunks_exact_mut(tile.seen.len()).zip(&self.request.scaling) {
            scaling.apply(band);
            band.iter_mut().zip(tile.seen).filter(|(_, seen)| **seen == 0).for_each(|(v, _)| *v = 0.0);
        }
        self.executor.run(Tensor::new(Shape { channels: self.request.scaling.len(), extent: self.request.input }, values)?)
    }

    fn add(&mut self, tile: &StitchTile<'_>) -> Result<()> {
        let scores = if tile.runs { Some(self.scores(tile)?) } else { None };
        let [height, width] = self.request.scores;
        let plane = ROWS * self.request.width;
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let [first, end] = tile.core;
            let within = (first[0]..end[0]).contains(&y) && (first[1]..end[1]).contains(&x);
            let weight = match &self.request.weights {
                None if !within => continue,
                None => 1.0,
                Some(weights) => weights[y * width + x],
            };
            let at = (tile.at[0] + y) * self.request.width + tile.at[1] + x;
            if let Some(scores) = &scores {
                for channel in 0..self.channels {
                    self.sums[channel * plane + at] += scores.channel(channel)[y * width + x] * weight;
                }
                self.sums[self.channels * plane + at] += weight;
            }
            let [offset_y, offset_x] = self.request.offset;
            self.valid[at] = tile.valid[(offset_y + y) * self.request.input.x + offset_x + x] != 0;
        }
        Ok(())
    }

    fn finish(&mut self, tile: &StitchTile<'_>) {
        let Some(rows) = tile.ends.and_then(|ends| ends.owned) else { return };
        let plane = ROWS * self.request.width;
        let places = (rows.y..rows.y + rows.height).flat_map(|y| (rows.x..rows.x + rows.width).map(move |x| (y, x)));
        let places: Vec<usize> = places.map(|(y, x)| y * self.request.width + x).collect();
        let score = |channel: usize, at: usize| self.sums[channel * plane + at] / self.sums[self.channels * plane + at];
        let valid: Vec<bool> = places.iter().map(|at| self.valid[*at]).collect();
        let best = |at: usize| {
            let kept = (0..self.channels).filter(|channel| self.request.labels.kept[*channel]);
            kept.fold(
                (0, f32::NEG_INFINITY),
                |best, channel| if score(channel, at) > best.1 { (channel, score(channel, at)) } else { best },
            )
        };
        let wanted = self.request.wanted;
        let labelled = wanted != WantedRows::Scores;
        let label =
            |at: &usize| if self.valid[*at] { self.request.labels.values[best(*at).0] } else { self.request.labels.nodata };
        let sure = |at: &usize| if self.valid[*at] { (254.0 * best(*at).1).round() as u8 } else { 255 };
        let finished = FinishedRows {
            rows,
            labels: if labelled { places.iter().map(label).collect() } else { Vec::new() },
            confidence: if wanted == WantedRows::LabelsWithConfidence { places.iter().map(sure).collect() } else { Vec::new() },
            scores: if labelled {
                Vec::new()
            } else {
                (0..self.channels).flat_map(|channel| places.iter().map(move |at| score(channel, *at))).collect()
            },
            valid: if labelled { Vec::new() } else { valid },
            wrong: None,
        };
        self.finished.push_back(finished);
    }
}

impl Stitch for Plain<'_> {
    fn batch(&self) -> usize {
        self.request.batch
    }

    fn submit(&mut self, tiles: &[StitchTile<'_>]) -> Result<()> {
        assert!(tiles.len() <= self.request.batch);
        for tile in tiles {
            let left = self.executor.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if left.is_err() {
                return Err(Error::Cuda { device: 0, action: "run a kernel".into(), reason: "it fell off the bus".into() });
            }
            self.add(tile)?;
            self.finish(tile);
            // A band that another one follows begins with nothing.
            let ends_all = tile.ends.is_some_and(|ends| ends.y + ends.height == tile.at[0] + self.request.scores[0]);
            if ends_all {
                self.sums.fill(0.0);
            }
        }
        Ok(())
    }

    fn take(&mut self, _rows: Rows) -> Result<Option<FinishedRows>> {
        Ok(self.finished.pop_front())
    }
}

const NEVER: usize = usize::MAX;

fn elsewhere(folder: &Path, cards: usize, left: usize) -> Segmenter {
    let model = Model::read(&folder.join("model")).unwrap();
    let network = Fused::new(model.probabilities(), &model.weights, Arithmetic::default()).unwrap();
    Segmenter::with_executor(model.card, Box::new(Elsewhere { network, cards, left: AtomicUsize::new(left) })).unwrap()
}

/// What is labelled, and how.
#[derive(Clone, Copy)]
struct Job {
    blend: BlendChoice,
    window: Option<Window>,
    layers: bool,
}

fn label(folder: &Path, segmenter: &Segmenter, name: &str, job: Job) -> swath::Result<()> {
    let scene: Scene = segmenter.scene(folder.join("scene.tif").as_path(), None).unwrap();
    let mut outputs = Outputs::labels(folder.join(format!("{name}.tif")), Existing::Refuse);
    if job.layers {
        outputs.confidence = Some(folder.join(format!("{name}_confidence.tif")));
    }
    let request = PlanRequest {
        tile: Some(48),
        overlap: Some(16),
        blend: job.blend,
        window: job.window,
        layers: outputs.layers(),
        ..PlanRequest::new(16 << 30, 2)
    };
    let plan = segmenter.plan(&scene, &request)?;
    if let Some(card) = &plan.card {
        assert!((1..=4).contains(&card.batch), "{card:?}");
        assert_eq!(card.pixels, PixelType::U8);
    }
    segmenter.run(&scene, &plan, &outputs, &NoObserver).map(drop)
}

#[test]
fn labels_are_the_same_for_any_number_of_cards() {
    let folder = workplace();
    let here = Segmenter::open(&folder.path().join("model"), Arithmetic::default()).unwrap();
    let window = Some(Window::plane(20, 33, 101, 64));
    for (number, (blend, window, layers)) in
        [(BlendChoice::Hann, None, true), (BlendChoice::Hann, window, false), (BlendChoice::Crop, window, true)]
            .into_iter()
            .enumerate()
    {
        let job = Job { blend, window, layers };
        label(folder.path(), &here, &format!("here{number}"), job).unwrap();
        for cards in [1, 2, 5] {
            let name = format!("cards{number}_{cards}");
            label(folder.path(), &elsewhere(folder.path(), cards, NEVER), &name, job).unwrap();
            for suffix in if layers { ["", "_confidence"].as_slice() } else { &[""] } {
                let bytes = |name: &str| fs::read(folder.path().join(format!("{name}{suffix}.tif"))).unwrap();
                assert!(bytes(&name) == bytes(&format!("here{number}")), "{name}{suffix}");
            }
        }
    }
}

#[test]
fn a_lost_card_leaves_what_goes_on() {
    let folder = workplace();
    let job = Job { blend: BlendChoice::Hann, window: None, layers: false };
    label(folder.path(), &elsewhere(folder.path(), 1, NEVER), "whole", job).unwrap();
    let error = label(folder.path(), &elsewhere(folder.path(), 1, 16), "labels", job).unwrap_err();
    assert!(swath::with_causes(&error).contains("fell off the bus"), "{error}");
    assert!(!folder.path().join("labels.tif").exists());
    // Of its twenty tiles, the first three rows of five were stitched and noted; the last row and the one that it overlaps are left.
    label(folder.path(), &elsewhere(folder.path(), 1, 10), "labels", job).unwrap();
    let bytes = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(bytes("labels.tif") == bytes("whole.tif"));
}
