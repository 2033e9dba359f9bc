//! Values on their way to a file, in the order in which it has them.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::gzip::ParallelGzip;
use crate::{Error, Result, SampleType};

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

/// A file that has its header, and takes so many values.
#[derive(Debug)]
pub(super) struct ValueStream {
    file: Output,
    path: PathBuf,
    sample: SampleType,
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

impl ValueStream {
    /// Begins a file, in place of an earlier one, with what comes before its values.
    pub(super) fn create(path: &Path, encoding: Encoding, start: &[u8], sample: SampleType, expected: u64) -> Result<Self> {
        let begin = || {
            let file = BufWriter::with_capacity(1 << 16, File::create(path)?);
            let mut file = match encoding {
                Encoding::Plain => Output::Plain(file),
                Encoding::Gzip => Output::Gzip(ParallelGzip::new(file)?),
            };
            file.write_all(start)?;
            Ok(file)
        };
        let file = begin().map_err(|source| Error::File { action: "create", path: path.into(), source })?;
        Ok(Self { file, path: path.into(), sample, expected, written: 0 })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// An error if so many more values are too many.
    pub(super) fn check(&self, more: usize) -> Result<()> {
        let total = self.written + more as u64;
        if total > self.expected { Err(self.wrong_count(total)) } else { Ok(()) }
    }

    /// Writes the next values, whose bytes these are.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let values = bytes.len() / self.sample.bytes();
        self.check(values)?;
        self.file.write_all(bytes).map_err(|source| Error::File { action: "write", path: self.path.clone(), source })?;
        self.written += values as u64;
        Ok(())
    }

    /// Ends the file and brings it to the disk.
    pub(super) fn finish(self) -> Result<()> {
        if self.written != self.expected {
            return Err(self.wrong_count(self.written));
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

    fn wrong_count(&self, got: u64) -> Error {
        Error::Values { path: self.path.clone(), expected: self.expected, got }
    }
}
