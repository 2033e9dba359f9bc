//! What can go wrong between a recipe and a trained model.

use std::fmt;
use std::path::PathBuf;

use swath_tiling::{Size, Window};

/// What can go wrong between a recipe and a trained model. Each variant names the file, key, scene or step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A recipe is not TOML, or lacks a key or has one that there is not.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The recipe.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A value in a recipe cannot be used.
    #[error("{}:{line}: `{key}`: expected {expected}, got {got}", path.display())]
    Value {
        /// The recipe.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key, with those of the tables around it.
        key: String,
        /// What would do.
        expected: String,
        /// What is there.
        got: String,
    },
    /// A setting of a recipe that the loss, the optimiser or the schedule does not take.
    #[error("{}:{line}: `{key}`", path.display())]
    Setting {
        /// The recipe.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key.
        key: String,
        /// Why not.
        source: swath_models::Error,
    },
    /// A label that no class has.
    #[error("{what} at column {x}, row {y} of {} is none of the recipe's: {known}", path.display())]
    UnknownLabel {
        /// The label raster.
        path: PathBuf,
        /// What it holds: "value 7", "colour 0000FF".
        what: String,
        /// Column, from 0.
        x: usize,
        /// Row, from 0.
        y: usize,
        /// What the recipe knows, as a list.
        known: String,
    },
    /// A label of a volume that no class has.
    #[error("{what} at column {x}, row {y}, plane {z} of {} is none of the recipe's: {known}", path.display())]
    UnknownVoxelLabel {
        /// The label volume.
        path: PathBuf,
        /// What it holds: "value 7".
        what: String,
        /// Column, from 0.
        x: usize,
        /// Row, from 0.
        y: usize,
        /// Plane, from 0.
        z: usize,
        /// What the recipe knows, as a list.
        known: String,
    },
    /// A scene in a recipe for volumes.
    #[error("expected a volume (.nii, .nii.gz or DICOM), as the recipe has `[volume]`, got {}", path.display())]
    SceneAmongVolumes {
        /// The scene.
        path: PathBuf,
    },
    /// A volume in a recipe for scenes.
    #[error("expected a scene, as the recipe has no `[volume]`, got the volume {}", path.display())]
    VolumeAmongScenes {
        /// The volume.
        path: PathBuf,
    },
    /// Labels that no class of the recipe says how to read.
    #[error("{}: expected classes with {expected}, got `{class}` without", path.display())]
    ClassUnreadable {
        /// The labels.
        path: PathBuf,
        /// The keys that would do.
        expected: &'static str,
        /// The class.
        class: String,
    },
    /// A vector layer that lies beside all scenes that it is to label.
    #[error("layer `{layer}` of {} lies beside {}{}", path.display(), scene.display(), more(*.others))]
    LayerElsewhere {
        /// The file.
        path: PathBuf,
        /// The layer.
        layer: String,
        /// A scene that it is to label.
        scene: PathBuf,
        /// How many other scenes it is to label.
        others: usize,
    },
    /// A scene in which no crop fits.
    #[error("expected a scene of at least {crop} pixels at the network's resolution, got {size} for {}", path.display())]
    SceneTooSmall {
        /// The scene.
        path: PathBuf,
        /// Its size at the network's resolution.
        size: Size,
        /// A crop.
        crop: Size,
    },
    /// A scene whose validation windows leave no room.
    #[error("no crop of {crop} pixels fits beside the validation windows of {}", path.display())]
    NoRoom {
        /// The scene.
        path: PathBuf,
        /// A crop.
        crop: Size,
    },
    /// Nothing to learn from.
    #[error("no pixel of any training scene has a label")]
    NoLabels,
    /// Nothing to validate with, although something is held back.
    #[error("no pixel that is held back has data and a label: {windows}")]
    NothingToValidate {
        /// The scenes and what is held back of them, as a list.
        windows: String,
    },
    /// A crop with a pixel that is not finite once it is scaled.
    #[error("expected finite pixels at step {step}, got {value} after scaling in {place}")]
    InputNotFinite {
        /// The step, from 1.
        step: u64,
        /// What it is.
        value: f32,
        /// The crop.
        place: CropPlace,
    },
    /// A score, loss, gradient or weight that is not finite.
    #[error("expected a finite {what} at step {step}, got {value}; the crops were {}", join(places))]
    NotFinite {
        /// "score", "loss", "gradient" or "weight".
        what: &'static str,
        /// The step, from 1.
        step: u64,
        /// What it is.
        value: f64,
        /// The crops: a normalisation over all of a batch makes all scores depend on each.
        places: Vec<CropPlace>,
    },
    /// A folder to go on in that holds something, but no checkpoint.
    #[error("{} has no checkpoint.safetensors to go on from, but other files", folder.display())]
    NoCheckpoint {
        /// The folder.
        folder: PathBuf,
    },
    /// The user stopped the training, which can go on from there.
    #[error("stopped after step {step}; {} has all of it", checkpoint.display())]
    Interrupted {
        /// Steps so far.
        step: u64,
        /// What it goes on from.
        checkpoint: PathBuf,
    },
    /// A checkpoint that is damaged.
    #[error("{} is not a checkpoint: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A checkpoint of another recipe.
    #[error("{} is from another recipe than {}", checkpoint.display(), recipe.display())]
    OtherRecipe {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// The recipe.
        recipe: PathBuf,
    },
    /// A checkpoint of other data.
    #[error("{} is from other data: {change}", checkpoint.display())]
    OtherData {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// What is not as it was.
        change: String,
    },
}

/// Where a crop is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CropPlace {
    /// The scene.
    pub path: PathBuf,
    /// Its part, in pixels at the network's resolution.
    pub window: Window,
}

impl fmt::Display for CropPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.window, self.path.display())
    }
}

fn join(places: &[CropPlace]) -> String {
    places.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn more(count: usize) -> String {
    if count > 0 { format!(" and {count} more") } else { String::new() }
}

impl From<TrainError> for crate::Error {
    fn from(error: TrainError) -> Self {
        Self::Train(Box::new(error))
    }
}
