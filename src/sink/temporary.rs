//! Files that do not stay.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::{Error, Result};

/// A file beside an output, and what GDAL may write beside that file; all of them are removed on drop, unless they are to be kept.
#[derive(Debug)]
pub(crate) struct Temporary {
    path: PathBuf,
    suffixes: &'static [&'static str],
    fate: Fate,
}

/// What becomes of a file that is not needed any more in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Removed,
    /// Another run goes on with it.
    Kept,
}

impl Temporary {
    /// The file `OUTPUT` + `suffix`, and those of its names with one of `suffixes`, of which "" stands for the file itself.
    pub(crate) fn beside(output: &Path, suffix: &str, suffixes: &'static [&'static str]) -> Self {
        Self { path: suffixed(output, suffix), suffixes, fate: Fate::Removed }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// From now on, the files outlive this process.
    pub(crate) fn keep(&mut self) {
        self.fate = Fate::Kept;
    }

    /// Removes the files that are there.
    pub(crate) fn remove(mut self) -> Result<()> {
        // Should one of them stay, trying it again would not help.
        self.fate = Fate::Kept;
        self.clear()
    }

    /// Removes what an earlier process may have left.
    pub(super) fn clear(&self) -> Result<()> {
        self.suffixes.iter().try_for_each(|suffix| remove(&suffixed(&self.path, suffix)))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.fate == Fate::Removed
            && let Err(error) = self.clear()
        {
            tracing::warn!("{error}");
        }
    }
}

/// `path` with more at its end.
pub(crate) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut text = OsString::from(path);
    text.push(suffix);
    PathBuf::from(text)
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::File { action: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
