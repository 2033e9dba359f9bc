//! Files that do not stay.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::{Error, Result};

/// A file beside an output, and what GDAL may write beside that file; all of them are removed on drop.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    suffixes: &'static [&'static str],
}

impl Temporary {
    /// The file `OUTPUT` + `suffix`, and those of its names with one of `suffixes`, of which "" stands for the file itself.
    pub(super) fn beside(output: &Path, suffix: &str, suffixes: &'static [&'static str]) -> Self {
        Self { path: suffixed(output, suffix), suffixes }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        for suffix in self.suffixes {
            if let Err(error) = remove(&suffixed(&self.path, suffix)) {
                tracing::warn!("{error}");
            }
        }
    }
}

/// `path` with more at its end.
pub(super) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut text = OsString::from(path);
    text.push(suffix);
    PathBuf::from(text)
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::File { action: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
