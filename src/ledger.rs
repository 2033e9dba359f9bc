//! What an unfinished run has done so far, on disk.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use swath_tiling::Window;

use crate::identity::difference;
use crate::sink::{Start, Unpublished, changed_path, remove, scratch_path, suffixed};
use crate::{Error, Existing, Result};

/// `LABELS.ledger.part`: a JSON object a line. The first says which run this is, each later one that a window is on the disk, or how far publishing
/// is. A line that a killed process did not end is no line.
///
/// The file is locked as long as this lives: two processes never write the same outputs. The lock ends with its process, however that ends.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    file: File,
    /// What the file says; none if no run has begun.
    entries: Option<Entries>,
    durability: Durability,
}

/// What is left of runs where the outputs are complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tidied {
    Nothing,
    /// An unfinished run that is none of theirs.
    OtherRun,
}

/// What a ledger outlives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The process.
    Process,
    /// The machine: what is written waits for the disk.
    Machine,
}

/// What a ledger says.
#[derive(Clone, Debug)]
pub(crate) struct Entries {
    pub(crate) run: Run,
    pub(crate) windows: Vec<Finished>,
    pub(crate) stage: Stage,
}

/// Which run a ledger is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// What its outputs depend on.
    pub(crate) identity: Value,
    /// The files that it makes.
    pub(crate) files: Vec<PathBuf>,
}

impl Run {
    /// What another run does otherwise; none if it is the same.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        let difference = difference(&self.identity, &other.identity);
        if !difference.is_empty() {
            return Some(difference);
        }
        (self.files != other.files).then(|| "output files".into())
    }
}

/// A window whose pixels are on the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finished {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    /// SHA-256 of its bytes in all scratch files.
    pub(crate) sha256: String,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// Windows are being written.
    Labelling,
    /// Some outputs may have their names, others not.
    Publishing,
    /// All outputs have their names; what was temporary may still be there.
    Published,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Run(Run),
    Window(Finished),
    Stage(Stage),
}

/// The ledger beside a label raster.
pub(crate) fn ledger_path(labels: &Path) -> PathBuf {
    suffixed(labels, ".ledger.part")
}

impl Finished {
    pub(crate) fn window(&self) -> Window {
        Window::plane(self.x, self.y, self.width, self.height)
    }
}

