//! Where the time of a pass goes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long the operators of each kind took in one pass, by [`Op::label`](crate::Op::label); what is computed together goes by its first node.
#[derive(Clone, Debug, Default)]
pub struct Timings {
    kinds: BTreeMap<&'static str, Timing>,
}

/// How long one kind of operator took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    /// On the way to the scores.
    pub forward: Duration,
    /// On the way back, for the gradients of values.
    pub backward: Duration,
    /// On the way back, for the gradients of kernels, where they are computed apart.
    pub kernels: Duration,
}

impl Timings {
    /// By kind of operator.
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, Timing)> + '_ {
        self.kinds.iter().map(|(kind, timing)| (*kind, *timing))
    }

    /// Runs `work` and adds its time to a field of a kind's.
    pub(super) fn measure<T>(
        &mut self,
        kind: &'static str,
        field: impl FnOnce(&mut Timing) -> &mut Duration,
        work: impl FnOnce() -> T,
    ) -> T {
        let start = Instant::now();
        let result = work();
        *field(self.kinds.entry(kind).or_default()) += start.elapsed();
        result
    }
}
