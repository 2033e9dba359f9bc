//! Learning the weights of a network from labelled scenes.
//!
//! A [`Recipe`] says what is learned from what.

mod augment;
mod census;
mod crops;
mod error;
mod label_raster;
mod label_vectors;
mod labels;
mod paths;
mod recipe;
mod recipe_text;
mod sampler;
mod scene;
mod statistics;

pub use error::TrainError;
pub use recipe::{
    AugmentSettings, BlockSettings, ClassSettings, IgnoreSettings, ModelSettings, Recipe, Role, SamplingSettings, SceneSettings,
    SceneWeight, Settings, ValidationSettings, WindowSettings,
};
