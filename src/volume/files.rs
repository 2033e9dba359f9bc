//! A volume's files on this machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::ThreadPoolBuilder;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use swath_volumes::{Origin, VolumeProfile};
use tempfile::TempDir;

use super::kind::{is_dicom_prefix, is_volume_file_name};
use crate::sink::space::{self, Need};
use crate::storage::{ListEntry, below};
use crate::{Error, Location, Result, Version};

/// Files that are copied from a store at once: most of the time each of the small ones waits for an answer.
const COPIES: usize = 16;

/// The files of a volume on this machine: its own, or copies of those that a store has, which are removed on drop.
#[derive(Debug)]
pub struct VolumeFiles {
    /// As the user names it.
    location: Location,
    path: PathBuf,
    /// Which content the objects had that were copied.
    copied: Option<Version>,
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
        if let Location::Local(path) = location {
            return Ok(Self::local(path));
        }
        let fail = |action| move |source| Error::File { action, path: scratch.to_owned(), source };
        fs::create_dir_all(scratch).map_err(fail("create"))?;
        let copies = tempfile::Builder::new().prefix("swath-volume-").tempdir_in(scratch).map_err(fail("create a folder in"))?;
        let name = location.file_name();
        // Of a bucket itself there is no name.
        let path = if name.is_empty() { copies.path().to_owned() } else { below(copies.path(), &name)? };
        let missing = || Error::NoVolume { path: location.shown() };
        let versions = if !location.is_folder() && is_volume_file_name(Path::new(&name)) {
            let version = location.version()?.ok_or_else(missing)?;
            space::check(&[Need { file: path.clone(), bytes: version.size }])?;
            location.download(&path)?;
            vec![version]
        } else {
            let entries = objects_of(location)?;
            let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
            // A prefix may be all of a bucket.
            if !is_dicom_prefix(location, &names)? {
                return Err(missing());
            }
            let bytes = entries.iter().map(|entry| entry.version.size).sum();
            space::check(&[Need { file: copies.path().join("volume"), bytes }])?;
            copy_all(location, &names, &path)?;
            entries.into_iter().map(|entry| entry.version).collect()
        };
        Ok(Self { location: location.clone(), path, copied: Some(Version::of_all(&versions)), _copies: Some(copies) })
    }

    /// Those of a file or folder of this machine.
    #[must_use]
    pub fn local(path: &Path) -> Self {
        Self { location: path.into(), path: path.to_owned(), copied: None, _copies: None }
    }

    /// The volume, as the user names it.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Where the files, or their copies, are.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// An error of reading them, which says where copies came from.
    pub(super) fn named(&self, error: Error) -> Error {
        match (&self.location, error) {
            (Location::Remote(_), Error::Volume(source)) => Error::Copied { location: self.location.shown(), source },
            (_, error) => error,
        }
    }

    /// Which content those have that the volume `stored` is made of; where it is copied, the objects.
    pub(super) fn version(&self, stored: &VolumeProfile) -> Option<Version> {
        let of_files = || {
            let versions = images(stored).into_iter().map(|file| fs::metadata(file).ok().map(|file| Version::from(&file)));
            versions.collect::<Option<Vec<_>>>().map(|versions| Version::of_all(&versions))
        };
        self.copied.clone().or_else(of_files)
    }
}

/// The objects of a prefix that may be a volume's: no hidden ones, and none without a byte, as stores have them in the place of folders.
pub(super) fn objects_of(prefix: &Location) -> Result<Vec<ListEntry>> {
    let is_own = |entry: &ListEntry| entry.version.size > 0 && !entry.name.split('/').any(|part| part.starts_with('.'));
    Ok(prefix.list()?.into_iter().filter(is_own).collect())
}

/// Copies objects of a prefix to a folder, several at once; none is begun after one that fails.
fn copy_all(from: &Location, names: &[String], to: &Path) -> Result<()> {
    let copy = |name: &String| {
        let path = below(to, name)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|source| Error::File { action: "create", path: folder.to_owned(), source })?;
        }
        from.join(name)?.download(&path)
    };
    let pool = ThreadPoolBuilder::new().num_threads(COPIES).build()?;
    pool.install(|| names.par_iter().try_for_each(copy))
}

/// The files that a volume is made of, sorted: of a folder, those of its series alone.
pub(super) fn images(stored: &VolumeProfile) -> BTreeSet<&Path> {
    match &stored.origin {
        Origin::Dicom(series) => series.planes.iter().flatten().flatten().map(|plane| plane.path.as_path()).collect(),
        _ => BTreeSet::from([stored.path.as_path()]),
    }
}
