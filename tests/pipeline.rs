//! The pipeline with sources, executors and sinks in memory: what is not run, and what fails in the middle.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]
#![expect(clippy::float_cmp, reason = "scores are the source's values, unchanged")]

mod common;

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use common::{Raster, difference};
use gdal::raster::GdalDataType;
use swath::plan::{BlendChoice, Plan, PlanRequest};
use swath::source::{BandProfile, BandRequest, Patch, RasterProfile, RasterSource, Scene, WindowReader};
use swath::{Error, Georeference, NoObserver, Observer, Result, Scores};
use swath_models::{Arithmetic, Builder, Conv, Executor, Extent, Graph, Rank, Scaling, Scope, Shape, Tensor};
use swath_tiling::{Size, Window};
use tempfile::TempDir;

/// 8 columns and 6 rows of tiles of 32 without overlap.
const SIZE: Size = Size { depth: 1, height: 192, width: 256 };
const TILE: usize = 32;
const TILES: usize = 48;

/// A band in memory. Reading the `fail`-th tile fails.
struct Memory {
    profile: RasterProfile,
    pixels: Vec<f32>,
    reads: AtomicUsize,
    fail: Option<usize>,
}

impl Memory {
    fn new(fail: Option<usize>) -> Self {
        let band = BandProfile { description: None, colour: None, data_type: GdalDataType::Float32, nodata: None, bytes: 4 };
        let profile = RasterProfile {
            path: "memory".into(),
            size: SIZE,
            bands: vec![band],
            georeference: Georeference::default(),
            block: Size::plane(64, 64),
            block_bytes: 1 << 20,
            acquired: None,
        };
        Self { profile, pixels: Raster::noise(1, SIZE).bands.swap_remove(0), reads: AtomicUsize::new(0), fail }
    }
}

impl RasterSource for Memory {
    fn profile(&self) -> &RasterProfile {
        &self.profile
    }

    fn reader(&self) -> Result<Box<dyn WindowReader + '_>> {
        Ok(Box::new(MemoryReader(self)))
    }
}

struct MemoryReader<'m>(&'m Memory);

impl WindowReader for MemoryReader<'_> {
    fn read(&mut self, window: Window) -> Result<Patch> {
        // Tiles of this file do not overlap: each has one place in grid order, whichever reader comes first.
        let index = window.y / TILE * (SIZE.width / TILE) + window.x / TILE;
        self.0.reads.fetch_add(1, Ordering::Relaxed);
        if self.0.fail == Some(index) {
            return Err(broken("read"));
        }
        let rows = (window.y..window.y + window.height).map(|y| y * SIZE.width + window.x);
        let pixels: Vec<f32> = rows.flat_map(|start| self.0.pixels[start..start + window.width].iter().copied()).collect();
        Ok(Patch { window, valid: vec![true; pixels.len()], pixels })
    }
}

/// A fault that names where it was put.
fn broken(action: &'static str) -> Error {
    Error::File { action, path: "fault".into(), source: io::ErrorKind::Other.into() }
}

/// Gives its input as its scores, and fails when it is called for the `fail`-th time.
struct Echo {
    graph: Graph,
    calls: AtomicUsize,
    fail: Option<usize>,
}

impl Echo {
    fn new(fail: Option<usize>) -> Self {
        let mut builder = Builder::new("echo", Rank::Planar, 1);
        let input = builder.input();
        let output = builder.conv(input, &Scope::root("head"), Conv::square(1, 1)).node();
        Self { graph: builder.build(output).unwrap(), calls: AtomicUsize::new(0), fail }
    }
}

impl Executor for Echo {
    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::default()
    }

    fn run(&self, tile: Tensor) -> swath_models::Result<Tensor> {
        if self.fail == Some(self.calls.fetch_add(1, Ordering::Relaxed)) {
            return Err(swath_models::Error::MissingTensor { tensor: "fault".into() });
        }
        Ok(tile)
    }

    fn peak_bytes(&self, tile: Extent, _threads: usize) -> swath_models::Result<usize> {
        Ok(2 * Shape { channels: 1, extent: tile }.bytes())
    }

    fn resident_bytes(&self) -> usize {
        0
    }
}

