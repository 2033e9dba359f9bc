//! Volumes: CT and MR in, labels on the same voxels out.
//!
//! A volume is a raster with slices, and goes through the same plan, pipeline and mosaic as a scene. What is particular to it is here: its values are
//! prepared as the model card's `swath:volume` says ([`Volume`] is a [`RasterSource`](crate::source::RasterSource) on the grid that the network sees),
//! and finished scores go back to its own voxels plane by plane, so that memory does not grow with the number of slices.

mod after;
mod batch;
mod cases;
mod file;
mod files;
mod intensity;
mod item;
mod kind;
mod labels;
mod line;
mod measure;
mod orientation;
mod output;
mod place;
mod planes;
mod report;
mod run;
mod scratch;
mod scratch_grid;
mod segmenter;
mod slab;
mod source;

pub use after::{AfterSteps, Kept};
pub use batch::{VolumeBatch, VolumeBatchReport, VolumeClasses};
pub use cases::volumes_of;
pub use files::VolumeFiles;
pub(crate) use item::nodata_of;
pub(crate) use kind::is_local_volume;
pub use kind::is_volume;
pub use output::VolumeOutput;
pub use place::{VolumePlace, name_of};
pub use report::{ClassVolume, VolumeReport, csv};
pub(crate) use scratch_grid::ScratchGrid;
pub use segmenter::VolumeSegmenter;
pub use source::{Volume, VolumeChoice};
