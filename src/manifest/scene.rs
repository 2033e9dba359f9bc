//! A scene of a batch.

use jiff::Timestamp;

use super::SceneName;
use crate::source::{BandRequest, SceneInput};

/// A scene of a batch, as its manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchScene {
    /// What its products are called.
    pub name: SceneName,
    /// What it is read from.
    pub input: SceneInput,
    /// The model's bands in there, if the manifest says so; otherwise the rasters do.
    pub bands: Option<Vec<BandRequest>>,
    /// When it was acquired, if the manifest says so.
    pub acquired: Option<Timestamp>,
}
