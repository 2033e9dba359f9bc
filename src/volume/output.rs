//! Where the labels of a volume go.

use std::fs;
use std::path::{Path, PathBuf};

use super::after::AfterSteps;
use super::file::{LabelFile, ProbabilityFile};
use super::source::Volume;
use crate::ledger::ledger_path;
use crate::outputs::{refuse_files, try_to_create};
use crate::stac::item_path;
use crate::{Error, Existing, Location, Result};

/// Where the labels of a volume go.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumeOutput {
    /// The label volume: `.nii` or `.nii.gz`, or `.dcm` for a segmentation of DICOM images. What says how it was made goes beside it, with the ending
    /// `.json`.
    pub path: PathBuf,
    /// The probability of each class, 4-D, a volume for each class in the order of the card: `.nii` or `.nii.gz`. They are those of the mean scores, before
    /// anything is done with labels.
    pub probabilities: Option<PathBuf>,
    /// A picture of three orthogonal slices with the labels over them: `.png`.
    pub quick_look: Option<PathBuf>,
    /// What is done with labels when all are found.
    pub after: AfterSteps,
    /// What happens to files that are there already.
    pub existing: Existing,
}

/// What says how a label volume was made.
pub(super) fn item_of(labels: &Path) -> PathBuf {
    // As beside a scene's labels, but for two endings.
    let gzip = labels.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
    if gzip { item_path(&labels.with_extension("")) } else { item_path(labels) }
}

impl VolumeOutput {
    /// What says how the labels were made.
    #[must_use]
    pub fn item(&self) -> PathBuf {
        item_of(&self.path)
    }

    /// The volumes that are made, and what says how, which comes last: where that is, all are.
    #[must_use]
    pub fn products(&self) -> Vec<PathBuf> {
        self.volumes().cloned().chain([self.item()]).collect()
    }

    /// Whether a run of these outputs was begun, and can go on.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        ledger_path(&self.path).exists()
    }

    /// All files that are made.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.products().into_iter().chain(self.quick_look.clone()).collect()
    }

    /// The labels last.
    fn volumes(&self) -> impl Iterator<Item = &PathBuf> {
        self.probabilities.iter().chain([&self.path])
    }

    /// An error if a name does not say what is to be written, or is the volume's own, or a folder is missing or not writable.
    pub(super) fn check(&self, volume: &Volume) -> Result<()> {
        LabelFile::check(&self.path, volume)?;
        self.probabilities.iter().try_for_each(|path| ProbabilityFile::check(path, volume))?;
        let mut files: Vec<PathBuf> = self.files().into_iter().map(|file| std::path::absolute(&file).unwrap_or(file)).collect();
        files.sort();
        if let Some(twice) = files.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::OutputTwice { scene: volume.location().shown(), output: twice[0].clone() });
        }
        if let Location::Local(input) = volume.location() {
            let canonical = |path: &Path| fs::canonicalize(path).ok();
            let is_input = |path: &&PathBuf| canonical(path).is_some_and(|output| canonical(input) == Some(output));
            if let Some(output) = self.volumes().find(is_input) {
                return Err(Error::OutputIsScene { output: output.clone(), scene: input.clone() });
            }
        }
        self.files().iter().try_for_each(|file| try_to_create(file))
    }

    /// An error if a file is there already that must stay.
    pub(super) fn refuse(&self) -> Result<()> {
        refuse_files(&self.files(), self.existing)
    }
}
