//! NIfTI-1 and NIfTI-2 files, <https://nifti.nimh.nih.gov/>: headers, where their voxels lie, and reading.
//!
//! Where the standard leaves room, as nibabel does: what the two read is the same. Header and voxels are in one file; pairs of `.hdr` and
//! `.img` are not read.

mod bytes;
mod fields;
mod geometry;
mod gzip;
mod header;
mod inflate;
mod label_table;
mod labels;
mod made;
mod probabilities;
mod source;
mod stream;

pub use fields::NiftiVersion;
pub use header::{Extension, NiftiHeader};
pub use labels::NiftiLabelWriter;
pub use probabilities::NiftiProbabilityWriter;
pub(crate) use source::NiftiSource;
pub use stream::Encoding;
