//! Measuring where the time of a run goes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::{Stage, Timings};

/// Nanoseconds, added up by any number of threads.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    /// Runs `work` and adds the time that it takes.
    pub(crate) fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = work();
        self.add(started.elapsed());
        result
    }

    pub(crate) fn add(&self, time: Duration) {
        self.0.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }

    /// What it shows; it begins anew.
    pub(crate) fn take(&self) -> Duration {
        Duration::from_nanos(self.0.swap(0, Ordering::Relaxed))
    }

    fn sum(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// The clocks of one stage.
#[derive(Debug, Default)]
pub(crate) struct StageClocks {
    pub(crate) busy: Clock,
    pub(crate) starved: Clock,
    pub(crate) blocked: Clock,
}

impl StageClocks {
    fn stage(&self, threads: usize) -> Stage {
        Stage { threads, busy: self.busy.sum(), starved: self.starved.sum(), blocked: self.blocked.sum() }
    }
}

/// The clocks of the stages that run side by side.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    pub(crate) reading: StageClocks,
    pub(crate) scaling: StageClocks,
    pub(crate) network: StageClocks,
    pub(crate) stitching: StageClocks,
    pub(crate) writing: StageClocks,
    /// Tiles that the network computed.
    pub(crate) tiles: AtomicU64,
}

impl Clocks {
    /// What they show after a run that took `total`; nothing is finished yet.
    pub(crate) fn timings(&self, plan: &Plan, total: Duration) -> Timings {
        Timings {
            reading: self.reading.stage(plan.readers),
            scaling: self.scaling.stage(plan.readers),
            resampling: Stage::default(),
            network: self.network.stage(plan.workers),
            stitching: self.stitching.stage(1),
            restoring: Stage::default(),
            writing: self.writing.stage(1),
            finishing: Stage::default(),
            total,
            network_pixels: self.tiles.load(Ordering::Relaxed) * plan.layout.input.product() as u64,
        }
    }
}
