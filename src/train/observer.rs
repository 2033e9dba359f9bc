//! Who watches a training.

use super::Metrics;

/// What a training is told while it runs.
pub trait TrainObserver: Sync {
    /// A step is done.
    fn step_done(&self, step: &StepReport);

    /// New metrics are known.
    fn measured(&self, metrics: &Metrics);

    /// Whether the training should stop, to go on later.
    fn is_cancelled(&self) -> bool;
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Steps so far.
    pub step: u64,
    /// Its loss.
    pub loss: f64,
    /// Its learning rate.
    pub rate: f64,
}

/// Nobody watches.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl TrainObserver for Unwatched {
    fn step_done(&self, _step: &StepReport) {}

    fn measured(&self, _metrics: &Metrics) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}
