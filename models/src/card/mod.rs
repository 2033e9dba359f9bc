//! Model cards: what a checkpoint needs to be fed correctly, as a STAC item with the Machine Learning Model extension.

mod crf;
mod item;
mod model_card;
mod read;
mod shapes;
mod volume;
mod write;

pub use crf::CrfSettings;
pub use model_card::{GsdRange, ModelCard};
pub(crate) use shapes::Shapes;
pub use volume::{Intensity, LabelResampling, MeasuredScaling, Side, VolumeAxes, VolumeInput, Voxels};
