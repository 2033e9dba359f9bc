//! Learning the weights of a network from labelled scenes.
//!
//! A [`Recipe`] says what is learned from what. A [`Trainer`] opens its scenes, counts their labels and makes the first weights; its run ends with a
//! model folder.
//!
//! ```
//! use swath::train::{Recipe, Start, TrainOptions, Trainer, Unwatched};
//! use swath::{Existing, demo};
//! use swath_models::Convolutions;
//! use swath_models::train::FusedAutograd;
//!
//! let folder = tempfile::tempdir()?;
//! demo::DemoScene::new(1, 96).write(folder.path())?;
//! let mut recipe = String::from(
//!     "output = 'model'\nepochs = 1\nbatch = 1\nmodel.network = 'fcn_small'\nsampling = { crop = 64, samples = 2 }\n\
//!      scenes = [{ image = 'scene.tif', labels = 'truth.tif' }]\nloss = [{ kind = 'cross_entropy' }]\n\
//!      optimizer.kind = 'adamw'\nschedule.rate = 1e-3\n",
//! );
//! for class in demo::classes() {
//!     recipe += &format!("[[classes]]\nname = '{}'\nvalues = [{}]\n", class.name, class.value);
//! }
//! std::fs::write(folder.path().join("recipe.toml"), recipe)?;
//!
//! let start = Start::Fresh(Existing::Refuse);
//! let options = TrainOptions { threads: 1, max_memory: 1 << 30, output: None, start };
//! let trainer = Trainer::new(Recipe::read(&folder.path().join("recipe.toml"))?, &options)?;
//! let mut autograd = FusedAutograd::new(trainer.graph().clone(), Convolutions::Winograd)?;
//! let report = trainer.run(&mut autograd, &Unwatched)?;
//! assert_eq!(report.model, folder.path().join("model"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod augment;
mod census;
mod checkpoint;
mod crop_settings;
mod crops;
mod curves;
mod error;
mod fingerprint;
mod first_weights;
mod image;
mod label_raster;
mod label_vectors;
mod label_volume;
mod labels;
mod metrics;
mod observer;
mod output;
mod paths;
mod picture;
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
mod volume_validation;
mod window_index;

pub use crop_settings::{AugmentSettings, CropSize, SamplingSettings, SceneWeight};
pub use error::{CropPlace, TrainError};
pub use first_weights::FirstWeights;
pub use metrics::{Metrics, Validation};
pub use observer::{StepReport, TrainObserver, Unwatched};
pub use recipe::{
    BlockSettings, ClassSettings, IgnoreSettings, ModelSettings, Recipe, Role, SceneSettings, Settings, ValidationSettings,
    WindowSettings,
};
pub use summary::{SceneSummary, TrainSummary};
pub use trainer::{Start, TrainOptions, TrainReport, Trainer};
