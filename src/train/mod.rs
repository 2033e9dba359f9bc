//! Learning the weights of a network from labelled scenes.
//!
//! A [`Recipe`] says what is learned from what.

mod augment;
mod census;
mod checkpoint;
mod crops;
mod curves;
mod error;
mod label_raster;
mod label_vectors;
mod labels;
mod metrics;
mod observer;
mod output;
mod paths;
mod recipe;
mod recipe_text;
mod run;
mod sampler;
mod scene;
mod statistics;
mod summary;
#[cfg(test)]
mod testing;
mod trainer;
mod validate;

pub use error::TrainError;
pub use metrics::{Metrics, Validation};
pub use observer::{StepReport, TrainObserver, Unwatched};
pub use recipe::{
    AugmentSettings, BlockSettings, ClassSettings, IgnoreSettings, ModelSettings, Recipe, Role, SamplingSettings, SceneSettings,
    SceneWeight, Settings, ValidationSettings, WindowSettings,
};
pub use summary::{SceneSummary, TrainSummary};
pub use trainer::{Start, TrainOptions, TrainReport, Trainer};