impl Ledger {
    /// Opens and locks the ledger beside a label raster, or begins one.
    ///
    /// # Errors
    /// If another process has it, or it cannot be written.
    pub(crate) fn open(labels: &Path) -> Result<Self> {
        let path = ledger_path(labels);
        let fail = |source| Error::File { action: "open", path: path.clone(), source };
        loop {
            let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(fail)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(Error::Busy { path: labels.to_owned() }),
                Err(TryLockError::Error(source)) => return Err(fail(source)),
            }
            // Whoever had the lock before may have removed the file meanwhile: then this one is nobody's.
            if is_at(&file, &path).map_err(fail)? {
                let (entries, end) = read(&mut file).map_err(fail)?;
                file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map_err(fail)?;
                let mut ledger = Self { path, file, entries, durability: Durability::Process };
                if !ledger.is_worth_keeping() {
                    ledger.forget()?;
                }
                return Ok(ledger);
            }
        }
    }

    /// Removes what a run left beside outputs that are known to be complete: it was killed when it was about to say so itself. A run that is still
    /// labelling, for which they are to make room, or that another process is at, stays.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub(crate) fn tidy(labels: &Path) -> Result<Tidied> {
        if !ledger_path(labels).exists() {
            return Ok(Tidied::Nothing);
        }
        let mut ledger = match Self::open(labels) {
            Ok(ledger) => ledger,
            Err(Error::Busy { .. }) => return Ok(Tidied::OtherRun),
            Err(error) => return Err(error),
        };
        match ledger.entries().map(|entries| entries.stage) {
            Some(Stage::Labelling) => Ok(Tidied::OtherRun),
            _ => ledger.forget().map(|()| Tidied::Nothing),
        }
    }

    /// What an unfinished run has done; none if there is none.
    pub(crate) fn entries(&self) -> Option<&Entries> {
        self.entries.as_ref()
    }

    /// Whether `run` goes on with what is there, and what then happens to outputs that are there already: those that were being published are its own.
    ///
    /// # Errors
    /// If there is another unfinished run, and it must stay.
    pub(crate) fn admit(&self, run: &Run, labels: &Path, existing: Existing) -> Result<(Start, Existing)> {
        let Some(found) = &self.entries else { return Ok((Start::Anew, existing)) };
        match (found.run.difference(run), existing) {
            (None, _) if found.stage == Stage::Publishing => Ok((Start::Continue, Existing::Overwrite)),
            (None, _) => Ok((Start::Continue, existing)),
            (Some(_), Existing::Overwrite) => Ok((Start::Anew, existing)),
            (Some(difference), Existing::Refuse) => Err(Error::OtherRun { path: labels.to_owned(), difference }),
        }
    }

    /// Begins a run, in place of another one.
    pub(crate) fn begin(&mut self, run: Run, durability: Durability) -> Result<()> {
        self.forget()?;
        self.durability = durability;
        self.append(&Line::Run(run.clone()))?;
        self.entries = Some(Entries { run, windows: Vec::new(), stage: Stage::Labelling });
        Ok(())
    }

    /// Takes note of a window whose pixels are on the disk.
    pub(crate) fn record(&mut self, window: Window, sha256: String) -> Result<()> {
        let Window { x, y, width, height, .. } = window;
        let finished = Finished { x, y, width, height, sha256 };
        self.append(&Line::Window(finished.clone()))?;
        if let Some(entries) = &mut self.entries {
            entries.windows.push(finished);
        }
        Ok(())
    }

    /// Goes on with the run that is there.
    pub(crate) fn go_on(&mut self) {
        self.durability = Durability::Machine;
    }

    /// Takes note of how far a run is.
    pub(crate) fn enter(&mut self, stage: Stage) -> Result<()> {
        self.append(&Line::Stage(stage))?;
        if let Some(entries) = &mut self.entries {
            entries.stage = stage;
        }
        Ok(())
    }

    /// Whether another process could go on with what is there.
    pub(crate) fn is_worth_keeping(&self) -> bool {
        self.entries.as_ref().is_some_and(|entries| match entries.stage {
            Stage::Labelling => !entries.windows.is_empty(),
            Stage::Publishing => true,
            Stage::Published => false,
        })
    }

    /// Forgets a run, and removes its temporary files.
    pub(crate) fn forget(&mut self) -> Result<()> {
        // The list of files goes last: a kill in between leaves nothing that no one knows.
        let files = self.entries.as_ref().map(|entries| entries.run.files.clone()).unwrap_or_default();
        files.iter().try_for_each(|file| {
            remove(&scratch_path(file))?;
            remove(&changed_path(file))?;
            Unpublished::clear(file)
        })?;
        self.entries = None;
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(|source| self.error(source))
    }

    /// Writes a line.
    fn append(&mut self, line: &Line) -> Result<()> {
        let text = serde_json::to_string(line).map_err(|error| self.error(error.into()))?;
        let written = self.file.write_all(format!("{text}\n").as_bytes());
        let synced = written.and_then(|()| match self.durability {
            Durability::Process => Ok(()),
            Durability::Machine => self.file.sync_data(),
        });
        synced.map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> Error {
        Error::File { action: "write", path: self.path.clone(), source }
    }
}

impl Drop for Ledger {
    /// Removes the file where nobody could go on with it.
    fn drop(&mut self) {
        if !self.is_worth_keeping()
            && let Err(error) = remove(&self.path)
        {
            tracing::warn!("{error}");
        }
    }
}

