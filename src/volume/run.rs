//! One volume, from file to labels.

use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::{ThreadPool, ThreadPoolBuilder};
use swath_tiling::{TileGrid, Window};
use swath_volumes::{LabelClass, QuickLook};

use super::file::{LabelFile, ProbabilityFile};
use super::item::{DIGEST, PROBABILITY_DIGEST, digest};
use super::labels::{Finished, LabelPlanes, PlaneSink, Wanted};
use super::output::VolumeOutput;
use super::report::{ClassVolume, VolumeReport};
use super::scratch::{Scratch, Scratches};
use super::segmenter::VolumeSegmenter;
use super::source::Volume;
use crate::labelled::{say_kept, sync_folders};
use crate::ledger::{self, Durability, Ledger};
use crate::pipeline::Observer;
use crate::plan::Plan;
use crate::sink::space::{self, Need};
use crate::sink::{Start, Unpublished, prepare_text, scratch_path};
use crate::{Error, Result, Stage, Timings, heap};

/// Outputs that nobody else writes, and where to start.
struct Admission {
    output: VolumeOutput,
    ledger: Ledger,
    run: ledger::Run,
    start: Start,
}

/// Planes that are found, and on the disk.
struct Found<'r> {
    scratches: Scratches,
    /// None where a run begins anew anyway.
    ledger: Option<&'r mut Ledger>,
}

impl PlaneSink for Found<'_> {
    fn take(&mut self, finished: Finished<'_>) -> Result<()> {
        self.scratches.append(finished)
    }

    fn settle(&mut self) -> Result<()> {
        self.ledger.as_mut().map_or(Ok(()), |ledger| self.scratches.record(ledger))
    }
}

/// A volume whose planes are all labelled.
struct Labelled {
    scratches: Scratches,
    timings: Timings,
}

/// What was written of labels.
struct Written {
    /// How often each label occurs.
    counts: Box<[u64; 256]>,
    /// The picture, without its name.
    picture: Option<Unpublished>,
}

impl VolumeSegmenter {
    /// Whether labelling could begin: an error if a name does not say what is to be written, something exists that must stay, a folder is missing or not
    /// writable, another process writes there, or an unfinished run is another one.
    ///
    /// # Errors
    /// As said.
    pub fn check(&self, volume: &Volume, plan: &Plan, output: &VolumeOutput) -> Result<()> {
        self.admit(volume, plan, output).map(drop)
    }

    /// Locks the outputs and finds where to start.
    fn admit(&self, volume: &Volume, plan: &Plan, output: &VolumeOutput) -> Result<Admission> {
        output.check(volume)?;
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let files = output.files().into_iter().map(absolute).collect();
        let run = ledger::Run { identity: self.identity(volume, plan, output), files };
        let ledger = Ledger::open(&output.path)?;
        let (start, existing) = ledger.admit(&run, &output.path, output.existing)?;
        let output = VolumeOutput { existing, ..output.clone() };
        output.refuse()?;
        Ok(Admission { output, ledger, run, start })
    }

    /// Labels a volume. The label volume appears when it is complete.
    ///
    /// A run that was killed, interrupted or failed is gone on with, if it was the same: of the same model, volume and options. The planes that it had
    /// labelled are checked and kept, and the outputs are those of a run without a break, byte for byte.
    ///
    /// # Errors
    /// If something exists already, there is an unfinished run of another model, volume or option, something cannot be read or written, a score is not a
    /// number, or the observer cancels.
    pub fn run(&self, volume: &Volume, plan: &Plan, output: &VolumeOutput, observer: &dyn Observer) -> Result<VolumeReport> {
        self.run_then(volume, plan, output, observer, |_| Ok(()))
    }