/// Cancels after a number of tiles.
struct Cancel {
    done: AtomicUsize,
    after: usize,
}

impl Observer for Cancel {
    fn tile_done(&self, _pixels: usize) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.done.load(Ordering::Relaxed) >= self.after
    }
}

/// A plan for `SIZE` without overlap.
fn plan(threads: usize) -> Plan {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("scene.tif");
    Raster { size: SIZE, bands: vec![vec![1.0; SIZE.area()]] }.write(&path, None);
    plan_for(&Scene::open(&path, &[BandRequest::Number(1)]).unwrap(), threads)
}

fn plan_for(scene: &Scene, threads: usize) -> Plan {
    let request =
        PlanRequest { tile: Some(TILE), overlap: Some(0), blend: BlendChoice::Crop, ..PlanRequest::new(1 << 40, threads) };
    let plan = Plan::new(scene, &Echo::new(None), &request).unwrap();
    assert_eq!(plan.tiles(), TILES);
    plan
}

/// What `work` returns, if it returns within a minute.
fn within_a_minute<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = channel();
    let worker = thread::spawn(move || send.send(work()));
    let answer = receive.recv_timeout(Duration::from_mins(1)).unwrap_or_else(|error| panic!("{what}: {error}"));
    worker.join().unwrap().unwrap();
    answer
}

/// First, middle and last of the tiles, and those beside them.
const PLACES: [usize; 6] = [0, 1, 2, TILES / 2, TILES - 2, TILES - 1];

/// How a run ended.
struct Ended {
    result: Result<()>,
    reads: usize,
    calls: usize,
    /// Windows that reached the sink.
    written: usize,
}

/// Where a run fails.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Reader(usize),
    Executor(usize),
    Sink(usize),
    /// The observer cancels after so many tiles.
    Observer(usize),
}

fn run(fault: Fault, threads: usize) -> Ended {
    within_a_minute(&format!("{fault:?}, {threads} threads"), move || {
        let source = Memory::new(if let Fault::Reader(at) = fault { Some(at) } else { None });
        let executor = Echo::new(if let Fault::Executor(at) = fault { Some(at) } else { None });
        let observer = Cancel { done: AtomicUsize::new(0), after: if let Fault::Observer(at) = fault { at } else { usize::MAX } };
        let mut written = 0;
        let result = swath::run(&source, &executor, &[Scaling::None], &plan(threads), &observer, |_| {
            if matches!(fault, Fault::Sink(at) if at == written) {
                return Err(broken("write"));
            }
            written += 1;
            Ok(())
        });
        Ended { result, reads: source.reads.into_inner(), calls: executor.calls.into_inner(), written }
    })
}

#[test]
fn a_run_without_faults_hands_on_every_pixel_once() {
    for threads in [1, 2, 4] {
        let (source, executor) = (Memory::new(None), Echo::new(None));
        let mut scores = vec![f32::NAN; SIZE.area()];
        let mut order = Vec::new();
        swath::run(&source, &executor, &[Scaling::Scale { value: 2.0 }], &plan(threads), &NoObserver, |part: Scores| {
            let Window { x, y, width, .. } = part.window;
            order.push((y, x));
            for (row, line) in part.scores.chunks_exact(width).enumerate() {
                let start = (y + row) * SIZE.width + x;
                assert!(scores[start..start + width].iter().all(|score| score.is_nan()), "{} twice", part.window);
                scores[start..start + width].copy_from_slice(line);
            }
            Ok(())
        })
        .unwrap();
        let expected: Vec<f32> = source.pixels.iter().map(|x| x / 2.0).collect();
        assert_eq!(difference(&scores, &expected), 0.0);
        assert!(order.is_sorted(), "not in grid order: {order:?}");
        assert_eq!((source.reads.into_inner(), executor.calls.into_inner()), (TILES, TILES));
    }
}

