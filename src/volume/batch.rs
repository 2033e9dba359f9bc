//! The volumes of a batch.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::after::AfterSteps;
use super::files::VolumeFiles;
use super::place::{VolumePlace, name_of};
use super::report::ClassVolume;
use super::segmenter::VolumeSegmenter;
use super::source::VolumeChoice;
use crate::batch::{BatchObserver, Entry, Labelling, Lanes, Outcome, Patience, Summary, Tally};
use crate::plan::PlanRequest;
use crate::{Error, Existing, Location, Result, Shard};

/// Volumes to label with one model, into one folder or prefix.
#[derive(Debug)]
pub struct VolumeBatch<'a> {
    /// The model.
    pub segmenter: &'a VolumeSegmenter,
    /// Where products go: a local folder or a prefix in a store.
    pub output: Location,
    /// Where copies of volumes in stores are kept, and products for a store are made.
    pub scratch: PathBuf,
    /// How each volume is planned. Memory is shared by all volumes that are labelled at once.
    pub request: PlanRequest,
    /// What of each is taken.
    pub choice: VolumeChoice,
    /// What is done with labels when all of a volume are found.
    pub after: AfterSteps,
    /// What happens to products that are there already, and to what was begun otherwise.
    pub existing: Existing,
    /// Volumes that are labelled at once.
    pub jobs: NonZeroUsize,
    /// How many failures it bears.
    pub patience: Patience,
    /// The part of the volumes that is labelled, if not all: every N-th, from the K-th on.
    pub shard: Option<Shard>,
}

/// What became of a batch of volumes.
#[derive(Debug)]
pub struct VolumeBatchReport {
    /// How many were labelled, and how long that took.
    pub summary: Summary,
    /// The classes of those that were labelled, now or before, in the order of the batch.
    pub classes: Vec<VolumeClasses>,
}

/// The classes of a volume.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumeClasses {
    /// The volume.
    pub volume: Location,
    /// Each class, in the order of the card.
    pub classes: Vec<ClassVolume>,
}

impl VolumeBatch<'_> {
    /// Labels the volumes. Those that fail are in the summary.
    ///
    /// # Errors
    /// If the output folder cannot be created.
    pub fn run(&self, volumes: &[Location], observer: &dyn BatchObserver) -> Result<VolumeBatchReport> {
        if let Location::Local(folder) = &self.output {
            fs::create_dir_all(folder).map_err(|source| Error::File { action: "create", path: folder.clone(), source })?;
        }
        let run = Run { batch: self, observer, volumes, owners: self.owners(volumes)?, classes: Mutex::default() };
        let own = (0..volumes.len()).filter(|place| self.shard.is_none_or(|shard| shard.has(*place)));
        let entries = own.map(|place| Entry { name: volumes[place].to_string(), raster: place }).collect();
        let lanes = Lanes { jobs: self.jobs, patience: self.patience, observer };
        let summary = lanes.run(entries, |name, place| run.label(name, place));
        let classes = run.classes.into_inner().unwrap_or_else(PoisonError::into_inner);
        let classes = classes.into_iter().map(|(place, classes)| VolumeClasses { volume: volumes[place].clone(), classes });
        Ok(VolumeBatchReport { summary, classes: classes.collect() })
    }

    /// Where the labels of a volume go: under its own name, without its ending.
    fn labels_of(&self, volume: &Location) -> Result<Location> {
        self.output.join(&format!("{}.nii.gz", name_of(volume)))
    }

    /// The first volume of those whose labels go to each place: also where it is another shard's.
    fn owners(&self, volumes: &[Location]) -> Result<HashMap<PathBuf, usize>> {
        let mut owners = HashMap::new();
        for (place, volume) in volumes.iter().enumerate() {
            owners.entry(self.labels_of(volume)?.shown()).or_insert(place);
        }
        Ok(owners)
    }
}

/// A batch that is under way.
struct Run<'a> {
    batch: &'a VolumeBatch<'a>,
    observer: &'a dyn BatchObserver,
    volumes: &'a [Location],
    owners: HashMap<PathBuf, usize>,
    /// By the volume's place in the batch.
    classes: Mutex<BTreeMap<usize, Vec<ClassVolume>>>,
}

impl Run<'_> {
    /// Labels a volume, unless what says how its labels were made says that it was labelled so before.
    fn label(&self, name: &str, number: usize) -> Result<Outcome> {
        let batch = self.batch;
        let location = &self.volumes[number];
        let labels = batch.labels_of(location)?;
        if let Some(first) = self.owners.get(&labels.shown()).filter(|first| **first != number) {
            let (first, second) = (self.volumes[*first].shown(), location.shown());
            return Err(Error::SameOutput { first, second, output: labels.shown() });
        }
        let beside = |_| batch.output.join(&format!("{}_probabilities.nii.gz", name_of(location)));
        let probabilities = batch.request.layers.probabilities.map(beside).transpose()?;
        let place = VolumePlace::new(labels, probabilities.as_ref(), batch.after, batch.existing, &batch.scratch)?;
        let volume = batch.segmenter.volume(VolumeFiles::fetch(location, &batch.scratch)?, &batch.choice)?;
        // Of what the batch may hold, an equal share.
        let request = PlanRequest { max_memory: batch.request.max_memory / batch.jobs, ..batch.request.clone() };
        let plan = batch.segmenter.plan(&volume, &request, batch.after)?;
        if let Some(classes) = place.finished(batch.segmenter, &volume, &plan)? {
            self.keep(number, classes);
            return Ok(Outcome::Skipped);
        }
        place.check(batch.segmenter, &volume, &plan)?;
        self.observer.started(name, &plan);
        let report = place.run(batch.segmenter, &volume, &plan, &Tally(self.observer))?;
        self.keep(number, report.classes);
        Ok(Outcome::Labelled(Labelling {
            labels: place.labels,
            pixels: volume.size().area() as u64,
            area_m2: None,
            network: report.timings.network.busy,
        }))
    }

    fn keep(&self, number: usize, classes: Vec<ClassVolume>) {
        self.classes.lock().unwrap_or_else(PoisonError::into_inner).insert(number, classes);
    }
}
