//! Several rasters at once.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::{Outcome, Summary};
use crate::plan::Plan;
use crate::{Error, Observer, Result, remote};

/// How many failures a batch bears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patience {
    /// All other rasters are tried, whatever happens.
    #[default]
    Endless,
    /// No further raster is begun when more than so many have failed.
    Failures(usize),
}

/// Hears what becomes of a batch's scenes or volumes. Called from several threads.
pub trait BatchObserver: Sync {
    /// One was planned and is now labelled.
    fn started(&self, _name: &str, _plan: &Plan) {}

    /// A tile of some raster is done, and with it so many pixels.
    fn tile_done(&self, _pixels: usize) {}

    /// This is what became of one.
    fn ended(&self, _name: &str, _outcome: &Outcome) {}

    /// Whether to stop now. Rasters that are being labelled stay resumable.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// One of the rasters of a batch.
pub(crate) struct Entry<T> {
    /// What it is called to the user.
    pub(crate) name: String,
    pub(crate) raster: T,
}

/// How the rasters of a batch are worked at. Each passes through phases that wait for a store, or keep one core busy, while others compute.
pub(crate) struct Lanes<'a> {
    /// Rasters at once.
    pub(crate) jobs: NonZeroUsize,
    pub(crate) patience: Patience,
    pub(crate) observer: &'a dyn BatchObserver,
}

impl Lanes<'_> {
    /// Calls `label` for each, in order, until there are none left, too many failed, or the observer cancels.
    pub(crate) fn run<T: Send>(&self, entries: Vec<Entry<T>>, label: impl Fn(&str, T) -> Result<Outcome> + Sync) -> Summary {
        let started = Instant::now();
        let before = remote::traffic();
        let all = entries.len();
        let (queue, summary) = (Mutex::new(entries.into_iter()), Mutex::new(Summary::default()));
        let is_enough = AtomicBool::new(false);
        let lane = || {
            while !is_enough.load(Ordering::Relaxed) && !self.observer.is_cancelled() {
                // Only a lane that panicked leaves no lock, and its panic is passed on by the scope.
                let Some(Entry { name, raster }) = queue.lock().ok().and_then(|mut queue| queue.next()) else { return };
                let outcome = match label(&name, raster) {
                    Ok(outcome) => outcome,
                    Err(Error::Cancelled { .. }) => return,
                    Err(error) => Outcome::Failed(error),
                };
                self.observer.ended(&name, &outcome);
                let Ok(mut summary) = summary.lock() else { return };
                summary.add(name, outcome);
                if let Patience::Failures(most) = self.patience
                    && summary.failed.len() > most
                {
                    is_enough.store(true, Ordering::Relaxed);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..self.jobs.get().min(all) {
                scope.spawn(lane);
            }
        });
        let mut summary = summary.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        summary.left = all - summary.done - summary.skipped - summary.failed.len();
        summary.elapsed = started.elapsed();
        summary.traffic = remote::traffic() - before;
        summary
    }
}

/// Passes a raster's progress on to the batch.
pub(crate) struct Tally<'a>(pub(crate) &'a dyn BatchObserver);

impl Observer for Tally<'_> {
    fn tile_done(&self, pixels: usize) {
        self.0.tile_done(pixels);
    }

    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}