/// Whether the file has that path.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok([ours.dev(), ours.ino()] == [there.dev(), there.ino()]),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What whole lines say, and where the last of them ends.
fn read(file: &mut File) -> io::Result<(Option<Entries>, u64)> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let (mut entries, mut end): (Option<Entries>, u64) = (None, 0);
    for text in bytes.split_inclusive(|byte| *byte == b'\n') {
        let line = if text.ends_with(b"\n") { serde_json::from_slice(text).ok() } else { None };
        match (line, &mut entries) {
            (Some(Line::Run(run)), None) => entries = Some(Entries { run, windows: Vec::new(), stage: Stage::Labelling }),
            (Some(Line::Window(window)), Some(entries)) => entries.windows.push(window),
            (Some(Line::Stage(stage)), Some(entries)) => entries.stage = stage,
            _ => break,
        }
        end += text.len() as u64;
    }
    Ok((entries, end))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_that_was_not_ended_is_none_and_the_next_one_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let labels = folder.path().join("labels.tif");
        let path = folder.path().join("labels.tif.ledger.part");
        let run = Run { identity: json!({ "tile": 3 }), files: vec![labels.clone()] };
        let windows = [0, 5, 10].map(|y| Window::plane(0, y, 7, 5));
        let mut ledger = Ledger::open(&labels).unwrap();
        ledger.begin(run.clone(), Durability::Machine).unwrap();
        for window in windows {
            ledger.record(window, format!("{:064}", window.y)).unwrap();
        }
        drop(ledger);
        let whole = fs::read(&path).unwrap();
        // However much of it is there, no more than whole lines count.
        for length in 0..=whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let lines = whole[..length].split(|byte| *byte == b'\n').count() - 1;
            let mut ledger = Ledger::open(&labels).unwrap();
            let read = ledger.entries().map(|entries| entries.windows.iter().map(Finished::window).collect::<Vec<_>>());
            assert_eq!(read, lines.checked_sub(1).filter(|count| *count > 0).map(|count| windows[..count].to_vec()), "{length}");
            if lines > 1 {
                ledger.record(windows[0], "again".into()).unwrap();
                drop(ledger);
                let last = Ledger::open(&labels).unwrap().entries().unwrap().windows.last().unwrap().clone();
                assert_eq!(last.sha256, "again");
            }
        }
    }

    #[test]
    fn one_process_at_a_time_and_nothing_left_where_nothing_was_done() {
        let folder = tempfile::tempdir().unwrap();
        let labels = folder.path().join("labels.tif");
        let ledger = Ledger::open(&labels).unwrap();
        assert!(matches!(Ledger::open(&labels), Err(Error::Busy { .. })));
        drop(ledger);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut ledger = Ledger::open(&labels).unwrap();
        fs::write(scratch_path(&labels), "pixels").unwrap();
        ledger.begin(Run { identity: Value::Null, files: vec![labels.clone()] }, Durability::Machine).unwrap();
        drop(ledger);
        // A run without a finished window leaves no ledger; its scratch file is another's to remove.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_run_left_goes_once_its_outputs_have_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let labels = folder.path().join("labels.tif");
        let run = Run { identity: Value::Null, files: vec![labels.clone()] };
        for (stage, left) in [(Stage::Labelling, 2), (Stage::Publishing, 0), (Stage::Published, 0)] {
            let mut ledger = Ledger::open(&labels).unwrap();
            ledger.begin(run.clone(), Durability::Machine).unwrap();
            fs::write(scratch_path(&labels), "pixels").unwrap();
            ledger.record(Window::plane(0, 0, 7, 5), "digest".into()).unwrap();
            ledger.enter(stage).unwrap();
            // Whoever is at it is left in peace.
            assert_eq!(Ledger::tidy(&labels).unwrap(), Tidied::OtherRun);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "{stage:?}");
            // A kill runs no destructors.
            let path = ledger.path.clone();
            let bytes = fs::read(&path).unwrap();
            drop(ledger);
            fs::write(&path, bytes).unwrap();
            let tidied = if stage == Stage::Labelling { Tidied::OtherRun } else { Tidied::Nothing };
            assert_eq!(Ledger::tidy(&labels).unwrap(), tidied);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), left, "{stage:?}");
        }
        assert_eq!(Ledger::tidy(&labels).unwrap(), Tidied::Nothing);
    }
}