#[test]
fn a_reader_that_fails_stops_the_run() {
    for (place, threads) in PLACES.into_iter().flat_map(|place| [1, 2, 4].map(|threads| (place, threads))) {
        let Ended { result, calls, written, .. } = run(Fault::Reader(place), threads);
        let error = result.unwrap_err();
        assert!(matches!(error, Error::File { action: "read", .. }), "window {place}: {error}");
        assert_eq!(calls, place, "tiles before the fault are run, and none after it");
        assert!(written <= place);
    }
}

#[test]
fn an_executor_that_fails_stops_the_run() {
    for (place, threads) in PLACES.into_iter().flat_map(|place| [1, 2, 4].map(|threads| (place, threads))) {
        let Ended { result, calls, written, reads } = run(Fault::Executor(place), threads);
        let tile = plan(1).layout.grid.tile(place).window;
        match result.unwrap_err() {
            Error::Network { window, source: swath_models::Error::MissingTensor { .. }, .. } => assert_eq!(window, tile),
            error => panic!("tile {place}: {error}"),
        }
        assert_eq!(calls, place + 1);
        assert!(written <= place);
        // One in the channel and one in hand for each reader.
        assert!(reads <= place + 1 + 2 * threads, "{reads} windows read for {place} tiles");
    }
}

#[test]
fn a_sink_that_fails_stops_the_run() {
    for (place, threads) in PLACES.into_iter().flat_map(|place| [1, 2, 4].map(|threads| (place, threads))) {
        let Ended { result, calls, written, .. } = run(Fault::Sink(place), threads);
        let error = result.unwrap_err();
        assert!(matches!(error, Error::File { action: "write", .. }), "block {place}: {error}");
        assert_eq!(written, place);
        // One tile waits to be stitched and one is computed meanwhile.
        assert!(calls <= place + 4, "{calls} tiles were run for {place} blocks");
    }
}

#[test]
fn a_cancelled_run_stops() {
    for (after, threads) in [0, 1, TILES / 2, TILES - 4].into_iter().flat_map(|after| [1, 2, 4].map(|threads| (after, threads))) {
        let Ended { result, calls, written, .. } = run(Fault::Observer(after), threads);
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Cancelled { .. }), "after {after} tiles: {error}");
        assert!(calls <= after + 4, "{calls} tiles were run after a cancel at {after}");
        assert!(written <= calls);
    }
}

#[test]
fn tiles_without_valid_pixels_are_not_run() {
    let nodata = -7.0;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("scene.tif");
    // Left of a slanted line that cuts through tiles there is no data; a single pixel in the emptiness has some.
    let lonely = (3, 170);
    let is_valid = |x: usize, y: usize| x > 100 + y / 3 || (x, y) == lonely;
    let mut raster = Raster::noise(1, SIZE);
    for (at, value) in raster.bands[0].iter_mut().enumerate() {
        if !is_valid(at % SIZE.width, at / SIZE.width) {
            *value = nodata as f32;
        }
    }
    raster.write(&path, Some(nodata));
    let scene = Scene::open(&path, &[BandRequest::Number(1)]).unwrap();

    let columns = |tile: Range<usize>, y: usize| tile.filter(|x| is_valid(*x, y)).count();
    let has_data =
        |window: Window| (window.y..window.y + window.height).any(|y| columns(window.x..window.x + window.width, y) > 0);
    let plan = plan_for(&scene, 2);
    let expected = plan.layout.grid.tiles().filter(|tile| has_data(tile.window)).count();
    assert!((TILES / 3..TILES * 3 / 4).contains(&expected), "{expected} tiles have data");

    let executor = Echo::new(None);
    let mut pixels = 0;
    swath::run(&scene, &executor, &[Scaling::None], &plan, &NoObserver, |part: Scores| {
        let Window { x, y, width, .. } = part.window;
        for (at, (valid, score)) in part.valid.iter().zip(&part.scores).enumerate() {
            let (x, y) = (x + at % width, y + at / width);
            assert_eq!(*valid, is_valid(x, y), "column {x}, row {y}");
            assert!(!valid || *score == raster.bands[0][y * SIZE.width + x]);
        }
        pixels += part.valid.len();
        Ok(())
    })
    .unwrap();
    assert_eq!(pixels, SIZE.area());
    assert_eq!(executor.calls.into_inner(), expected);
}
