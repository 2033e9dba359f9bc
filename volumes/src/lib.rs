//! Medical volumes in and out: NIfTI and DICOM to planes of real values, labels back onto the same voxels, geometry untouched.
//!
//! A volume is stored plane by plane: x (columns) is fastest, then y (rows), then z (planes). [`open`] looks at headers only and gives a
//! [`VolumeSource`], whose [`VolumeProfile`] says how large the volume is and where its voxels lie; a [`PlaneReader`] reads planes in the
//! order in which they are stored, as `(planes, height, width)`, with slope and intercept applied. Nothing is reordered, flipped or
//! resampled: the [`Affine`] says where things are, in millimetres towards the patient's right, front (anterior) and head (superior): RAS.
//!
//! Memory is that of the planes asked for, whatever the depth. A `.nii.gz` is read in order; see [`VolumeOptions::with_scratch`].
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
pub use nifti::{Encoding, Extension, NiftiHeader, NiftiLabelWriter, NiftiVersion};
pub use options::VolumeOptions;
pub use picture::QuickLook;
pub use profile::{Origin, Rescale, VolumeProfile};
pub use sample::{ByteOrder, SampleType};
pub use size::VolumeSize;
pub use source::{PlaneReader, VolumeSource, open};
pub use warning::Warning;
