//! Where voxels come from.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use crate::dicom::DicomSource;
use crate::nifti::NiftiSource;
use crate::{Error, Result, VolumeOptions, VolumeProfile};

/// A volume that can be read.
pub trait VolumeSource: Send + Sync + fmt::Debug {
    /// What is known of it.
    fn profile(&self) -> &VolumeProfile;

    /// A reader of its own for one of the [frames](VolumeProfile::frames); any number may be open at once.
    ///
    /// # Errors
    /// If there is no such frame, or the file cannot be opened.
    fn reader(&self, frame: usize) -> Result<Box<dyn PlaneReader>>;
}

/// Reads planes of a volume, in the order in which they are stored.
pub trait PlaneReader: Send {
    /// Real values (slope and intercept applied) as `(planes, height, width)`, without any reordering.
    ///
    /// # Errors
    /// If there are no such planes, or they cannot be read or decoded.
    fn read(&mut self, planes: Range<usize>) -> Result<Vec<f32>>;
}

/// Opens a volume: a NIfTI file (`.nii`, `.nii.gz`), a DICOM file, or a folder of DICOM files. What a file is follows from its bytes, never
/// from its name.
///
/// Headers are read and checked; voxels are not. DICOM slices are decoded when they are read, several at once on rayon's current pool.
///
/// Not read are pairs of `.hdr` and `.img`, DICOM files without the preamble of PS3.10, big-endian ones with 8 bits, palettes and colours, and of
/// encodings JPEG with 12 bits (extended), JPEG XL, high-throughput JPEG 2000, deflated data sets, and video.
///
/// # Errors
/// If it is not a volume, cannot be read, or its headers contradict themselves.
pub fn open(path: &Path, options: &VolumeOptions) -> Result<Box<dyn VolumeSource>> {
    if path.is_dir() || start(path)?.get(128..132) == Some(b"DICM") {
        return Ok(Box::new(DicomSource::open(path, options)?));
    }
    Ok(Box::new(NiftiSource::open(path, options)?))
}

/// The first bytes of a file, as many as tell what it is.
pub(crate) fn start(path: &Path) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(132).read_to_end(&mut start));
    read.map_err(|source| Error::File { action: "read", path: path.into(), source })?;
    Ok(start)
}
