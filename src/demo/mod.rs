//! A generated scene with known truth, and a model made by hand that labels it.

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
pub use model::{bundled, model};
pub use scene::{DemoScene, SceneRows};
pub use write::DemoFiles;
