//! Where the products of a scene go.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::ledger::{Ledger, Tidied};
use crate::{Error, Existing, Location, RemoteError, Result, Scheme, remote};

/// In the staging folder: a line for each product that is being delivered or was, `+NAME`, and one for each that was not taken as another object was
/// there, `-NAME`. What is noted is this run's own, should it be killed.
const DELIVERED: &str = "delivered";

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

    /// Where a product is made that is to be at `product`: a file itself, but what goes to a store in the local folder.
    ///
    /// # Errors
    /// If it would not lie in a store with the labels, in the same folder, or not here with them: what says how they were made names its files from its
    /// own folder on.
    pub fn place(&self, product: &Location, labels: &Location) -> Result<PathBuf> {
        match product {
            Location::Local(path) if !self.is_staged() => Ok(path.clone()),
            Location::Remote(_) if self.is_staged() && product.parent() == self.folder => Ok(self.made(&product.file_name())),
            _ => Err(Error::Apart { labels: labels.shown(), layer: product.shown() }),
        }
    }

    /// Where the product of this name is in the end.
    ///
    /// # Errors
    /// If it is no name for an object.
    pub fn delivered(&self, name: &str) -> Result<Location> {
        self.folder.join(name)
    }

    /// An error if one of the files goes where one of the scene's lies, or to a kind of store that takes none, or exists there and must stay. Those that an
    /// earlier run of the same target delivered need not.
    ///
    /// # Errors
    /// As said, or if the store cannot be asked.
    pub fn refuse(&self, files: &[PathBuf], scenes: &[&Location], existing: Existing) -> Result<()> {
        let Location::Remote(folder) = &self.folder else { return Ok(()) };
        if folder.scheme() == Scheme::Http {
            return Err(Error::ReadOnly { path: self.folder.shown() });
        }
        let own = self.delivered_before()?;
        for file in files {
            let location = self.delivered(&file_name(file))?;
            if let Some(scene) = scenes.iter().find(|scene| scene.shown() == location.shown()) {
                return Err(Error::OutputIsScene { output: location.shown(), scene: scene.shown() });
            }
            if existing == Existing::Refuse && !own.contains(&file_name(file)) && location.version()?.is_some() {
                return Err(Error::Exists { path: location.shown() });
            }
        }
        Ok(())
    }

    /// Takes finished files to where they go, in this order; nothing is to be done for a local folder.
    ///
    /// # Errors
    /// If a file exists already and must stay, or the store does not take one.
    pub fn deliver(&self, files: &[PathBuf], existing: Existing) -> Result<()> {
        if !self.is_staged() {
            return Ok(());
        }
        let own = self.delivered_before()?;
        for file in files {
            let name = file_name(file);
            let Location::Remote(uri) = self.delivered(&name)? else { continue };
            let is_own = own.contains(&name);
            if existing == Existing::Refuse && !is_own && Location::Remote(uri.clone()).version()?.is_some() {
                return Err(Error::Exists { path: uri.to_string().into() });
            }
            self.note('+', &name)?;
            let delivered = remote::upload(file, &uri, if is_own { Existing::Overwrite } else { existing });
            if let Err(Error::Remote { source: RemoteError::Exists, .. }) = &delivered {
                self.note('-', &name)?;
            }
            delivered?;
        }
        Ok(())
    }

    /// The names of products that were delivered, or may have been when a run was killed.
    fn delivered_before(&self) -> Result<HashSet<String>> {
        let path = self.made(DELIVERED);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashSet::new()),
            Err(source) => return Err(Error::File { action: "read", path, source }),
        };
        let mut names = HashSet::new();
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            match line.split_at_checked(1) {
                Some(("+", name)) => drop(names.insert(name.to_owned())),
                Some(("-", name)) => drop(names.remove(name)),
                _ => {}
            }
        }
        Ok(names)
    }

    /// Adds a line to what is noted; it is on the disk when this returns.
    fn note(&self, sign: char, name: &str) -> Result<()> {
        let path = self.made(DELIVERED);
        let append = || {
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            writeln!(file, "{sign}{name}")?;
            file.sync_data()
        };
        append().map_err(|source| Error::File { action: "write", path: path.clone(), source })
    }

    /// Removes the staging folder, if there is one, at once: what a kill leaves of it is under another name. Nothing is to be done for a local folder.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn clear(&self) -> Result<()> {
        if !self.is_staged() {
            return Ok(());
        }
        let gone = self.workplace.with_extension("gone");
        unless_missing("remove", &gone, fs::remove_dir_all(&gone))?;
        unless_missing("remove", &self.workplace, fs::rename(&self.workplace, &gone))?;
        unless_missing("remove", &gone, fs::remove_dir_all(&gone))
    }

    /// Removes what a run left that was killed right after the products were complete, of which `labels` is where the label raster is made. An unfinished
    /// run of others stays.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub(crate) fn tidy(&self, labels: &Path) -> Result<()> {
        match Ledger::tidy(labels)? {
            Tidied::Nothing => self.clear(),
            Tidied::OtherRun => Ok(()),
        }
    }

    /// Whether products are made elsewhere than they go.
    #[must_use]
    pub fn is_staged(&self) -> bool {
        matches!(self.folder, Location::Remote(_))
    }

    /// Whether a run delivered a product, or may have.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.made(DELIVERED).exists()
    }
}

/// The result, in which nothing is wrong if there was nothing.
fn unless_missing(action: &'static str, path: &Path, result: io::Result<()>) -> Result<()> {
    match result {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::File { action, path: path.to_owned(), source }),
        _ => Ok(()),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use swath_tiling::Window;

    use super::*;
    use crate::ledger::{Durability, Run, Stage};

    #[test]
    fn a_staged_run_that_is_still_labelling_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let target = Target::new(&"s3://bucket/labels.tif".parse().unwrap(), scratch.path());
        let labels = target.made("labels.tif");
        for (stage, left) in [(Stage::Labelling, 1), (Stage::Publishing, 0)] {
            target.create().unwrap();
            let mut ledger = Ledger::open(&labels).unwrap();
            ledger.begin(Run { identity: Value::Null, files: vec![labels.clone()] }, Durability::Process).unwrap();
            ledger.record(Window::plane(0, 0, 7, 5), "digest".into()).unwrap();
            ledger.enter(stage).unwrap();
            // Another process is at it.
            target.tidy(&labels).unwrap();
            assert!(labels.parent().unwrap().exists(), "{stage:?}");
            drop(ledger);
            target.tidy(&labels).unwrap();
            assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), left, "{stage:?}");
        }
    }
}
