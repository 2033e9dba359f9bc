//! A generated scene with known truth, and a model that learned to label such scenes.

mod canvas;
mod cover;
mod curve;
mod land;
mod model;
mod noise;
mod parcel;
mod scene;
mod spectrum;
mod village;
mod write;

pub use cover::classes;
pub use model::model;
pub use scene::{DemoScene, SceneRows};
pub use write::DemoFiles;
