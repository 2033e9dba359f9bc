//! Giving a finished file its name.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::temporary::{Temporary, remove, suffixed};
use crate::{Error, Result};

/// What happens to an earlier file of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays; nothing is written.
    Refuse,
    /// It is replaced, once the new file is complete.
    Overwrite,
}

/// Files that would describe the new raster, but belong to an earlier one of the same name: GDAL's metadata, overviews and masks, and the
/// attribute table that ArcGIS and QGIS read.
const SIDECARS: [&str; 4] = [".aux.xml", ".ovr", ".msk", ".vat.dbf"];

/// What the name of an output ends with until it is complete.
const PART: &str = ".part";

/// What GDAL writes beside `PATH.part`, and may leave there when it fails.
const BESIDE: [&str; 4] = ["", ".aux.xml", ".ovr.tmp", ".msk.ovr.tmp"];

/// An output on its way: everything is written to `PATH.part`, which is removed on drop unless it was published.
#[derive(Debug)]
pub(crate) struct Unpublished {
    path: PathBuf,
    part: Temporary,
    existing: Existing,
}

impl Unpublished {
    /// Creates an empty `PATH.part`, so that a folder that is missing or not writable shows at once.
    pub(crate) fn create(path: &Path, existing: Existing) -> Result<Self> {
        refuse(path, existing)?;
        let part = Temporary::beside(path, PART, &BESIDE);
        // GDAL would take what a killed process left beside it for the new file's own; the file itself is emptied below.
        for suffix in BESIDE.iter().filter(|suffix| !suffix.is_empty()) {
            remove(&suffixed(part.path(), suffix))?;
        }
        File::create(part.path()).map_err(|source| Error::File { action: "create", path: part.path().to_owned(), source })?;
        Ok(Self { path: path.to_owned(), part, existing })
    }

    /// Removes what a killed process may have left of the output `path`.
    pub(crate) fn clear(path: &Path) -> Result<()> {
        Temporary::beside(path, PART, &BESIDE).remove()
    }

    /// The file's final name.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where to write it.
    pub(crate) fn part(&self) -> &Path {
        self.part.path()
    }

    /// Renames `PATH.part`, and its `.aux.xml` if it has one, after removing what describes an earlier file.
    pub(crate) fn publish(self) -> Result<()> {
        refuse(&self.path, self.existing)?;
        let part = self.part.path();
        // Some file systems report a full disk no earlier than here.
        let sync = File::open(part).and_then(|file| file.sync_all());
        sync.map_err(|source| Error::File { action: "write", path: part.to_owned(), source })?;
        for sidecar in SIDECARS {
            remove(&suffixed(&self.path, sidecar))?;
        }
        rename(part, &self.path)?;
        let aux = suffixed(part, ".aux.xml");
        if aux.exists() { rename(&aux, &suffixed(&self.path, ".aux.xml")) } else { Ok(()) }
    }
}

/// Writes a text file; it appears whole or not at all.
///
/// # Errors
/// If the file exists and must stay, or cannot be written.
pub fn write_text(path: &Path, text: &str, existing: Existing) -> Result<()> {
    prepare_text(path, text, existing)?.publish()
}

/// Writes a text file that has no name yet.
pub(crate) fn prepare_text(path: &Path, text: &str, existing: Existing) -> Result<Unpublished> {
    let output = Unpublished::create(path, existing)?;
    let part = output.part();
    fs::write(part, text).map_err(|source| Error::File { action: "write", path: part.to_owned(), source })?;
    Ok(output)
}

/// Where an output is written first.
pub(crate) fn part_path(path: &Path) -> PathBuf {
    suffixed(path, PART)
}

/// An error if there is a file already that must stay, or a folder.
pub(crate) fn refuse(path: &Path, existing: Existing) -> Result<()> {
    if path.is_dir() || (existing == Existing::Refuse && path.exists()) {
        return Err(Error::Exists { path: path.to_owned() });
    }
    Ok(())
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|source| Error::File { action: "rename", path: from.to_owned(), source })
}
