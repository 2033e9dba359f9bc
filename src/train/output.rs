//! The folder that a training makes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use swath_models::Model;

use super::{Metrics, Start, TrainError, curves, metrics};
use crate::sink::write_text;
use crate::{Error, Existing, Result};

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

    /// The folder that is there already in which it is, or will be made: where files without a name go.
    pub(super) fn scratch(&self) -> PathBuf {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        path.ancestors().find(|folder| folder.is_dir()).unwrap_or(&self.path).to_owned()
    }

    /// The model with the last weights.
    pub(super) fn last(&self) -> PathBuf {
        self.path.join("last")
    }

    /// What a training goes on from.
    pub(super) fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint.safetensors")
    }

    /// A picture of what the best network makes of what is held back.
    pub(super) fn picture(&self) -> PathBuf {
        self.path.join("validation.png")
    }

    /// An error if a training may not start here.
    pub(super) fn refuse(&self, start: Start) -> Result<()> {
        let path = || self.path.clone();
        match start {
            Start::Fresh(Existing::Refuse) if self.holds_more_than(&[]) => Err(Error::Exists { path: path() }),
            // All that a start leaves before its checkpoint is there.
            Start::Resume if !self.checkpoint().exists() && self.holds_more_than(&["checkpoint.safetensors.part"]) => {
                Err(TrainError::NoCheckpoint { folder: path() }.into())
            }
            Start::Fresh(_) | Start::Resume => Ok(()),
        }
    }

    /// Whether there is something at the path but a folder of these files.
    fn holds_more_than(&self, files: &[&str]) -> bool {
        let is_other =
            |entry: io::Result<fs::DirEntry>| entry.map_or(true, |entry| !files.iter().any(|file| entry.file_name() == *file));
        self.path.exists() && self.path.read_dir().map_or(true, |mut entries| entries.any(is_other))
    }

    /// Creates the folder.
    pub(super) fn create(&self) -> Result<()> {
        fs::create_dir_all(&self.path).map_err(|source| Error::File { action: "create", path: self.path.clone(), source })
    }

    /// Removes what an earlier training left: first what could go on.
    pub(super) fn clear(&self) -> Result<()> {
        let others = ["metrics.csv", "curves.png", "validation.png", "recipe.toml"].map(|name| self.path.join(name));
        let files = [self.checkpoint()].into_iter().chain(Model::files(&self.path)).chain(others);
        for file in files.filter(|file| file.exists()) {
            fs::remove_file(&file).map_err(|source| Error::File { action: "remove", path: file, source })?;
        }
        let last = self.last();
        if last.exists() {
            fs::remove_dir_all(&last).map_err(|source| Error::File { action: "remove", path: last, source })?;
        }
        Ok(())
    }

    /// Writes the recipe's text, unless it is there.
    pub(super) fn keep_recipe(&self, text: &str) -> Result<()> {
        let path = self.path.join("recipe.toml");
        if path.exists() { Ok(()) } else { write_text(&path, text, Existing::Refuse) }
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
