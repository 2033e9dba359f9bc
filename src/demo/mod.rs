//! A generated scene with known truth, a model made by hand that labels it, and how well labels agree with the truth.

mod canvas;
mod cover;
mod curve;
mod land;
mod model;
mod noise;
mod parcel;
mod scene;
mod score;
mod spectrum;
mod village;
mod write;

pub use cover::classes;
pub use model::{bundled, model};
pub use scene::{DemoScene, SceneRows};
pub use score::Confusion;
pub use write::DemoFiles;
