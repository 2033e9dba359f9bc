//! What became of a batch.

use std::time::Duration;

use serde_json::{Value, json};

use crate::remote::Traffic;
use crate::{Error, Location};

/// What became of a scene or volume.
#[derive(Debug)]
pub enum Outcome {
    /// It was labelled.
    Labelled(Labelling),
    /// It was labelled before, as what was written last of it says.
    Skipped,
    /// It could not be labelled.
    Failed(Error),
}

/// A scene or volume that was labelled.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelling {
    /// Its label raster or volume.
    pub labels: Location,
    /// Its pixels or voxels.
    pub pixels: u64,
    /// What they cover on the ground, in square metres, if that is known.
    pub area_m2: Option<f64>,
    /// Threads times time that the network took.
    pub network: Duration,
}

/// A scene or volume that could not be labelled.
#[derive(Debug)]
pub struct Failure {
    /// Its name in the batch.
    pub name: String,
    /// Why.
    pub error: Error,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Summary {
    /// Scenes or volumes that were labelled now.
    pub done: usize,
    /// Those that had been labelled before.
    pub skipped: usize,
    /// Those that could not be labelled.
    pub failed: Vec<Failure>,
    /// Those that were not reached, or are unfinished, since the batch was stopped.
    pub left: usize,
    /// Pixels or voxels labelled now.
    pub pixels: u64,
    /// What they cover, in square metres, as far as it is known; none if it is of none.
    pub area_m2: Option<f64>,
    /// Threads times time that the network took.
    pub network: Duration,
    /// Time from start to end.
    pub elapsed: Duration,
    /// Requests to stores.
    pub traffic: Traffic,
}

impl Summary {
    /// Adds what became of one.
    pub(super) fn add(&mut self, name: String, outcome: Outcome) {
        match outcome {
            Outcome::Labelled(labelling) => {
                self.done += 1;
                self.pixels += labelling.pixels;
                if let Some(area) = labelling.area_m2 {
                    *self.area_m2.get_or_insert_default() += area;
                }
                self.network += labelling.network;
            }
            Outcome::Skipped => self.skipped += 1,
            Outcome::Failed(error) => self.failed.push(Failure { name, error }),
        }
    }

    /// Labelled megapixels per second.
    #[must_use]
    pub fn megapixels_per_second(&self) -> f64 {
        self.pixels as f64 / 1e6 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// Labelled square kilometres per second, if it is known how many there are.
    #[must_use]
    pub fn km2_per_second(&self) -> Option<f64> {
        self.area_m2.map(|area| area / 1e6 / self.elapsed.as_secs_f64().max(f64::EPSILON))
    }

    /// The summary as JSON.
    #[must_use]
    pub fn as_json(&self) -> Value {
        let failed = self.failed.iter().map(|failure| json!({ "scene": failure.name, "reason": failure.error.with_causes() }));
        json!({
            "done": self.done,
            "skipped": self.skipped,
            "failed": failed.collect::<Vec<_>>(),
            "left": self.left,
            "pixels": self.pixels,
            "km2": self.area_m2.map(|area| area / 1e6),
            "seconds": self.elapsed.as_secs_f64(),
            "mpx_per_s": self.megapixels_per_second(),
            "km2_per_s": self.km2_per_second(),
            "network_seconds": self.network.as_secs_f64(),
            "requests": self.traffic.requests,
            "retries": self.traffic.failures,
            "bytes_read": self.traffic.bytes_read,
            "bytes_written": self.traffic.bytes_written,
        })
    }
}
