//! What a volume became.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Timings;

/// What a volume became.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumeReport {
    /// The label volume.
    pub path: PathBuf,
    /// What says how it was made.
    pub item: PathBuf,
    /// The volumes that were made, and what says how, which comes last.
    pub files: Vec<PathBuf>,
    /// Each class, in the order of the card.
    pub classes: Vec<ClassVolume>,
    /// Voxels without a label.
    pub nodata: u64,
    /// Where the time went.
    pub timings: Timings,
}

/// How much of a volume a class has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

/// A table of several volumes: a header, then a line for each class of each.
#[must_use]
pub fn csv<'t>(volumes: impl IntoIterator<Item = (PathBuf, &'t [ClassVolume])>) -> String {
    let mut text = String::from("volume,value,name,voxels,ml\n");
    for (path, classes) in volumes {
        let path = path.display().to_string().replace('"', "\"\"");
        // Names are letters, digits, - and _.
        let line = |class: &ClassVolume| format!("\"{path}\",{},{},{},{:.6}\n", class.value, class.name, class.voxels, class.ml);
        text.extend(classes.iter().map(line));
    }
    text
}
