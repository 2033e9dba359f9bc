//! Workers that run the network.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::Scope;
use std::time::Instant;

use swath_models::{Axes, Shape, Tensor};
use swath_tiling::{Tile, TileGrid};

use super::read::Input;
use super::run::Run;
use crate::{Error, Result};

/// Most tiles that are computed, wait to be stitched, or are stitched: half as many wait as are computed, so that workers go on while a row is written.
pub(crate) fn in_flight(workers: usize) -> usize {
    workers + workers.div_ceil(2) + 1
}

/// A tile with the network's scores; none if it has no valid pixel.
pub(super) struct Predicted {
    pub(super) tile: Tile,
    pub(super) scores: Option<Tensor>,
    pub(super) valid: Vec<bool>,
}

/// The result of one tile, once it is there.
pub(super) type Promise = Receiver<Result<Predicted>>;

/// Starts the workers. Each computes one tile at a time, the next one in grid order; the promises of their results come in grid order, too.
pub(super) fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    run: &'scope Run<'_>,
    swath: &TileGrid,
    inputs: Vec<Receiver<Result<Input>>>,
) -> Receiver<Promise> {
    // One promise more is in the hands of who stitches.
    let (send, promises) = sync_channel(in_flight(run.plan.workers) - 1);
    let queue = Arc::new(Mutex::new(Queue { inputs, promises: send, next: 0, tiles: swath.len() }));
    for pool in run.pools.iter().take(swath.len()) {
        let queue = Arc::clone(&queue);
        // The loop itself runs in the pool, so that no tile is handed from thread to thread.
        scope.spawn(move || pool.install(|| work(run, &queue)));
    }
    promises
}

/// Computes tiles until there are no more, one fails, or nobody listens.
fn work(run: &Run<'_>, queue: &Mutex<Queue>) {
    while let Some(Job { input, promise }) = take(run, queue) {
        let predicted = input.and_then(|input| predict(run, input));
        let failed = predicted.is_err();
        if (promise.send(predicted).is_err() || failed)
            && let Ok(mut queue) = queue.lock()
        {
            queue.close();
        }
    }
}

/// A tile to compute, or why it cannot be, and where its result goes.
struct Job {
    input: Result<Input>,
    promise: SyncSender<Result<Predicted>>,
}

/// What the workers take their tiles from.
struct Queue {
    /// Those of each reader.
    inputs: Vec<Receiver<Result<Input>>>,
    /// Its bound is what keeps the number of tiles in flight.
    promises: SyncSender<Promise>,
    next: usize,
    tiles: usize,
}

impl Queue {
    /// Gives no more tiles.
    fn close(&mut self) {
        self.next = self.tiles;
    }
}

/// Waits for room and for the next tile. None if all were taken or the run has ended.
fn take(run: &Run<'_>, queue: &Mutex<Queue>) -> Option<Job> {
    let started = Instant::now();
    // Only if another worker panicked here is there no lock, and the run at its end.
    let mut queue = queue.lock().ok()?;
    if queue.next == queue.tiles {
        return None;
    }
    let locked = Instant::now();
    let (promise, receive) = sync_channel(1);
    queue.promises.send(receive).ok()?;
    let has_room = Instant::now();
    let input = if run.observer.is_cancelled() {
        Err(Error::Cancelled { path: run.source.profile().path.clone() })
    } else {
        // A reader ends early only after it sent its error, which was taken then.
        queue.inputs[queue.next % queue.inputs.len()].recv().ok()?
    };
    match &input {
        Ok(_) => queue.next += 1,
        Err(_) => queue.close(),
    }
    drop(queue);
    let (room, received) = (has_room - locked, has_room.elapsed());
    let clocks = &run.clocks.network;
    clocks.blocked.add(room);
    clocks.starved.add(received);
    // Those who had the lock before waited for what this worker had to wait for, too.
    let waited = if room > received { &clocks.blocked } else { &clocks.starved };
    waited.add(locked - started);
    Some(Job { input, promise })
}

fn predict(run: &Run<'_>, Input { tile, pixels, valid }: Input) -> Result<Predicted> {
    if !valid.contains(&true) {
        return Ok(Predicted { tile, scores: None, valid });
    }
    let shape = Shape { channels: run.executor.input_channels(), extent: run.plan.layout.input };
    let layout = &run.plan.layout;
    let path = &run.source.profile().path;
    let network = |pixels| {
        let scores = Tensor::new(shape, pixels).and_then(|input| run.executor.run(input));
        scores.map_err(|source| Error::Network { path: path.clone(), window: tile.window, source })
    };
    let compute = || {
        let Some(crf) = &run.plan.refine.crf else { return network(pixels) };
        let Axes { y: row, x: column, .. } = layout.offset(&tile, tile.window);
        let colours = crf.colours(&pixels, layout.input, tile.window, (row, column));
        let scores = network(pixels)?;
        let rows = (row..row + tile.window.height).map(|y| &valid[y * layout.input.x + column..][..tile.window.width]);
        crf.refine(path, scores, tile.window, &colours, &rows.flatten().copied().collect::<Vec<_>>())
    };
    let scores = run.clocks.network.busy.time(compute)?;
    run.clocks.tiles.fetch_add(1, Ordering::Relaxed);
    Ok(Predicted { tile, scores: Some(scores), valid })
}
