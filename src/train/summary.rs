//! What a training will be.

use swath_tiling::Size;

/// What a training will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainSummary {
    /// What is learned from.
    pub scenes: Vec<SceneSummary>,
    /// The classes' names.
    pub classes: Vec<String>,
    /// Learned values of the network.
    pub parameters: usize,
    /// Steps in all.
    pub steps: u64,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
    /// Crops in all.
    pub crops: u64,
    /// Bytes that the process holds at its peak, about: GDAL's cache, batches made ahead, the network's values, parameters and their gradients,
    /// and a validation.
    pub memory: usize,
}

/// One scene.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SceneSummary {
    /// Its name.
    pub name: String,
    /// Its size at the network's resolution.
    pub size: Size,
    /// Stored pixels a side that become one.
    pub factor: usize,
    /// Pixels of each class that are learned from.
    pub training: Vec<u64>,
    /// Pixels of each class that are held back.
    pub validation: Vec<u64>,
}
