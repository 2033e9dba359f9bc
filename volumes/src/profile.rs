//! What is known of a volume before its voxels are read.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{Affine, DicomSeries, Error, NiftiHeader, Result, SampleType, VolumeSize, Warning};

/// What is known of a volume before its voxels are read.
#[derive(Clone, Debug)]
pub struct VolumeProfile {
    /// The file or folder that was opened.
    pub path: PathBuf,
    /// What the volume may be called: the file's name without its ending, or the series.
    pub name: String,
    /// Voxels along the storage axes.
    pub size: VolumeSize,
    /// How many volumes there are, one after the other on the same voxels; more than one in 4-D files.
    pub frames: usize,
    /// From voxel indices to RAS millimetres.
    pub affine: Affine,
    /// How voxels are stored.
    pub sample: SampleType,
    /// What is applied to stored values when they are read.
    pub rescale: Rescale,
    /// What is odd about it.
    pub warnings: Vec<Warning>,
    /// The headers that it came with, for what is written on its voxels.
    pub origin: Origin,
}

impl VolumeProfile {
    /// The frame to read: the one asked for, or the only one there is.
    ///
    /// # Errors
    /// If there are several and none is asked for, or there is none such.
    pub fn frame(&self, index: Option<usize>) -> Result<usize> {
        match index {
            None if self.frames == 1 => Ok(0),
            Some(index) if index < self.frames => Ok(index),
            _ => Err(Error::Frame { path: self.path.clone(), frames: self.frames, got: index }),
        }
    }
}

/// How stored values become real ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rescale {
    /// They are real values already.
    None,
    /// `stored x slope + intercept`, everywhere.
    Uniform {
        /// Real units per stored unit.
        slope: f64,
        /// The real value of a stored 0.
        intercept: f64,
    },
    /// Each plane has its own slope and intercept.
    PerPlane,
}

/// The headers that a volume came with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Origin {
    /// A NIfTI file.
    Nifti(Arc<NiftiHeader>),
    /// DICOM images.
    Dicom(Arc<DicomSeries>),
}
