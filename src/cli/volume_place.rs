//! Where what is made of a volume goes.

use std::path::{Path, PathBuf};

use swath::plan::Plan;
use swath::volume::{AfterSteps, ClassVolume, Volume, VolumeOutput, VolumeReport, VolumeSegmenter};
use swath::{Error, Existing, Location, Observer, Target};

/// Where what is made of a volume goes: to local files, or by way of a staging folder to a store.
pub(super) struct VolumePlace {
    /// Where the labels are in the end.
    pub(super) labels: Location,
    pub(super) output: VolumeOutput,
    target: Target,
}

impl VolumePlace {
    /// What goes to a store is made in `scratch`.
    ///
    /// # Errors
    /// If probabilities are to go to a store where labels do not, or the other way round, or to another folder of one.
    pub(super) fn new(
        labels: Location,
        probabilities: Option<&Location>,
        after: AfterSteps,
        existing: Existing,
        scratch: &Path,
    ) -> swath::Result<Self> {
        let target = Target::new(&labels, scratch);
        let made = |location: &Location| match location {
            Location::Local(path) if !target.is_staged() => Ok(path.clone()),
            Location::Remote(_) if target.is_staged() && location.parent() == labels.parent() => {
                Ok(target.made(&location.file_name()))
            }
            _ => Err(Error::Apart { labels: labels.shown(), layer: location.shown() }),
        };
        let (path, probabilities) = (made(&labels)?, probabilities.map(made).transpose()?);
        let output = VolumeOutput { path, probabilities, quick_look: None, after, existing };
        Ok(Self { labels, output, target })
    }

    /// An error if labelling could not begin.
    pub(super) fn check(&self, segmenter: &VolumeSegmenter, volume: &Volume, plan: &Plan) -> swath::Result<()> {
        self.target.refuse(&self.output.products(), &[volume.location()], self.output.existing)?;
        if self.target.is_staged() {
            self.target.create()?;
        }
        segmenter.check(volume, plan, &self.output)
    }

    /// The classes of the volume, if it was labelled so before.
    pub(super) fn finished(
        &self,
        segmenter: &VolumeSegmenter,
        volume: &Volume,
        plan: &Plan,
    ) -> swath::Result<Option<Vec<ClassVolume>>> {
        segmenter.finished(volume, plan, &self.output, &self.target)
    }

    /// Labels the volume and takes what is made to where it goes; the report names it there.
    pub(super) fn run(
        &self,
        segmenter: &VolumeSegmenter,
        volume: &Volume,
        plan: &Plan,
        observer: &dyn Observer,
    ) -> swath::Result<VolumeReport> {
        let report = segmenter.run_then(volume, plan, &self.output, observer, |report| {
            self.target.deliver(&report.files, self.output.existing)?;
            self.target.clear()
        })?;
        if !self.target.is_staged() {
            return Ok(report);
        }
        let shown = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Ok(self.target.delivered(&name)?.shown())
        };
        let files = report.files.iter().map(shown).collect::<swath::Result<_>>()?;
        Ok(VolumeReport { path: shown(&report.path)?, item: shown(&report.item)?, files, ..report })
    }
}
