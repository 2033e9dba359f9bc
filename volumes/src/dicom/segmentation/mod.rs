//! DICOM segmentations: labels on the voxels of DICOM images (PS3.3, A.51), `BINARY`.

mod colour;
mod elements;
mod groups;
mod packed;
mod segments;
mod uid;
mod writer;

pub use writer::{SegmentationNotes, SegmentationWriter};
