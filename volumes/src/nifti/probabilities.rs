//! Volumes of probabilities, written plane by plane.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::gzip::ParallelGzip;
use super::header::NiftiHeader;
use super::labels::Encoding;
use crate::{ByteOrder, Error, LabelClass, Result, SampleType, VolumeProfile};

/// Writes the probabilities of classes on the voxels of a volume as a 4-D NIfTI file of `f32`, a few planes at a time: a volume for each
/// class, in the order of the classes.
///
/// The header is that of [`NiftiLabelWriter`](crate::NiftiLabelWriter), with as many volumes (`dim[4]`) as there are classes. In a file,
/// volumes follow each other, and so what belongs to one plane is written to many places. A compressed file is therefore made from a
/// plain one in the scratch folder, of 4 bytes a voxel and class, which is never seen there.
#[derive(Debug)]
pub struct NiftiProbabilityWriter {
    /// The file itself, or what it is compressed from.
    file: File,
    path: PathBuf,
    encoding: Encoding,
    order: ByteOrder,
    /// Where the first voxel is.
    offset: u64,
    classes: usize,
    expected: u64,
    written: u64,
}

impl NiftiProbabilityWriter {
    /// Begins a file, in place of an earlier one.
    ///
    /// # Errors
    /// If it or the scratch file cannot be written, or the volume is too large for a NIfTI-1 file.
    pub fn create(
        path: &Path,
        profile: &VolumeProfile,
        classes: &[LabelClass],
        encoding: Encoding,
        scratch: &Path,
    ) -> Result<Self> {
        let header = NiftiHeader::on(profile, path, classes.len(), SampleType::F32)?;
        let start = header.start(profile, classes);
        let begin = || {
            let mut file = match encoding {
                Encoding::Plain => File::create(path)?,
                Encoding::Gzip => tempfile::tempfile_in(scratch)?,
            };
            file.write_all(&start)?;
            Ok(file)
        };
        let file = begin().map_err(|source| Error::File { action: "create", path: path.into(), source })?;
        Ok(Self {
            file,
            path: path.into(),
            encoding,
            order: header.order(),
            offset: start.len() as u64,
            classes: classes.len(),
            expected: profile.size.voxels() as u64,
            written: 0,
        })
    }

    /// Writes the probabilities of the next voxels, in storage order, `(classes, voxels)`.
    ///
    /// # Errors
    /// If there are more than the volume has, not as many for each class, or the file cannot be written.
    pub fn write(&mut self, probabilities: &[f32]) -> Result<()> {
        let voxels = (probabilities.len() / self.classes.max(1)) as u64;
        let total = self.written + voxels;
        if total > self.expected || !probabilities.len().is_multiple_of(self.classes.max(1)) {
            return Err(Error::Labels { path: self.path.clone(), expected: self.expected, got: total });
        }
        let mut write = || {
            for (class, values) in (0..).zip(probabilities.chunks(voxels.max(1) as usize)) {
                let bytes: Vec<u8> = match self.order {
                    ByteOrder::Little => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
                    ByteOrder::Big => values.iter().flat_map(|value| value.to_be_bytes()).collect(),
                };
                self.file.seek(SeekFrom::Start(self.offset + 4 * (class * self.expected + self.written)))?;
                self.file.write_all(&bytes)?;
            }
            Ok(())
        };
        write().map_err(|source| Error::File { action: "write", path: self.path.clone(), source })?;
        self.written = total;
        Ok(())
    }

    /// Ends the file and brings it to the disk.
    ///
    /// # Errors
    /// If voxels are missing, or the file cannot be written.
    pub fn finish(mut self) -> Result<()> {
        if self.written != self.expected {
            return Err(Error::Labels { path: self.path, expected: self.expected, got: self.written });
        }
        let mut finish = || match self.encoding {
            Encoding::Plain => self.file.sync_all(),
            Encoding::Gzip => {
                self.file.seek(SeekFrom::Start(0))?;
                let mut gzip = ParallelGzip::new(BufWriter::with_capacity(1 << 16, File::create(&self.path)?))?;
                io::copy(&mut BufReader::with_capacity(1 << 18, &self.file), &mut gzip)?;
                gzip.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
            }
        };
        finish().map_err(|source| Error::File { action: "write", path: self.path.clone(), source })
    }
}
