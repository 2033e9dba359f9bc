//! How well labels agree with a reference.
//!
//! An [`Evaluator`] reads a prediction and a reference side by side, window by window, and counts their pixels in a
//! [`ConfusionMatrix`], from which the usual figures follow; [`AreaEstimates`] and [`Calibration`] follow from the same pixels.

mod area;
mod calibration;
mod coding;
mod confidence;
mod confusion;
mod erosion;
mod evaluator;
mod grid;
mod legend;
mod picture;
mod raster;
mod surface;
mod volume;

pub use area::{AreaEstimates, ClassArea, Estimate};
pub use calibration::{Calibration, ReliabilityBin};
pub(crate) use coding::{Coding, NONE, UnknownPixel};
pub use coding::{Palette, PaletteEntry, ValueClass};
pub use confusion::ConfusionMatrix;
pub use evaluator::{Evaluation, EvaluationRequest, Evaluator};
pub(crate) use grid::check as check_grid;
pub use legend::legend;
pub use picture::picture;
pub(crate) use raster::{colour_bands, open_colours, open_labels};
pub(crate) use volume::check_voxels;
pub use volume::{ClassAgreement, compare_volumes};
