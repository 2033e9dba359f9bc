//! DICOM images, <https://www.dicomstandard.org/current>: which of them make a volume, where it lies, and reading.
//!
//! Data sets are parsed by `dicom-object`; geometry, order and the meaning of samples are here. Only headers are kept in memory.

mod attributes;
mod codec;
mod collect;
mod distances;
mod frames;
mod instance;
mod pixels;
mod segmentation;
mod series;
mod source;
mod stack;
mod stored;
mod syntax;

pub use segmentation::{SegmentationNotes, SegmentationWriter};
pub use series::{DicomOrientation, DicomPlane, DicomSeries};
pub(crate) use source::DicomSource;