    /// The same; when the outputs have their names, `then` is called, which may take them elsewhere. If it fails, the same run goes on there.
    ///
    /// # Errors
    /// As [`VolumeSegmenter::run`], or if `then` fails.
    pub fn run_then(
        &self,
        volume: &Volume,
        plan: &Plan,
        output: &VolumeOutput,
        observer: &dyn Observer,
        then: impl FnOnce(&VolumeReport) -> Result<()>,
    ) -> Result<VolumeReport> {
        let started = Instant::now();
        let pool = ThreadPoolBuilder::new().num_threads(plan.threads).build()?;
        let mut admission = self.admit(volume, plan, output)?;
        let labelled = self.label_planes(volume, plan, &mut admission, &pool, observer);
        let result = labelled.and_then(|labelled| self.publish(volume, plan, &mut admission, labelled, &pool, then));
        match &result {
            Err(error) if error.would_recur() => admission.ledger.forget()?,
            Err(_) if admission.ledger.is_worth_keeping() => say_kept(&output.path),
            _ => {}
        }
        result.map(|report| VolumeReport { timings: Timings { total: started.elapsed(), ..report.timings }, ..report })
    }

    /// Labels the planes that no earlier run has labelled.
    fn label_planes(
        &self,
        volume: &Volume,
        plan: &Plan,
        Admission { output, ledger, run, start }: &mut Admission,
        pool: &ThreadPool,
        observer: &dyn Observer,
    ) -> Result<Labelled> {
        let wanted = if output.probabilities.is_some() { Wanted::Probabilities } else { Wanted::Labels };
        // What is done within one layer of tiles is not worth a ledger.
        let is_long = plan.layout.grid.size().depth > plan.layout.grid.tile_size().depth;
        let found = ledger.entries().map(|entries| entries.windows.clone()).filter(|_| *start == Start::Continue && is_long);
        if found.is_some() {
            ledger.go_on();
        } else {
            // The scratch files of an earlier run go, too.
            ledger.forget()?;
            check_space(volume, output, self.card.classes.len())?;
            if is_long {
                ledger.begin(run.clone(), Durability::Machine)?;
            }
        }
        let old = if found.is_some() { Start::Continue } else { Start::Anew };
        let mut scratches = Scratches::open(output, volume.size(), self.card.classes.len(), old)?;
        let next = found.map_or(Ok(0), |windows| scratches.recover(&windows))?;
        let rest = rest(volume, plan, wanted, next);
        if next > 0 {
            let left = rest.swaths.iter().map(|swath| swath.owned().area()).sum::<usize>();
            observer.resumed(plan.tiles().saturating_sub(rest.tiles()), plan.layout.window.area() - left);
            tracing::info!("{}: resuming at plane {next} of {}", output.path.display(), volume.size().depth);
        }
        let mut found = Found { scratches, ledger: is_long.then_some(&mut *ledger) };
        let planes = self.planes(volume, wanted, next, pool);
        let timings = self.find(volume, &rest, planes, observer, &mut found)?;
        let Found { scratches, .. } = found;
        if !scratches.is_complete() {
            return Err(Error::Incomplete { path: volume.location().shown() });
        }
        Ok(Labelled { scratches, timings })
    }

    /// Makes files of labelled planes and gives them their names.
    fn publish(
        &self,
        volume: &Volume,
        plan: &Plan,
        Admission { output, ledger, run, .. }: &mut Admission,
        Labelled { mut scratches, timings }: Labelled,
        pool: &ThreadPool,
        then: impl FnOnce(&VolumeReport) -> Result<()>,
    ) -> Result<VolumeReport> {
        let finishing = Instant::now();
        self.executor.trim();
        heap::trim();
        let classes = self.classes();
        let voxel = volume.stored_profile().affine.voxel_volume();
        output.after.apply(&mut scratches.labels, volume.size(), voxel, &self.card)?;
        let file = Unpublished::create(&output.path, output.existing)?;
        let Written { counts, picture } =
            pool.install(|| self.write(volume, &scratches.labels, &classes, file.part(), output))?;
        let write = |(path, found): (&PathBuf, &Scratch<f32>)| {
            let file = Unpublished::create(path, output.existing)?;
            pool.install(|| ProbabilityFile::write(file.part(), path, volume, &classes, found)).map(|()| file)
        };
        let probabilities = output.probabilities.as_ref().zip(scratches.probabilities.as_ref()).map(write).transpose()?;
        let class = |class: &swath_models::Class| {
            let voxels = counts[usize::from(class.value)];
            ClassVolume { value: class.value, name: class.name.clone(), voxels, ml: voxels as f64 * voxel / 1000.0 }
        };
        let classes: Vec<ClassVolume> = self.card.classes.iter().map(class).collect();
        let nodata = volume.size().area() as u64 - classes.iter().map(|class| class.voxels).sum::<u64>();
        let mut item = self.describe(volume, plan, output, &classes, nodata);
        for (field, file) in [(DIGEST, Some(&file)), (PROBABILITY_DIGEST, probabilities.as_ref())] {
            if let Some(file) = file {
                item[field] = digest(file.part())?.into();
            }
        }
        let text = serde_json::to_string_pretty(&item).unwrap_or_default();
        let item = prepare_text(&output.item(), &format!("{text}\n"), output.existing)?;
        if ledger.entries().is_none() {
            ledger.begin(run.clone(), Durability::Process)?;
        }
        // From here on, what has its name is this run's own, should it be killed between two of them.
        ledger.enter(ledger::Stage::Publishing)?;
        [picture, probabilities].into_iter().flatten().try_for_each(Unpublished::publish)?;
        file.publish()?;
        item.publish()?;
        sync_folders(&output.files())?;
        let finishing = Stage { threads: plan.threads, busy: finishing.elapsed(), ..Stage::default() };
        let (path, item, files) = (output.path.clone(), output.item(), output.products());
        let report = VolumeReport { path, item, files, classes, nodata, timings: Timings { finishing, ..timings } };
        then(&report)?;
        ledger.enter(ledger::Stage::Published)?;
        scratches.remove()?;
        ledger.forget()?;
        Ok(report)
    }

