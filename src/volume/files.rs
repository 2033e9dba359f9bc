//! A volume's files on this machine.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::kind::{is_dicom_prefix, is_volume_file_name};
use crate::sink::space::{self, Need};
use crate::storage::ListEntry;
use crate::{Error, Location, Result, Version};

/// Files that are copied from a store at once: most of the time each of the small ones waits for an answer.
const COPIES: usize = 16;

/// The files of a volume on this machine: its own, or copies of those that a store has, which are removed on drop.
#[derive(Debug)]
pub struct VolumeFiles {
    /// As the user names it.
    location: Location,
    path: PathBuf,
    version: Option<Version>,
    /// Holds the copies.
    _copies: Option<TempDir>,
}

impl VolumeFiles {
    /// The files of a volume: a file or folder, or an object or a prefix in a store, whose objects are copied to a folder of their own in `scratch`.
    ///
    /// Decoders seek, and slices are sorted by what their headers say, so that a volume is copied as a whole before it is read.
    ///
    /// # Errors
    /// If there is nothing in the store, it cannot be read, or the folder not be written.
    pub fn fetch(location: &Location, scratch: &Path) -> Result<Self> {
        let remote = match location {
            Location::Local(path) => return Ok(Self::local(path)),
            Location::Remote(_) => location,
        };
        let fail = |action| move |source| Error::File { action, path: scratch.to_owned(), source };
        fs::create_dir_all(scratch).map_err(fail("create"))?;
        let copies = tempfile::Builder::new().prefix("swath-volume-").tempdir_in(scratch).map_err(fail("create a folder in"))?;
        let name = remote.file_name();
        let folder = Location::from(copies.path());
        let (path, versions) = if !remote.is_folder() && is_volume_file_name(Path::new(&name)) {
            let copy = folder.join(&name)?;
            let version = remote.version()?.ok_or_else(|| missing(remote))?;
            let Location::Local(path) = copy else { return Err(missing(remote)) };
            space::check(&[Need { file: path.clone(), bytes: version.size }])?;
            remote.download(&path)?;
            (path, vec![version])
        } else {
            let entries = objects_of(remote)?;
            let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
            // A prefix may be all of a bucket.
            if !is_dicom_prefix(remote, &names)? {
                return Err(missing(remote));
            }
            let bytes = entries.iter().map(|entry| entry.version.size).sum();
            space::check(&[Need { file: copies.path().join(&name), bytes }])?;
            // Of a bucket itself there is no name.
            let folder = if name.is_empty() { folder } else { folder.join(&name)? };
            copy_all(remote, &entries, &folder)?;
            let Location::Local(path) = folder else { return Err(missing(remote)) };
            date(&path, &entries)?;
            (path, entries.into_iter().map(|entry| entry.version).collect())
        };
        Ok(Self { location: remote.clone(), path, version: Some(Version::of_all(&versions)), _copies: Some(copies) })
    }

    /// Those of a file or folder of this machine.
    #[must_use]
    pub fn local(path: &Path) -> Self {
        Self { location: path.into(), path: path.to_owned(), version: version(path), _copies: None }
    }

    /// The volume, as the user names it.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Where the files, or their copies, are.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An error of reading them, which says where copies came from.
    pub(super) fn named(&self, error: Error) -> Error {
        match (&self.location, error) {
            (Location::Remote(_), Error::Volume(source)) => Error::Copied { location: self.location.shown(), source },
            (_, error) => error,
        }
    }

    /// Which content they had when they were looked at.
    pub(super) fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }
}

fn missing(location: &Location) -> Error {
    Error::NoVolume { path: location.shown() }
}

/// The objects of a prefix that may be a volume's: no hidden ones, and none without a byte, as stores have them in the place of folders.
pub(super) fn objects_of(prefix: &Location) -> Result<Vec<ListEntry>> {
    let is_own = |entry: &ListEntry| entry.version.size > 0 && !entry.name.split('/').any(|part| part.starts_with('.'));
    Ok(prefix.list()?.into_iter().filter(is_own).collect())
}

/// Copies all objects of a prefix to a folder, several at once; the first error in their order counts.
fn copy_all(from: &Location, entries: &[ListEntry], to: &Location) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<(usize, Error)>> = Mutex::new(None);
    let copy = |entry: &ListEntry| -> Result<()> {
        let Location::Local(path) = to.join(&entry.name)? else { return Err(missing(from)) };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|source| Error::File { action: "create", path: folder.to_owned(), source })?;
        }
        from.join(&entry.name)?.download(&path)
    };
    std::thread::scope(|scope| {
        for _ in 0..COPIES.min(entries.len()) {
            scope.spawn(|| {
                while let Some((place, entry)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, entries.get(n)?)))
                {
                    let Err(error) = copy(entry) else { continue };
                    // Whoever is not as far ends with the entry in hand.
                    next.store(entries.len(), Ordering::Relaxed);
                    let mut failed = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    if failed.as_ref().is_none_or(|(first, _)| place < *first) {
                        *failed = Some((place, error));
                    }
                }
            });
        }
    });
    match failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// Gives a folder the time of the newest file in it: what says when images were written must not say when they were copied.
fn date(folder: &Path, entries: &[ListEntry]) -> Result<()> {
    let fail = |source| Error::File { action: "date", path: folder.to_owned(), source };
    let written = |entry: &ListEntry| fs::metadata(folder.join(&entry.name)).and_then(|file| file.modified());
    let times = entries.iter().map(written).collect::<io::Result<Vec<_>>>().map_err(fail)?;
    let Some(newest) = times.into_iter().max() else { return Ok(()) };
    File::open(folder).and_then(|folder| folder.set_modified(newest)).map_err(fail)
}

/// Which content a file has, or a folder's files.
fn version(path: &Path) -> Option<Version> {
    if path.is_file() {
        return fs::metadata(path).ok().map(|file| Version::from(&file));
    }
    let mut files: Vec<PathBuf> = fs::read_dir(path).ok()?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let versions: Vec<Version> =
        files.iter().filter_map(|file| fs::metadata(file).ok()).map(|file| Version::from(&file)).collect();
    Some(Version::of_all(&versions))
}
