//! Where the time of a run went.

use std::time::Duration;

/// Where the time of a run went, stage by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Reading and decoding pixels. Waits for room when patches lie ready for the network.
    pub reading: Stage,
    /// Bringing a volume's planes to the spacing that the network wants, on the same threads; no threads if nothing is resampled.
    pub resampling: Stage,
    /// Scaling what was read, on the same threads.
    pub scaling: Stage,
    /// The network. Its threads are the workers, each of which computes one tile at a time.
    pub network: Stage,
    /// Stitching scores.
    pub stitching: Stage,
    /// Bringing a volume's scores or labels back to its own voxels, by the thread that stitches with the help of all; no threads if nothing is
    /// resampled.
    pub restoring: Stage,
    /// Labelling and handing windows to the sinks, on the thread that stitches.
    pub writing: Stage,
    /// Overviews, compression, verification and publishing.
    pub finishing: Stage,
    /// From the first stage's start to the last one's end.
    pub total: Duration,
    /// Pixels that the network computed, with those that tiles share.
    pub network_pixels: u64,
}

/// Time of one stage, added up over its threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// How many they are.
    pub threads: usize,
    /// Working.
    pub busy: Duration,
    /// Waiting for the stage before.
    pub starved: Duration,
    /// Waiting for the stage after.
    pub blocked: Duration,
}

impl Timings {
    /// All stages by name, in the order in which pixels pass them; those of resampling if there is any.
    #[must_use]
    pub fn stages(&self) -> Vec<(&'static str, Stage)> {
        let resampled = |name, stage: Stage| (stage.threads > 0).then_some((name, stage));
        let stages = [
            Some(("reading", self.reading)),
            Some(("scaling", self.scaling)),
            resampled("resampling", self.resampling),
            Some(("network", self.network)),
            Some(("stitching", self.stitching)),
            resampled("restoring", self.restoring),
            Some(("writing", self.writing)),
            Some(("finishing", self.finishing)),
        ];
        stages.into_iter().flatten().collect()
    }

    /// The share of the run, 0 to 1, in which a thread of the stage worked, on average over its threads.
    #[must_use]
    pub fn share(&self, stage: Stage) -> f64 {
        ratio(stage.busy.as_secs_f64(), self.total.as_secs_f64() * stage.threads as f64)
    }

    /// Megapixels per second of the network while it computes, with those that tiles share.
    #[must_use]
    pub fn network_mpx_per_s(&self) -> f64 {
        ratio(self.network_pixels as f64 / 1e6 * self.network.threads as f64, self.network.busy.as_secs_f64())
    }
}

/// A quotient; 0 of nothing.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
