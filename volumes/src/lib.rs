//! Medical volumes in and out: NIfTI and DICOM to planes of real values, labels back onto the same voxels, geometry untouched.
//!
//! A volume is stored plane by plane: x (columns) is fastest, then y (rows), then z (planes). [`open`] looks at headers only and gives a
//! [`VolumeSource`], whose [`VolumeProfile`] says how large the volume is and where its voxels lie; a [`PlaneReader`] reads planes in the
//! order in which they are stored, as `(planes, height, width)`, with slope and intercept applied. Nothing is reordered, flipped or
//! resampled: the [`Affine`] says where things are, in millimetres towards the patient's right, front (anterior) and head (superior): RAS.
//!
//! Memory is that of the planes asked for, whatever the depth. A `.nii.gz` is read in order; see [`VolumeOptions::with_scratch`]. What is odd
//! about a volume but harmless is in [`VolumeProfile::warnings`]; what contradicts itself is an [`Error`] with the file's name.
//!
//! Labels go out on the same voxels: [`NiftiLabelWriter`], for DICOM images [`SegmentationWriter`], and [`QuickLook`] for a first glance.
//!
//! ```
//! use std::path::Path;
//!
//! use swath_volumes::{Encoding, LabelClass, NiftiLabelWriter, VolumeOptions, open};
//!
//! # let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/nifti/int16.nii"));
//! # let folder = tempfile::tempdir()?;
//! # let output = folder.path().join("labels.nii.gz");
//! let source = open(path, &VolumeOptions::default())?;
//! let profile = source.profile();
//! assert_eq!((profile.size.to_string().as_str(), profile.affine.orientation().to_string().as_str()), ("5 x 4 x 3", "LAS"));
//!
//! let bright = LabelClass { value: 1, name: "bright".into(), colour: Some([250, 220, 0]) };
//! let mut labels = NiftiLabelWriter::create(&output, profile, &[bright], Encoding::Gzip)?;
//! let mut reader = source.reader(profile.frame(None)?)?;
//! for plane in 0..profile.size.z {
//!     let values = reader.read(plane..plane + 1)?; // (1, height, width)
//!     labels.write(&values.iter().map(|value| u8::from(*value > 20.0)).collect::<Vec<_>>())?;
//! }
//! labels.finish()?;
//! assert_eq!(open(&output, &VolumeOptions::default())?.profile().affine, profile.affine);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod affine;
mod axes;
mod class;
mod dicom;
mod error;
mod nifti;
mod options;
mod picture;
mod profile;
mod sample;
mod size;
mod source;
mod warning;

pub use affine::Affine;
pub use axes::{AxisCode, AxisCodes, AxisCodesError};
pub use class::LabelClass;
pub use dicom::{DicomOrientation, DicomPlane, DicomSeries, SegmentationNotes, SegmentationWriter};
pub use error::{Error, Result};
pub use nifti::{Encoding, Extension, NiftiHeader, NiftiLabelWriter, NiftiProbabilityWriter, NiftiVersion};
pub use options::{Gaps, Missing, VolumeOptions};
pub use picture::QuickLook;
pub use profile::{Origin, Rescale, VolumeProfile};
pub use sample::{ByteOrder, SampleType};
pub use size::VolumeSize;
pub use source::{PlaneReader, VolumeSource, open};
pub use warning::Warning;
