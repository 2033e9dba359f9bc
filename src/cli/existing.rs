//! Outputs that could not be written, found before the work rather than after it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use swath::{Error, Existing, Result};

/// An error if there is a file already that must stay, or a folder.
pub(super) fn refuse(files: &[PathBuf], existing: Existing) -> Result<()> {
    let stays = |file: &&PathBuf| file.is_dir() || (existing == Existing::Refuse && file.exists());
    files.iter().find(stays).map_or(Ok(()), |path| Err(Error::Exists { path: path.clone() }))
}

/// The same, and an error if a folder is missing or not writable.
pub(super) fn check_files(files: &[PathBuf], existing: Existing) -> Result<()> {
    refuse(files, existing)?;
    files.iter().try_for_each(|file| try_to_create(file))
}

/// Creates the file that `output` is first written to, and takes it away again.
fn try_to_create(output: &Path) -> Result<()> {
    let mut part = output.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    File::create(&part).map_err(|source| Error::File { action: "create", path: part.clone(), source })?;
    fs::remove_file(&part).map_err(|source| Error::File { action: "remove", path: part, source })
}
