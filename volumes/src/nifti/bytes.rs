//! The bytes of a file, decompressed.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::inflate::Inflate;
use crate::{Error, Result};

/// The bytes of a file, decompressed; where one is asked for is any place, where one is cheap depends on the file.
pub(crate) enum Bytes {
    /// Any place.
    Plain { file: File, path: PathBuf },
    /// The places after those read last.
    Gzip { inflate: Box<Inflate>, at: u64, path: PathBuf },
}

impl Bytes {
    pub(crate) fn open(path: &Path, compressed: bool) -> Result<Self> {
        let fail = |source| Error::File { action: "open", path: path.into(), source };
        Ok(if compressed {
            Self::Gzip { inflate: Box::new(Inflate::open(path).map_err(fail)?), at: 0, path: path.into() }
        } else {
            Self::Plain { file: File::open(path).map_err(fail)?, path: path.into() }
        })
    }

    /// Fills the buffer from a place; the number of bytes that there are, less than its length if the file ends before.
    pub(crate) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::Plain { file, path } => {
                let mut read = || {
                    file.seek(SeekFrom::Start(offset))?;
                    fill(file, buffer)
                };
                read().map_err(|source| Error::File { action: "read", path: path.clone(), source })
            }
            Self::Gzip { inflate, at, path } => {
                if offset < *at {
                    let open = Inflate::open(path);
                    **inflate = open.map_err(|source| Error::File { action: "open", path: path.clone(), source })?;
                    *at = 0;
                }
                let gzip = |at, source| Error::Gzip { path: path.clone(), at, source };
                let mut skipped = vec![0; (offset - *at).min(1 << 16) as usize];
                while *at < offset {
                    let part = skipped.len().min((offset - *at) as usize);
                    match inflate.read(&mut skipped[..part]).map_err(|source| gzip(*at, source))? {
                        0 => return Ok(0),
                        count => *at += count as u64,
                    }
                }
                let count = fill(inflate.as_mut(), buffer).map_err(|source| gzip(*at, source))?;
                *at += count as u64;
                Ok(count)
            }
        }
    }

    /// Reads what comes after the last voxel, so that the checksum of gzip data is checked.
    pub(crate) fn drain(&mut self) -> Result<()> {
        let Self::Gzip { inflate, at, path } = self else { return Ok(()) };
        let more =
            io::copy(inflate.as_mut(), &mut io::sink()).map_err(|source| Error::Gzip { path: path.clone(), at: *at, source })?;
        *at += more;
        if let Some(tail) = inflate.tail() {
            tracing::warn!("{}: what follows the gzip data, from byte {tail} on, is left out", path.display());
        }
        Ok(())
    }

    /// Decompresses a whole file into a scratch file in `folder`, but no more than `most` bytes.
    pub(crate) fn unpack(path: &Path, folder: &Path, most: u64) -> Result<NamedTempFile> {
        let mut bytes = Self::open(path, true)?;
        let scratch = || tempfile::Builder::new().prefix(".swath-").suffix(".scratch.part").tempfile_in(folder);
        let mut scratch =
            scratch().map_err(|source| Error::File { action: "make a scratch file in", path: folder.into(), source })?;
        let mut buffer = vec![0; 1 << 20];
        let mut at = 0;
        while at < most {
            let part = buffer.len().min((most - at) as usize);
            let count = bytes.read_at(at, &mut buffer[..part])?;
            let write = scratch.write_all(&buffer[..count]);
            write.map_err(|source| Error::File { action: "write", path: scratch.path().into(), source })?;
            at += count as u64;
            if count < part {
                break;
            }
        }
        bytes.drain()?;
        Ok(scratch)
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
