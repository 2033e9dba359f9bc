//! All stages together.

use std::thread;
use std::time::Instant;

use rayon::{ThreadPool, ThreadPoolBuilder};
use swath_models::{Executor, Scaling};
use swath_tiling::TileGrid;

use super::sink::RowSink;
use super::stitch::stitch;
use super::{Observer, Scores, card, compute, read};
use crate::clocks::Clocks;
use crate::plan::Plan;
use crate::source::RasterSource;
use crate::{Result, Timings};

/// Runs a plan: reads the tiles, runs the network on them, stitches their scores, and hands every pixel to `sink` once. Returns where the time
/// went.
///
/// Readers work ahead, each with a handle of its own; workers compute one tile at a time, each on a pool of its own; stitching and `sink` run on a
/// thread of their own. Tiles are stitched in grid order, so the result does not depend on timing. The first error in that order stops all of them.
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
) -> Result<Timings> {
    run_to(source, executor, scaling, plan, observer, &mut sink)
}

/// The same, to a sink that may take labels.
pub(crate) fn run_to(
    source: &dyn RasterSource,
    executor: &dyn Executor,
    scaling: &[Scaling],
    plan: &Plan,
    observer: &dyn Observer,
    sink: &mut dyn RowSink,
) -> Result<Timings> {
    let started = Instant::now();
    let pool = |threads| Ok(ThreadPoolBuilder::new().num_threads(threads).build()?);
    // Cards need no threads to compute.
    let pools = if plan.card.is_some() { Vec::new() } else { plan.worker_threads().map(pool).collect::<Result<_>>()? };
    let run = Run { source, executor, scaling, plan, observer, pools, clocks: Clocks::default() };
    for swath in &plan.swaths {
        match &plan.card {
            Some(card) => card::run(&run, card, swath, sink)?,
            None => run.swath(swath, sink)?,
        }
    }
    Ok(run.clocks.timings(plan, started.elapsed()))
}

/// What all stages of a run share.
pub(super) struct Run<'a> {
    pub(super) source: &'a dyn RasterSource,
    pub(super) executor: &'a dyn Executor,
    pub(super) scaling: &'a [Scaling],
    pub(super) plan: &'a Plan,
    pub(super) observer: &'a dyn Observer,
    /// Where the network runs: one for each worker.
    pub(super) pools: Vec<ThreadPool>,
    pub(super) clocks: Clocks,
}

impl Run<'_> {
    /// Whoever ends, for an error or because all is done, closes its channels, and so ends the stages beside it.
    fn swath(&self, swath: &TileGrid, sink: &mut dyn RowSink) -> Result<()> {
        thread::scope(|scope| {
            let promises = compute::start(scope, self, swath, read::start(scope, self, swath, self.plan.readers, read::scaled));
            let stitching = scope.spawn(move || stitch(self, swath, &promises, sink));
            stitching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
