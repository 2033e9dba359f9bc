//! Source to sink: reading, inference, stitching and writing, side by side.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};
use swath_models::{Executor, Scaling, Shape, Tensor};
use swath_tiling::{Block, Mosaic, Tile, TileGrid, Window};

use crate::plan::{Layout, Plan};
use crate::source::{Patch, RasterSource, WindowReader, read_extended};
use crate::{Error, Result};

/// Patches that each reading thread has ready for the network.
pub(crate) const PATCHES_AHEAD: usize = 1;

/// Tiles whose scores wait to be stitched.
pub(crate) const SCORES_AHEAD: usize = 1;

/// Finished scores of a part of the scene.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Which pixels.
    pub window: Window,
    /// Probabilities `(classes, height, width)`, finite wherever `valid`.
    pub scores: Vec<f32>,
    /// Whether each pixel is valid, `(height, width)`.
    pub valid: Vec<bool>,
}

/// What a run is told while it runs.
pub trait Observer: Sync {
    /// A tile has been stitched; `pixels` of the output are finished with it.
    fn tile_done(&self, pixels: usize);

    /// Whether the run should stop.
    fn is_cancelled(&self) -> bool;
}

/// Nobody watches.
#[derive(Clone, Copy, Debug)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn tile_done(&self, _pixels: usize) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Runs a plan: reads the tiles, runs the network on them, stitches their scores, and hands every pixel to `sink` once.
///
/// Readers work ahead, each with a handle of its own; the network runs on a pool of the plan's threads, one tile after the other; stitching and
/// `sink` run on a thread of their own. Tiles are stitched in grid order, so the result does not depend on timing. The first error stops all of
/// them.
///
/// # Errors
/// If a window cannot be read, a score is not a number, the sink fails, or the observer cancels.
pub fn run(
    source: &dyn RasterSource,
    executor: &dyn Executor,
    scaling: &[Scaling],
    plan: &Plan,
    observer: &dyn Observer,
    mut sink: impl FnMut(Scores) -> Result<()> + Send,
) -> Result<()> {
    let pool = ThreadPoolBuilder::new().num_threads(plan.threads).build()?;
    for swath in &plan.swaths {
        run_swath(&Run { source, executor, scaling, plan, observer, pool: &pool }, swath, &mut sink)?;
    }
    Ok(())
}

/// What all stages of a run share.
struct Run<'a> {
    source: &'a dyn RasterSource,
    executor: &'a dyn Executor,
    scaling: &'a [Scaling],
    plan: &'a Plan,
    observer: &'a dyn Observer,
    /// Where the network runs.
    pool: &'a ThreadPool,
}

/// A tile as it was read, scaled for the network.
struct Input {
    tile: Tile,
    pixels: Vec<f32>,
    valid: Vec<bool>,
}

/// A tile with the network's scores; none if it has no valid pixel.
struct Predicted {
    tile: Tile,
    scores: Option<Tensor>,
    valid: Vec<bool>,
}

fn run_swath(run: &Run<'_>, swath: &TileGrid, sink: &mut (dyn FnMut(Scores) -> Result<()> + Send)) -> Result<()> {
    let stop = AtomicBool::new(false);
    let readers = run.plan.readers.min(swath.len());
    thread::scope(|scope| {
        // Reader k reads tiles k, k + readers, ... into a channel of its own: taking from the channels in turn gives grid order.
        let inputs: Vec<Receiver<Result<Input>>> = (0..readers)
            .map(|first| {
                let (send, receive) = sync_channel(PATCHES_AHEAD);
                let tiles = (first..swath.len()).step_by(readers).map(|index| swath.tile(index));
                scope.spawn({
                    let stop = &stop;
                    move || read(run, tiles, &send, stop)
                });
                receive
            })
            .collect();
        let (send, predicted) = sync_channel(SCORES_AHEAD);
        let stitching = scope.spawn(move || stitch(run, swath, &predicted, sink));
        let predicting = predict(run, swath, &inputs, &send);
        stop.store(true, Ordering::Relaxed);
        // Closed channels let the other stages end.
        drop((inputs, send));
        let stitched = stitching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // If stitching failed, the network only knows that nobody listens any more.
        stitched.and(predicting)
    })
}

