//! Volumes of probabilities.

use std::path::Path;

use super::header::NiftiHeader;
use super::stream::{Encoding, ValueStream};
use crate::{ByteOrder, LabelClass, Result, SampleType, VolumeProfile};

/// Writes the probabilities of classes on the voxels of a volume as a 4-D NIfTI file of `f32`: a volume for each class, one after the other, in
/// the order of the classes.
///
/// The header is that of [`NiftiLabelWriter`](crate::NiftiLabelWriter), with as many volumes (`dim[4]`) as there are classes. What is said there of bytes
/// and of the file's name holds here, too.
#[derive(Debug)]
pub struct NiftiProbabilityWriter {
    file: ValueStream,
    order: ByteOrder,
}

impl NiftiProbabilityWriter {
    /// Begins a file, in place of an earlier one.
    ///
    /// # Errors
    /// If it cannot be written, or the volume is too large for a NIfTI-1 file.
    pub fn create(path: &Path, profile: &VolumeProfile, classes: &[LabelClass], encoding: Encoding) -> Result<Self> {
        let header = NiftiHeader::on(profile, path, classes.len(), SampleType::F32)?;
        let (start, expected) = (header.start(profile, classes), (classes.len() * profile.size.voxels()) as u64);
        let file = ValueStream::create(path, encoding, &start, SampleType::F32, expected)?;
        Ok(Self { file, order: header.order() })
    }

    /// Writes the next probabilities, `(classes, depth, height, width)` in storage order.
    ///
    /// # Errors
    /// If there are more than the classes have voxels, or the file cannot be written.
    pub fn write(&mut self, probabilities: &[f32]) -> Result<()> {
        let bytes: Vec<u8> = match self.order {
            ByteOrder::Little => probabilities.iter().flat_map(|value| value.to_le_bytes()).collect(),
            ByteOrder::Big => probabilities.iter().flat_map(|value| value.to_be_bytes()).collect(),
        };
        self.file.write(&bytes)
    }

    /// Ends the file and brings it to the disk.
    ///
    /// # Errors
    /// If some are missing, or the file cannot be written.
    pub fn finish(self) -> Result<()> {
        self.file.finish()
    }
}
