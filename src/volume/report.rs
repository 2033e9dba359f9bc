//! What a volume became.

use std::path::PathBuf;

use serde::Serialize;

use crate::Timings;

/// What a volume became.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumeReport {
    /// The label volume.
    pub path: PathBuf,
    /// What says how it was made.
    pub item: PathBuf,
    /// Each class, in the order of the card.
    pub classes: Vec<ClassVolume>,
    /// Voxels without a label.
    pub nodata: u64,
    /// Where the time went.
    pub timings: Timings,
}

/// How much of a volume a class has.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassVolume {
    /// Its label.
    pub value: u8,
    /// Its name.
    pub name: String,
    /// How many voxels have it.
    pub voxels: u64,
    /// How much that is, in millilitres.
    pub ml: f64,
}

impl VolumeReport {
    /// A line for each class: `value,name,voxels,ml`, with a header.
    #[must_use]
    pub fn csv(&self) -> String {
        // Names are letters, digits, - and _.
        let rows = self.classes.iter().map(|class| format!("{},{},{},{:.6}\n", class.value, class.name, class.voxels, class.ml));
        ["value,name,voxels,ml\n".to_owned()].into_iter().chain(rows).collect()
    }
}