/// Reads and scales tiles until there are no more, one fails, or nobody listens.
fn read(run: &Run<'_>, tiles: impl Iterator<Item = Tile>, send: &SyncSender<Result<Input>>, stop: &AtomicBool) {
    let mut reader = match run.source.reader() {
        Ok(reader) => reader,
        Err(error) => return drop(send.send(Err(error))),
    };
    for tile in tiles {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let input = read_tile(run, reader.as_mut(), tile);
        let failed = input.is_err();
        if send.send(input).is_err() || failed {
            return;
        }
    }
}

fn read_tile(run: &Run<'_>, reader: &mut dyn WindowReader, tile: Tile) -> Result<Input> {
    let Layout { raster, .. } = run.plan.layout;
    let Patch { mut pixels, valid, .. } = read_extended(reader, raster, run.plan.layout.reach(&tile))?;
    for (band, scaling) in pixels.chunks_exact_mut(valid.len()).zip(run.scaling) {
        scaling.apply(band);
        // Values without meaning must not reach their neighbours through the network: it sees zeros instead, as it does beyond its own padding.
        band.iter_mut().zip(&valid).filter(|(_, valid)| !**valid).for_each(|(x, _)| *x = 0.0);
    }
    Ok(Input { tile, pixels, valid })
}

/// Runs the network on the tiles in grid order.
fn predict(run: &Run<'_>, swath: &TileGrid, inputs: &[Receiver<Result<Input>>], send: &SyncSender<Predicted>) -> Result<()> {
    let shape = Shape { channels: run.executor.graph().input_channels(), extent: run.plan.layout.input };
    for index in 0..swath.len() {
        if run.observer.is_cancelled() {
            return Err(Error::Cancelled { path: run.source.profile().path.clone() });
        }
        // A reader ends early only after it sent its error, which was returned then.
        let Ok(input) = inputs[index % inputs.len()].recv() else { return Ok(()) };
        let Input { tile, pixels, valid } = input?;
        let scores = if valid.contains(&true) {
            let path = || run.source.profile().path.clone();
            let tensor = Tensor::new(shape, pixels).and_then(|tensor| run.pool.install(|| run.executor.run(tensor)));
            Some(tensor.map_err(|source| Error::Network { path: path(), window: tile.window, source })?)
        } else {
            None
        };
        if send.send(Predicted { tile, scores, valid }).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Stitches the tiles in the order in which they come, and hands on what is finished.
fn stitch(
    run: &Run<'_>,
    swath: &TileGrid,
    predicted: &Receiver<Predicted>,
    sink: &mut (dyn FnMut(Scores) -> Result<()> + Send),
) -> Result<()> {
    let mut mosaic = Mosaic::new(swath, run.executor.graph().output_channels(), run.plan.layout.blend);
    let mut stitched = 0;
    for Predicted { tile, scores, valid } in predicted {
        let block = mosaic.feed(&tile, scores.as_ref().map(Tensor::data))?;
        let pixels = block.as_ref().map_or(0, |block| block.window.area());
        if let Some(block) = block {
            sink(finished(run, &tile, block, &valid)?)?;
        }
        stitched += 1;
        run.observer.tile_done(pixels);
    }
    // Fewer tiles mean that an earlier stage failed, and says so.
    if stitched == swath.len() { Ok(mosaic.finish()?) } else { Ok(()) }
}

/// A block with its pixels' validity; a valid pixel without a finite score is an error.
fn finished(run: &Run<'_>, tile: &Tile, block: Block, valid: &[bool]) -> Result<Scores> {
    let Block { window, scores } = block;
    let (row, column) = run.plan.layout.offset(tile, window);
    let stride = run.plan.layout.input.x;
    let rows = (row..row + window.height).map(|y| &valid[y * stride + column..y * stride + column + window.width]);
    let valid: Vec<bool> = rows.flatten().copied().collect();
    for (class, plane) in scores.chunks_exact(window.area()).enumerate() {
        let wrong = |(at, score): &(usize, &f32)| valid[*at] && !score.is_finite();
        if let Some((at, score)) = plane.iter().enumerate().find(wrong) {
            let (x, y) = (window.x + at % window.width, window.y + at / window.width);
            return Err(Error::NotFinite { path: run.source.profile().path.clone(), class, score: *score, x, y });
        }
    }
    Ok(Scores { window, scores, valid })
}
