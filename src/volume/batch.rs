//! The volumes of a batch.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::after::AfterSteps;
use super::files::VolumeFiles;
use super::place::{PROBABILITIES, VolumePlace, name_of};
use super::report::ClassVolume;
use super::segmenter::{VolumeSegmenter, refuse};
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
    /// If something is asked for that volumes do not have, or the output folder cannot be created.
    pub fn run(&self, volumes: &[Location], observer: &dyn BatchObserver) -> Result<VolumeBatchReport> {
        if let Location::Local(folder) = &self.output {
            fs::create_dir_all(folder).map_err(|source| Error::File { action: "create", path: folder.clone(), source })?;
        }
        if let Some(first) = volumes.first() {
            refuse(&self.request, first)?;
        }
        let run = Run { batch: self, observer, volumes, twins: self.twins(volumes), classes: Mutex::default() };
        let own = (0..volumes.len()).filter(|place| self.shard.is_none_or(|shard| shard.has(*place)));
        let entries = own.map(|place| Entry { name: volumes[place].to_string(), raster: place }).collect();
        let lanes = Lanes { jobs: self.jobs, patience: self.patience, observer };
        let summary = lanes.run(entries, |name, place| run.label(name, place));
        let classes = run.classes.into_inner().unwrap_or_else(PoisonError::into_inner);
        let classes = classes.into_iter().map(|(place, classes)| VolumeClasses { volume: volumes[place].clone(), classes });
        Ok(VolumeBatchReport { summary, classes: classes.collect() })
    }

    /// Volumes with a product that an earlier one has, too, be it another shard's: `a.nii` and `a.nii.gz`, or `a_probabilities.nii` where probabilities
    /// are wanted.
    fn twins(&self, volumes: &[Location]) -> HashMap<usize, Twin> {
        let (mut owners, mut twins) = (HashMap::<String, usize>::new(), HashMap::new());
        for (place, volume) in volumes.iter().enumerate() {
            let name = name_of(volume);
            let probabilities = self.request.layers.probabilities.map(|_| format!("{name}{PROBABILITIES}{LABELS}"));
            let products = [LABELS, ITEM].into_iter().map(|suffix| format!("{name}{suffix}"));
            let products: Vec<String> = products.chain(probabilities).collect();
            if let Some((first, product)) = products.iter().find_map(|name| Some((*owners.get(name)?, name.clone()))) {
                twins.insert(place, Twin { first, product });
            } else {
                owners.extend(products.into_iter().map(|product| (product, place)));
            }
        }
        twins
    }
}

/// What products are called, after the volume's name.
const LABELS: &str = ".nii.gz";
const ITEM: &str = ".json";

/// What a volume has in common with an earlier one.
struct Twin {
    /// The earlier one's place in the batch.
    first: usize,
    /// The product of both.
    product: String,
}

/// A batch that is under way.
struct Run<'a> {
    batch: &'a VolumeBatch<'a>,
    observer: &'a dyn BatchObserver,
    volumes: &'a [Location],
    twins: HashMap<usize, Twin>,
    /// By the volume's place in the batch.
    classes: Mutex<BTreeMap<usize, Vec<ClassVolume>>>,
}

impl Run<'_> {
    /// Labels a volume, unless what says how its labels were made says that it was labelled so before.
    fn label(&self, name: &str, number: usize) -> Result<Outcome> {
        let batch = self.batch;
        let location = &self.volumes[number];
        let product = |suffix: &str| batch.output.join(&format!("{}{suffix}", name_of(location)));
        if let Some(Twin { first, product }) = self.twins.get(&number) {
            let (first, output) = (self.volumes[*first].shown(), batch.output.join(product)?.shown());
            return Err(Error::SameOutput { first, second: location.shown(), output });
        }
        let probabilities =
            batch.request.layers.probabilities.map(|_| product(&format!("{PROBABILITIES}{LABELS}"))).transpose()?;
        let place = VolumePlace::new(product(LABELS)?, probabilities.as_ref(), batch.after, batch.existing, &batch.scratch)?;
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
