//! Where the products of a scene go.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::digest::Digest;
use crate::{Error, Existing, Location, Result, remote, write_text};

/// In the staging folder once delivery began: from then on, objects that lie where products go are this run's own.
const DELIVERING: &str = "delivering";

/// Where the products of a scene go: a local folder, or a prefix in a store. What goes to a store is made in a local staging folder, and delivered
/// when all of it is finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The folder or prefix.
    folder: Location,
    /// The local folder that files are made in.
    workplace: PathBuf,
}

impl Target {
    /// Where the label raster `labels`, and what belongs to it, goes. What goes to a store is made in a folder of its own in `scratch`: the same
    /// one each time, so that an unfinished run is found.
    #[must_use]
    pub fn new(labels: &Location, scratch: &Path) -> Self {
        let folder = labels.parent();
        let workplace = match &folder {
            Location::Local(folder) => folder.clone(),
            Location::Remote(_) => {
                let mut digest = Digest::default();
                digest.add(labels.to_string().as_bytes());
                scratch.join(format!("swath-{}", &digest.hex()[..16]))
            }
        };
        Self { folder, workplace }
    }

    /// Creates the folder that products are made in.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(&self) -> Result<()> {
        let path = &self.workplace;
        fs::create_dir_all(path).map_err(|source| Error::File { action: "create", path: path.clone(), source })
    }

    /// Where the product of this name is made.
    #[must_use]
    pub fn made(&self, name: &str) -> PathBuf {
        self.workplace.join(name)
    }

    /// Where the product of this name is in the end.
    ///
    /// # Errors
    /// If it is no name for an object.
    pub fn delivered(&self, name: &str) -> Result<Location> {
        self.folder.join(name)
    }

    /// An error if one of the files exists where it goes, and must stay. Those that an earlier run of the same target began to deliver need not.
    ///
    /// # Errors
    /// If one exists, or the store cannot be asked.
    pub fn refuse(&self, files: &[PathBuf], existing: Existing) -> Result<()> {
        if existing == Existing::Overwrite || self.is_delivering() || !self.is_staged() {
            return Ok(());
        }
        for file in files {
            let location = self.delivered(&file_name(file))?;
            if location.version()?.is_some() {
                return Err(Error::Exists { path: location.shown() });
            }
        }
        Ok(())
    }

    /// Takes finished files to where they go, in this order, and removes the staging folder; nothing is to be done for a local folder.
    ///
    /// # Errors
    /// If a file exists already and must stay, or the store does not take one.
    pub fn deliver(&self, files: &[PathBuf], existing: Existing) -> Result<()> {
        if !self.is_staged() {
            return Ok(());
        }
        let existing = if self.is_delivering() { Existing::Overwrite } else { existing };
        write_text(&self.made(DELIVERING), "", Existing::Overwrite)?;
        // The item says that all is there: it comes last, as it does on a disk.
        for file in files {
            let Location::Remote(uri) = self.delivered(&file_name(file))? else { continue };
            remote::upload(file, &uri, existing)?;
        }
        Ok(())
    }

    /// Removes the staging folder, if there is one; nothing is to be done for a local folder.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn clear(&self) -> Result<()> {
        if !self.is_staged() {
            return Ok(());
        }
        let path = &self.workplace;
        match fs::remove_dir_all(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(Error::File { action: "remove", path: path.clone(), source })
            }
            _ => Ok(()),
        }
    }

    /// Whether products are made elsewhere than they go.
    #[must_use]
    pub fn is_staged(&self) -> bool {
        matches!(self.folder, Location::Remote(_))
    }

    /// Whether delivery was begun.
    #[must_use]
    pub fn is_delivering(&self) -> bool {
        self.made(DELIVERING).exists()
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
