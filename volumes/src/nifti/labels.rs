//! Label volumes, written plane by plane.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::gzip::ParallelGzip;
use super::header::NiftiHeader;
use crate::{ByteOrder, Error, LabelClass, Result, SampleType, VolumeProfile};

/// Whether a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is: `.nii`.
    Plain,
    /// With gzip, by all threads of rayon's current pool: `.nii.gz`.
    Gzip,
}

impl Encoding {
    /// What a file's name asks for: gzip if it ends in `.gz`.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz")) { Self::Gzip } else { Self::Plain }
    }
}

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
    file: Output,
    path: PathBuf,
    sample: SampleType,
    order: ByteOrder,
    expected: u64,
    written: u64,
}

enum Output {
    Plain(BufWriter<File>),
    Gzip(ParallelGzip<BufWriter<File>>),
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Gzip(_) => "Gzip",
        })
    }
}

impl Output {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(bytes),
            Self::Gzip(file) => file.write_all(bytes),
        }
    }
}

impl NiftiLabelWriter {
    /// Begins a file, in place of an earlier one.
    ///
    /// # Errors
    /// If it cannot be written, or the volume is too large for a NIfTI-1 file.
    pub fn create(path: &Path, profile: &VolumeProfile, classes: &[LabelClass], encoding: Encoding) -> Result<Self> {
        let sample = if classes.iter().any(|class| class.value > 255) { SampleType::U16 } else { SampleType::U8 };
        let header = NiftiHeader::on(profile, path, 1, sample)?;
        let start = header.start(profile, classes);
        let begin = || {
            let mut file = BufWriter::with_capacity(1 << 16, File::create(path)?);
            Ok(match encoding {
                Encoding::Plain => {
                    file.write_all(&start)?;
                    Output::Plain(file)
                }
                Encoding::Gzip => {
                    let mut gzip = ParallelGzip::new(file)?;
                    gzip.write_all(&start)?;
                    Output::Gzip(gzip)
                }
            })
        };
        let file = begin().map_err(|source| Error::File { action: "create", path: path.into(), source })?;
        let expected = profile.size.voxels() as u64;
        Ok(Self { file, path: path.into(), sample, order: header.order(), expected, written: 0 })
    }

    /// Writes the next voxels, in storage order: x fastest, then y, then z.
    ///
    /// # Errors
    /// If there are more than the volume has, one is no class's value that fits the file, or the file cannot be written.
    pub fn write<T: Copy + Into<u16>>(&mut self, labels: &[T]) -> Result<()> {
        let total = self.written + labels.len() as u64;
        if total > self.expected {
            return Err(Error::Labels { path: self.path.clone(), expected: self.expected, got: total });
        }
        let mut bytes = Vec::with_capacity(labels.len() * self.sample.bytes());
        match (self.sample, self.order) {
            (SampleType::U16, ByteOrder::Little) => bytes.extend(labels.iter().flat_map(|&label| label.into().to_le_bytes())),
            (SampleType::U16, ByteOrder::Big) => bytes.extend(labels.iter().flat_map(|&label| label.into().to_be_bytes())),
            _ => {
                for &label in labels {
                    let label: u16 = label.into();
                    let byte = u8::try_from(label);
                    bytes.push(byte.map_err(|source| Error::Label { path: self.path.clone(), label, source })?);
                }
            }
        }
        self.file.write_all(&bytes).map_err(|source| Error::File { action: "write", path: self.path.clone(), source })?;
        self.written = total;
        Ok(())
    }

    /// Ends the file and brings it to the disk.
    ///
    /// # Errors
    /// If voxels are missing, or the file cannot be written.
    pub fn finish(self) -> Result<()> {
        if self.written != self.expected {
            return Err(Error::Labels { path: self.path, expected: self.expected, got: self.written });
        }
        let finish = || {
            let file = match self.file {
                Output::Plain(file) => file,
                Output::Gzip(gzip) => gzip.finish()?,
            };
            file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
        };
        finish().map_err(|source| Error::File { action: "write", path: self.path.clone(), source })
    }
}
