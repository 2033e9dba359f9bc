//! Where what is made of a volume goes.

use std::path::{Path, PathBuf};

use super::after::AfterSteps;
use super::output::VolumeOutput;
use super::report::{ClassVolume, VolumeReport};
use super::segmenter::VolumeSegmenter;
use super::source::Volume;
use crate::plan::Plan;
use crate::{Existing, Location, Observer, Result, Target};

/// What the probabilities of a volume are called, after its name and before an ending.
pub(super) const PROBABILITIES: &str = "_probabilities";

/// The name of a `NIfTI` file without its ending.
pub(super) fn stem_of(name: &str) -> &str {
    name.trim_end_matches(".gz").trim_end_matches(".nii")
}

/// What a volume's labels are called, without an ending.
#[must_use]
pub fn name_of(volume: &Location) -> String {
    let name = volume.file_name();
    let name = match volume {
        Location::Local(path) if path.is_dir() => &name,
        _ => stem_of(&name).trim_end_matches(".dcm"),
    };
    if name.is_empty() { "volume".into() } else { name.to_owned() }
}

/// Where what is made of a volume goes: to local files, or by way of a staging folder to a store.
#[derive(Debug)]
pub struct VolumePlace {
    /// Where the labels are in the end.
    pub labels: Location,
    /// What is made here.
    pub output: VolumeOutput,
    target: Target,
}

impl VolumePlace {
    /// What goes to a store is made in `scratch`.
    ///
    /// # Errors
    /// If probabilities are to go to a store where labels do not, or the other way round, or to another folder of one.
    pub fn new(
        labels: Location,
        probabilities: Option<&Location>,
        after: AfterSteps,
        existing: Existing,
        scratch: &Path,
    ) -> Result<Self> {
        let target = Target::new(&labels, scratch);
        let path = target.place(&labels, &labels)?;
        let probabilities = probabilities.map(|location| target.place(location, &labels)).transpose()?;
        let output = VolumeOutput { path, probabilities, quick_look: None, after, existing };
        Ok(Self { labels, output, target })
    }

    /// An error if labelling could not begin.
    ///
    /// # Errors
    /// As said.
    pub fn check(&self, segmenter: &VolumeSegmenter, volume: &Volume, plan: &Plan) -> Result<()> {
        self.refuse(volume.location())?;
        if self.target.is_staged() {
            self.target.create()?;
        }
        self.cleared(segmenter.check(volume, plan, &self.output))
    }

    /// An error if something is in a store that must stay, or is the volume itself: what can be said before a volume is copied.
    ///
    /// # Errors
    /// As said, or if the store cannot be asked.
    pub fn refuse(&self, volume: &Location) -> Result<()> {
        self.target.refuse(&self.output.products(), &[volume], self.output.existing)
    }

    /// The result; the staging folder goes where it was an error that nothing is gone on with.
    fn cleared<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err()
            && !self.output.is_unfinished()
            && !self.target.is_begun()
            && let Err(error) = self.target.clear()
        {
            tracing::warn!("{}", error.with_causes());
        }
        result
    }

    /// The classes of the volume, if it was labelled before, by the same model with the same options: what says how the labels were made says so, the
    /// volume has not changed since, and the labels are the bytes that were written then, or in a store are there. None if one of these is not so.
    ///
    /// # Errors
    /// If what is there cannot be read.
    pub fn finished(&self, segmenter: &VolumeSegmenter, volume: &Volume, plan: &Plan) -> Result<Option<Vec<ClassVolume>>> {
        segmenter.finished(volume, plan, &self.output, &self.target)
    }

    /// Labels the volume and takes what is made to where it goes; the report names it there.
    ///
    /// # Errors
    /// As [`VolumeSegmenter::run`], or if a store does not take what is made.
    pub fn run(
        &self,
        segmenter: &VolumeSegmenter,
        volume: &Volume,
        plan: &Plan,
        observer: &dyn Observer,
    ) -> Result<VolumeReport> {
        let report = self.cleared(segmenter.run_then(volume, plan, &self.output, observer, |report| {
            if self.target.is_staged() && self.output.existing == Existing::Overwrite {
                // While others are replaced, nothing must say that they are complete.
                self.delivered(&report.item)?.delete()?;
            }
            self.target.deliver(&report.files, self.output.existing)?;
            self.target.clear()
        }))?;
        if !self.target.is_staged() {
            return Ok(report);
        }
        let shown = |path: &PathBuf| Ok(self.delivered(path)?.shown());
        let files = report.files.iter().map(shown).collect::<Result<_>>()?;
        Ok(VolumeReport { path: shown(&report.path)?, item: shown(&report.item)?, files, ..report })
    }

    /// Where a file goes that is made in the staging folder.
    fn delivered(&self, made: &Path) -> Result<Location> {
        self.target.delivered(&made.file_name().unwrap_or_default().to_string_lossy())
    }
}
