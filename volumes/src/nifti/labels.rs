//! Label volumes, written plane by plane.

use std::path::Path;

use super::header::NiftiHeader;
use super::stream::{Encoding, ValueStream};
use crate::{ByteOrder, Error, LabelClass, Result, SampleType, VolumeProfile};

/// Writes labels on the voxels of a volume as a NIfTI file, a few planes at a time.
///
/// On DICOM images the header is a new one, with the affine as sform. On a NIfTI volume the header is that volume's, byte for byte, but for what says how values are stored: `datatype`, `bitpix`, `scl_slope`,
/// `scl_inter`, `cal_min`, `cal_max`, `vox_offset`, and of 4-D files `dim[0]` and `dim[4]`. Its extensions are kept, after one
/// with the classes' names and colours (Workbench's `CaretExtension`, which takes the place of an earlier one). Labels are `u8`,
/// or `u16` if a class has a value over 255. The bytes do not depend on the number of threads, nor on how planes are dealt out.
///
/// The file appears under the name given and grows: whoever wants it whole or not at all gives a name such as `labels.nii.gz.part`, and
/// renames it after [`finish`](Self::finish). Dropped unfinished, it is left to the caller.
#[derive(Debug)]
pub struct NiftiLabelWriter {
    file: ValueStream,
    sample: SampleType,
    order: ByteOrder,
}

impl NiftiLabelWriter {
    /// Begins a file, in place of an earlier one.
    ///
    /// # Errors
    /// If it cannot be written, or the volume is too large for a NIfTI-1 file.
    pub fn create(path: &Path, profile: &VolumeProfile, classes: &[LabelClass], encoding: Encoding) -> Result<Self> {
        let sample = if classes.iter().any(|class| class.value > 255) { SampleType::U16 } else { SampleType::U8 };
        let header = NiftiHeader::on(profile, path, 1, sample)?;
        let (start, expected) = (header.start(profile, classes), profile.size.voxels() as u64);
        let file = ValueStream::create(path, encoding, &start, sample, expected)?;
        Ok(Self { file, sample, order: header.order() })
    }

    /// Writes the next voxels, in storage order: x fastest, then y, then z.
    ///
    /// # Errors
    /// If there are more than the volume has, one is no class's value that fits the file, or the file cannot be written.
    pub fn write<T: Copy + Into<u16>>(&mut self, labels: &[T]) -> Result<()> {
        self.file.check(labels.len())?;
        let mut bytes = Vec::with_capacity(labels.len() * self.sample.bytes());
        match (self.sample, self.order) {
            (SampleType::U16, ByteOrder::Little) => bytes.extend(labels.iter().flat_map(|&label| label.into().to_le_bytes())),
            (SampleType::U16, ByteOrder::Big) => bytes.extend(labels.iter().flat_map(|&label| label.into().to_be_bytes())),
            _ => {
                for &label in labels {
                    let label: u16 = label.into();
                    let byte = u8::try_from(label);
                    bytes.push(byte.map_err(|source| Error::Label { path: self.file.path().to_owned(), label, source })?);
                }
            }
        }
        self.file.write(&bytes)
    }

    /// Ends the file and brings it to the disk.
    ///
    /// # Errors
    /// If voxels are missing, or the file cannot be written.
    pub fn finish(self) -> Result<()> {
        self.file.finish()
    }
}