    /// Writes the label volume to `part`, and the picture, if there is to be one.
    fn write(
        &self,
        volume: &Volume,
        labels: &Scratch<u8>,
        classes: &[LabelClass],
        part: &Path,
        output: &VolumeOutput,
    ) -> Result<Written> {
        let mut file = LabelFile::create(part, &output.path, volume, &self.card, classes)?;
        let mut counts = Box::new([0u64; 256]);
        let mut picture = None;
        if let Some(path) = &output.quick_look {
            let reader = volume.stored().reader(volume.frame())?;
            picture = Some((
                Unpublished::create(path, output.existing)?,
                QuickLook::new(volume.stored_profile(), classes, None),
                reader,
            ));
        }
        let plane = volume.size().height * volume.size().width;
        labels.read(|first, planes| {
            for label in planes.iter() {
                counts[usize::from(*label)] += 1;
            }
            if let Some((_, picture, reader)) = &mut picture {
                for (z, labels) in (first..).zip(planes.chunks_exact(plane)) {
                    let values = reader.read(z..z + 1).map_err(|error| volume.files().named(error.into()))?;
                    picture.plane(z, &values, labels);
                }
            }
            file.write(planes)
        })?;
        file.finish()?;
        let picture = picture.map(|(file, picture, _)| picture.write(file.part()).map(|()| file)).transpose()?;
        Ok(Written { counts, picture })
    }
}

/// An error if the disks have no room for the planes that are found, and for what is made of them uncompressed.
fn check_space(volume: &Volume, output: &VolumeOutput, classes: usize) -> Result<()> {
    let labels = volume.size().area() as u64;
    let needs = |path: &PathBuf, bytes: u64| {
        let is_plain = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("nii"));
        let written = is_plain.then(|| Need { file: path.clone(), bytes });
        [Need { file: scratch_path(path), bytes }].into_iter().chain(written)
    };
    let probabilities = labels * (classes * size_of::<f32>()) as u64;
    let probabilities = output.probabilities.iter().flat_map(|path| needs(path, probabilities));
    space::check(&needs(&output.path, labels).chain(probabilities).collect::<Vec<_>>())
}

/// The plan of what is left where the volume's own planes before `next` are labelled.
fn rest(volume: &Volume, plan: &Plan, wanted: Wanted, next: usize) -> Plan {
    let first = LabelPlanes::first_needed(volume, wanted, next);
    let left = |swath: &TileGrid| {
        let owned = swath.owned();
        let end = owned.z + owned.depth;
        (next < volume.size().depth).then(|| swath.owning(Window { z: first, depth: end - first, ..owned }))
    };
    Plan { swaths: plan.swaths.iter().filter_map(left).collect(), ..plan.clone() }
}
