//! The files that a run writes.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::ledger::ledger_path;
use crate::plan::Layers;
use crate::sink::{part_path, refuse};
use crate::stac::item_path;
use crate::{Error, Existing, LayerEncoding, Result};

/// The files that a run writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// The label raster. Its STAC item goes beside it.
    pub labels: PathBuf,
    /// One band per class.
    pub probabilities: Option<ProbabilityOutput>,
    /// The probability of each pixel's label, in 8 bits.
    pub confidence: Option<PathBuf>,
    /// What happens to files that are there already.
    pub existing: Existing,
}

/// Where and how probabilities are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbabilityOutput {
    /// The file.
    pub path: PathBuf,
    /// How they are stored.
    pub encoding: LayerEncoding,
}

impl Outputs {
    /// Labels only.
    #[must_use]
    pub fn labels(path: PathBuf, existing: Existing) -> Self {
        Self { labels: path, probabilities: None, confidence: None, existing }
    }

    /// The STAC item beside the labels.
    #[must_use]
    pub fn item(&self) -> PathBuf {
        item_path(&self.labels)
    }

    /// All rasters, the labels first.
    #[must_use]
    pub fn rasters(&self) -> Vec<PathBuf> {
        let layers = self.probabilities.as_ref().map(|p| p.path.clone()).into_iter().chain(self.confidence.clone());
        [self.labels.clone()].into_iter().chain(layers).collect()
    }

    /// All files that a run makes, but for what GIS read beside the labels.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = self.rasters();
        files.insert(1, self.item());
        files
    }

    /// Whether a run of these outputs was begun, and can go on.
    pub(crate) fn is_unfinished(&self) -> bool {
        ledger_path(&self.labels).exists()
    }

    /// What is written beside the labels.
    #[must_use]
    pub fn layers(&self) -> Layers {
        Layers {
            probabilities: self.probabilities.as_ref().map(|probabilities| probabilities.encoding),
            confidence: self.confidence.as_ref().map(|_| LayerEncoding::U8),
        }
    }

    /// An error if a file is there already that must stay, or a folder.
    pub(crate) fn refuse(&self) -> Result<()> {
        refuse_files(&self.files(), self.existing)
    }

    /// An error if the folder of a file is missing or not writable.
    pub(crate) fn try_to_create(&self) -> Result<()> {
        self.files().iter().try_for_each(|file| try_to_create(file))
    }

    /// An error if one of the files is that scene.
    pub(crate) fn refuse_scene(&self, scene: &Path) -> Result<()> {
        let Ok(scene_file) = fs::canonicalize(scene) else { return Ok(()) };
        let is_scene = |file: &PathBuf| fs::canonicalize(file).is_ok_and(|file| file == scene_file);
        match self.files().into_iter().find(is_scene) {
            Some(output) => Err(Error::OutputIsScene { output, scene: scene.to_owned() }),
            None => Ok(()),
        }
    }
}

/// An error if there is a file already that must stay, or a folder.
///
/// # Errors
/// As said.
pub fn refuse_files(files: &[PathBuf], existing: Existing) -> Result<()> {
    files.iter().try_for_each(|file| refuse(file, existing))
}

/// The same, and an error if a folder is missing or not writable: what could not be written is found before the work rather than after it.
///
/// # Errors
/// As said.
pub fn check_files(files: &[PathBuf], existing: Existing) -> Result<()> {
    refuse_files(files, existing)?;
    files.iter().try_for_each(|file| try_to_create(file))
}

/// Creates the file that `output` is first written to, and takes it away again; one that is there already says as much.
pub(crate) fn try_to_create(output: &Path) -> Result<()> {
    let part = part_path(output);
    match OpenOptions::new().write(true).create_new(true).open(&part) {
        Ok(_) => fs::remove_file(&part).map_err(|source| Error::File { action: "remove", path: part, source }),
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(Error::File { action: "create", path: part, source }),
    }
}
