//! The pipeline with sources, executors and sinks in memory: what is not run, and what fails in the middle.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]
#![expect(clippy::float_cmp, reason = "scores are the source's values, unchanged")]

mod common;

use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
const COLUMNS: usize = 8;
const TILES: usize = 48;

/// Threads and workers: one tile over all threads, one per thread, and between.
const MODES: [Mode; 7] =
    [Mode::new(1, 1), Mode::new(2, 1), Mode::new(2, 2), Mode::new(4, 1), Mode::new(4, 2), Mode::new(4, 3), Mode::new(4, 4)];

#[derive(Clone, Copy, Debug)]
struct Mode {
    threads: usize,
    workers: usize,
}

impl Mode {
    const fn new(threads: usize, workers: usize) -> Self {
        Self { threads, workers }
    }

    /// Tiles that may be computed or wait to be stitched while one is stitched: one in the hands and one behind each worker.
    const fn ahead(self) -> usize {
        2 * self.workers
    }
}

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
        let mut pixels = Raster::noise(1, SIZE).bands.swap_remove(0);
        for index in 0..TILES {
            let (row, column) = (index / COLUMNS, index % COLUMNS);
            // By which an executor knows the tile.
            pixels[(row * SIZE.width + column) * TILE] = index as f32;
        }
        Self { profile, pixels, reads: AtomicUsize::new(0), fail }
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
        Ok(Patch { window, valid: vec![true; pixels.len()], pixels, wanted: None })
    }
}

/// A fault that names where it was put.
fn broken(action: &'static str) -> Error {
    Error::File { action, path: "fault".into(), source: io::ErrorKind::Other.into() }
}

/// What an executor does with a tile instead of computing it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    Fail,
    Panic,
    Dawdle,
}

/// Gives its input as its scores. On some of the tiles there is trouble.
struct Echo {
    graph: Graph,
    calls: AtomicUsize,
    /// Tiles that the sink has seen.
    written: AtomicUsize,
    /// Most tiles that were computed beyond those.
    most_ahead: AtomicUsize,
    trouble: Option<(Trouble, Range<usize>)>,
}

