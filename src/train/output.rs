//! The folder that a training makes.

use std::fs;
use std::path::{Path, PathBuf};

use swath_models::Model;

use super::{Metrics, curves, metrics};
use crate::{Error, Result};

/// A model folder, with what else a training leaves there: the last weights as a model folder of their own, a checkpoint, the recipe, and how it
/// went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OutputFolder {
    path: PathBuf,
}

impl OutputFolder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The model with the last weights.
    pub(super) fn last(&self) -> PathBuf {
        self.path.join("last")
    }

    /// What a training goes on from.
    pub(super) fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint.safetensors")
    }

    /// Creates the folder, empty of what an earlier training left there.
    pub(super) fn clear(&self) -> Result<()> {
        let files = Model::files(&self.path).into_iter().chain([
            self.checkpoint(),
            self.path.join("metrics.csv"),
            self.path.join("curves.png"),
            self.path.join("recipe.toml"),
        ]);
        for file in files.filter(|file| file.exists()) {
            fs::remove_file(&file).map_err(|source| Error::File { action: "remove", path: file, source })?;
        }
        let last = self.last();
        if last.exists() {
            fs::remove_dir_all(&last).map_err(|source| Error::File { action: "remove", path: last, source })?;
        }
        fs::create_dir_all(&self.path).map_err(|source| Error::File { action: "create", path: self.path.clone(), source })
    }

    /// Writes the recipe's text.
    pub(super) fn keep_recipe(&self, text: &str) -> Result<()> {
        let path = self.path.join("recipe.toml");
        fs::write(&path, text).map_err(|source| Error::File { action: "write", path, source })
    }

    /// Writes a model to `folder`, file by file in place of an earlier one, each once it is complete. All of a training have the same card and
    /// graph: at any time the folder is a model.
    pub(super) fn publish(folder: &Path, model: &Model) -> Result<()> {
        let fresh = folder.join("new");
        for leftover in [fresh.clone(), folder.join("new.part")].into_iter().filter(|path| path.exists()) {
            fs::remove_dir_all(&leftover).map_err(|source| Error::File { action: "remove", path: leftover, source })?;
        }
        model.write(&fresh)?;
        for (from, to) in Model::files(&fresh).into_iter().zip(Model::files(folder)) {
            fs::rename(&from, to).map_err(|source| Error::File { action: "rename", path: from, source })?;
        }
        fs::remove_dir(&fresh).map_err(|source| Error::File { action: "remove", path: fresh, source })
    }

    /// Writes how the training goes, as a table and as a picture.
    pub(super) fn report(&self, rows: &[Metrics], classes: &[String], steps: u64) -> Result<()> {
        metrics::write(rows, classes, &self.path.join("metrics.csv"))?;
        curves::draw(rows, steps, &self.path.join("curves.png"))
    }
}