impl Echo {
    fn new(trouble: Option<(Trouble, Range<usize>)>) -> Self {
        let mut builder = Builder::new("echo", Rank::Planar, 1);
        let input = builder.input();
        let output = builder.conv(input, &Scope::root("head"), Conv::square(1, 1)).node();
        let [calls, written, most_ahead] = [const { AtomicUsize::new(0) }; 3];
        Self { graph: builder.build(output).unwrap(), calls, written, most_ahead, trouble }
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
        let ahead = self.calls.fetch_add(1, Ordering::SeqCst) - self.written.load(Ordering::SeqCst);
        self.most_ahead.fetch_max(ahead, Ordering::SeqCst);
        match &self.trouble {
            Some((trouble, tiles)) if tiles.contains(&(tile.data()[0] as usize)) => match trouble {
                Trouble::Fail => Err(swath_models::Error::MissingTensor { tensor: "fault".into() }),
                Trouble::Panic => panic!("fault"),
                Trouble::Dawdle => {
                    thread::sleep(Duration::from_millis(100));
                    Ok(tile)
                }
            },
            _ => Ok(tile),
        }
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
fn plan(mode: Mode) -> Plan {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("scene.tif");
    Raster { size: SIZE, bands: vec![vec![1.0; SIZE.area()]] }.write(&path, None);
    plan_for(&Scene::open(&path, &[BandRequest::Number(1)]).unwrap(), mode, TILE)
}

fn plan_for(scene: &Scene, mode: Mode, tile: usize) -> Plan {
    let request = PlanRequest {
        tile: Some(tile),
        overlap: Some(0),
        blend: BlendChoice::Crop,
        workers: Some(mode.workers),
        ..PlanRequest::new(1 << 40, mode.threads)
    };
    let plan = Plan::new(scene, &Echo::new(None), &request).unwrap();
    assert_eq!((plan.workers, plan.worker_threads().sum::<usize>()), (mode.workers, mode.threads));
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
    /// The executor fails on this tile and all after it.
    Executor(usize),
    Sink(usize),
    /// The observer cancels after so many tiles.
    Observer(usize),
}

fn run(fault: Fault, mode: Mode) -> Ended {
    within_a_minute(&format!("{fault:?}, {mode:?}"), move || {
        let source = Memory::new(if let Fault::Reader(at) = fault { Some(at) } else { None });
        let executor = Echo::new(if let Fault::Executor(at) = fault { Some((Trouble::Fail, at..TILES)) } else { None });
        let observer = Cancel { done: AtomicUsize::new(0), after: if let Fault::Observer(at) = fault { at } else { usize::MAX } };
        let mut written = 0;
        let result = swath::run(&source, &executor, &[Scaling::None], &plan(mode), &observer, |_| {
            if matches!(fault, Fault::Sink(at) if at == written) {
                return Err(broken("write"));
            }
            written += 1;
            Ok(())
        });
        Ended { result: result.map(|_| ()), reads: source.reads.into_inner(), calls: executor.calls.into_inner(), written }
    })
}

/// Every place in every mode.
fn cases<const N: usize>(places: [usize; N]) -> impl Iterator<Item = (usize, Mode)> {
    places.into_iter().flat_map(|place| MODES.map(|mode| (place, mode)))
}

#[test]
fn a_run_without_faults_hands_on_every_pixel_once() {
    for mode in MODES {
        let (source, executor) = (Memory::new(None), Echo::new(None));
        let mut scores = vec![f32::NAN; SIZE.area()];
        let mut order = Vec::new();
        swath::run(&source, &executor, &[Scaling::Scale { value: 2.0 }], &plan(mode), &NoObserver, |part: Scores| {
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
    for (place, mode) in cases(PLACES) {
        let Ended { result, calls, written, .. } = run(Fault::Reader(place), mode);
        let error = result.unwrap_err();
        assert!(matches!(error, Error::File { action: "read", .. }), "window {place}: {error}");
        assert_eq!((calls, written), (place, place), "tiles before the fault are run, and none after it");
    }
}

#[test]
fn an_executor_that_fails_stops_the_run() {
    for (place, mode) in cases(PLACES) {
        let Ended { result, calls, written, reads } = run(Fault::Executor(place), mode);
        let tile = plan(mode).layout.grid.tile(place).window;
        match result.unwrap_err() {
            // Of several workers that fail, the first tile in grid order tells why.
            Error::Network { window, source: swath_models::Error::MissingTensor { .. }, .. } => assert_eq!(window, tile),
            error => panic!("tile {place}: {error}"),
        }
        assert_eq!(written, place);
        // Each worker finds out for itself, or hears of it before its next tile.
        assert!((place + 1..=place + mode.workers).contains(&calls), "{calls} tiles were run, {mode:?}");
        // One in the channel and one in hand for each reader.
        assert!(reads <= calls + 2 * mode.threads, "{reads} windows read for {calls} tiles");
    }
}

#[test]
fn a_sink_that_fails_stops_the_run() {
    for (place, mode) in cases(PLACES) {
        let Ended { result, calls, written, .. } = run(Fault::Sink(place), mode);
        let error = result.unwrap_err();
        assert!(matches!(error, Error::File { action: "write", .. }), "block {place}: {error}");
        assert_eq!(written, place);
        assert!(calls <= place + 1 + mode.ahead(), "{calls} tiles were run for {place} blocks, {mode:?}");
    }
}

#[test]
fn a_cancelled_run_stops() {
    for (after, mode) in cases([0, 1, TILES / 2, TILES - 10]) {
        let Ended { result, calls, written, .. } = run(Fault::Observer(after), mode);
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Cancelled { .. }), "after {after} tiles: {error}");
        assert!(calls <= after + 1 + mode.ahead(), "{calls} tiles were run after a cancel at {after}, {mode:?}");
        assert!(written <= calls);
    }
}

/// A worker that is gone must not be waited for.
#[test]
fn a_panic_in_a_worker_ends_the_run() {
    for (place, mode) in cases([0, TILES / 2, TILES - 1]) {
        let panicked = within_a_minute(&format!("tile {place}, {mode:?}"), move || {
            let (source, executor) = (Memory::new(None), Echo::new(Some((Trouble::Panic, place..place + 1))));
            let plan = plan(mode);
            let run = || swath::run(&source, &executor, &[Scaling::None], &plan, &NoObserver, |_| Ok(()));
            catch_unwind(AssertUnwindSafe(run)).is_err()
        });
        assert!(panicked, "tile {place}, {mode:?}");
    }
}

/// Workers must not run away from one that takes long: all that they compute waits in memory.
#[test]
fn tiles_in_flight_are_bounded() {
    for mode in MODES {
        let (source, executor) = (Memory::new(None), Echo::new(Some((Trouble::Dawdle, 10..11))));
        let sink = |_| {
            executor.written.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        swath::run(&source, &executor, &[Scaling::None], &plan(mode), &NoObserver, sink).unwrap();
        let most = executor.most_ahead.into_inner();
        assert!(most <= mode.ahead(), "{most} tiles ahead, {mode:?}");
        // A single worker is the one that takes long.
        assert!(mode.workers == 1 || most >= mode.workers, "the others do not go on: {most} tiles ahead, {mode:?}");
    }
}

#[test]
fn more_workers_than_tiles() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("scene.tif");
    let raster = Raster::noise(1, SIZE);
    raster.write(&path, None);
    let scene = Scene::open(&path, &[BandRequest::Number(1)]).unwrap();
    for (tile, tiles) in [(256, 1), (128, 4)] {
        let plan = plan_for(&scene, Mode::new(8, 8), tile);
        assert_eq!(plan.tiles(), tiles);
        let pixels = within_a_minute(&format!("tiles of {tile}"), {
            let scene = Scene::open(&path, &[BandRequest::Number(1)]).unwrap();
            move || {
                let mut pixels = 0;
                let sink = |part: Scores| {
                    pixels += part.valid.len();
                    Ok(())
                };
                swath::run(&scene, &Echo::new(None), &[Scaling::None], &plan, &NoObserver, sink).unwrap();
                pixels
            }
        });
        assert_eq!(pixels, SIZE.area());
    }
}

#[test]
fn workers_follow_from_threads_tiles_and_memory() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("scene.tif");
    Raster::noise(1, SIZE).write(&path, None);
    let scene = Scene::open(&path, &[BandRequest::Number(1)]).unwrap();
    let plan = |tile: usize, request: PlanRequest| {
        let request = PlanRequest { tile: Some(tile), overlap: Some(0), blend: BlendChoice::Crop, ..request };
        Plan::new(&scene, &Echo::new(None), &request)
    };
    let threads = |plan: &Plan| plan.worker_threads().collect::<Vec<_>>();
    // A tile for each thread, as long as there are many more tiles than threads.
    assert_eq!(threads(&plan(TILE, PlanRequest::new(1 << 40, 4)).unwrap()), [1; 4]);
    assert_eq!(threads(&plan(256, PlanRequest::new(1 << 40, 4)).unwrap()), [4]);
    // Three would compute two rounds of the four tiles, as two do.
    assert_eq!(threads(&plan(128, PlanRequest::new(1 << 40, 3)).unwrap()), [1, 2]);
    let forced = PlanRequest { workers: Some(3), ..PlanRequest::new(1 << 40, 8) };
    assert_eq!(threads(&plan(TILE, forced.clone()).unwrap()), [2, 3, 3]);
    for workers in [0, 9] {
        let error = plan(TILE, PlanRequest { workers: Some(workers), ..forced.clone() }).unwrap_err();
        assert!(matches!(error, Error::Workers { threads: 8, .. }), "{error}");
    }
    // Where memory is short, workers give way and tiles do not; more workers than fit are refused.
    let least = plan(TILE, PlanRequest::new(1 << 40, 1)).unwrap().memory.total();
    let short = plan(TILE, PlanRequest::new(least, 8)).unwrap();
    assert_eq!((short.workers, short.readers), (1, 1));
    let refused = plan(TILE, PlanRequest { workers: Some(8), ..PlanRequest::new(least, 8) });
    assert!(matches!(refused, Err(Error::Memory { .. })), "{refused:?}");
}

#[test]
fn timings_account_for_the_time() {
    for mode in MODES {
        let (source, executor) = (Memory::new(None), Echo::new(Some((Trouble::Dawdle, 0..4))));
        let sink = |_: Scores| {
            thread::sleep(Duration::from_millis(1));
            Ok(())
        };
        let timings = swath::run(&source, &executor, &[Scaling::None], &plan(mode), &NoObserver, sink).unwrap();
        assert!(timings.network.busy >= Duration::from_millis(400), "{timings:?}");
        assert!(timings.writing.busy >= Duration::from_millis(TILES as u64), "{timings:?}");
        assert_eq!((timings.network.threads, timings.network_pixels), (mode.workers, SIZE.area() as u64));
        for (name, stage) in timings.stages() {
            let most = timings.total * stage.threads as u32;
            assert!(stage.busy + stage.starved + stage.blocked <= most, "{name}: {timings:?}");
            assert!((0.0..=1.0).contains(&timings.share(stage)), "{name}: {timings:?}");
        }
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
    let plan = plan_for(&scene, Mode::new(2, 2), TILE);
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
