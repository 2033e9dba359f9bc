//! One volume, from file to labels.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::{Value, json};
use swath_models::{
    Arithmetic, Augmentation, Augmented, Axes, Executor, Extent, Fused, Model, ModelCard, Oriented, PixelType, VolumeInput,
};
use swath_volumes::{LabelClass, QuickLook};

use super::after::{AfterSteps, Kept};
use super::file::{LabelFile, ProbabilityFile};
use super::labels::{Finished, LabelPlanes, Wanted};
use super::planes::Planes;
use super::report::{ClassVolume, VolumeReport};
use super::scratch::{LabelScratch, SLAB};
use super::source::{ReaderClocks, Volume, VolumeChoice};
use crate::digest::Digest;
use crate::outputs::check_files;
use crate::pipeline::{self, Observer};
use crate::plan::{Plan, PlanRequest, Storage, Stored, VolumeMemory};
use crate::segment::Origin;
use crate::sink::{Unpublished, colours, prepare_text};
use crate::source::RasterSource as _;
use crate::stac::item_path;
use crate::{Error, Existing, LayerEncoding, Result, Stage, Timings, Version, heap};

/// What of the file beside the labels these follow from.
const IDENTITY: [&str; 6] = ["swath", "source", "source_version", "frame", "model", "parameters"];

/// SHA-256 of the label volume.
const DIGEST: &str = "labels_sha256";

/// SHA-256 of the volume of probabilities.
const PROBABILITY_DIGEST: &str = "probabilities_sha256";

/// A model that is ready to label volumes. Unlike for scenes, tiles are stitched as the network gives their scores (logits, if the card says that a
/// softmax or sigmoid is lacking), as MONAI and nnU-Net do.
pub struct VolumeSegmenter {
    card: ModelCard,
    input: VolumeInput,
    executor: Box<dyn Executor>,
    augmentation: Augmentation,
    origin: Origin,
}

impl std::fmt::Debug for VolumeSegmenter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VolumeSegmenter")
            .field("card", &self.card)
            .field("augmentation", &self.augmentation)
            .finish_non_exhaustive()
    }
}

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

impl VolumeOutput {
    /// What says how the labels were made.
    #[must_use]
    pub fn item(&self) -> PathBuf {
        // As beside a scene's labels, but for two endings.
        let gzip = self.path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
        if gzip { item_path(&self.path.with_extension("")) } else { item_path(&self.path) }
    }

    /// An error if the name does not say what is to be written, something exists that must stay, or a folder is missing or not writable.
    ///
    /// # Errors
    /// As said.
    pub fn check(&self, volume: &Volume) -> Result<()> {
        let input = &volume.profile().path;
        LabelFile::check(&self.path, volume)?;
        self.probabilities.iter().try_for_each(|path| ProbabilityFile::check(path, volume))?;
        let canonical = |path: &Path| fs::canonicalize(path).ok();
        let volumes = || [&self.path].into_iter().chain(&self.probabilities);
        if let Some(output) = volumes().find(|path| canonical(path).is_some_and(|output| canonical(input) == Some(output))) {
            return Err(Error::OutputIsScene { output: output.clone(), scene: input.clone() });
        }
        let files: Vec<PathBuf> = volumes().cloned().chain([self.item()]).chain(self.quick_look.clone()).collect();
        check_files(&files, self.existing)
    }
}

impl VolumeSegmenter {
    /// Reads a model folder and makes it ready.
    ///
    /// # Errors
    /// If a file of it is missing or damaged, card, graph and weights disagree, or the card does not say how volumes are prepared.
    pub fn open(folder: &Path, arithmetic: Arithmetic) -> Result<Self> {
        let model = Model::read(folder)?;
        let origin = Origin::of(folder, &model.card)?;
        Self::ready(model, arithmetic, origin)
    }

    /// The same for a model in memory.
    pub(crate) fn new(model: Model, arithmetic: Arithmetic) -> Result<Self> {
        let origin = Origin::bundled(&model.card);
        Self::ready(model, arithmetic, origin)
    }

    fn ready(Model { card, graph, weights }: Model, arithmetic: Arithmetic, origin: Origin) -> Result<Self> {
        let Some(input) = card.volume.clone() else { return Err(Error::NoVolumes { model: card.name }) };
        let executor = Box::new(Fused::new(graph, &weights, arithmetic)?);
        Ok(Self { card, input, executor, augmentation: Augmentation::none(), origin })
    }

    /// The same, with each tile looked at in several views whose scores are averaged, as nnU-Net does.
    ///
    /// # Errors
    /// If the network cannot be run on such views.
    pub fn augmented(self, augmentation: Augmentation) -> Result<Self> {
        if augmentation.is_none() {
            return Ok(self);
        }
        let executor = Box::new(Augmented::new(self.executor, augmentation.clone())?);
        Ok(Self { executor, augmentation, ..self })
    }

    /// What the model needs and what its labels mean.
    #[must_use]
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Looks at a volume; its voxels are not read.
    ///
    /// # Errors
    /// If there is none, it is damaged, or there are several and none is chosen.
    pub fn volume(&self, path: &Path, choice: &VolumeChoice) -> Result<Volume> {
        Volume::open(path, choice, &self.input)
    }

    /// Plans how a volume is labelled. The tile is the user's, else the card's, else the largest that fits.
    ///
    /// # Errors
    /// If the request does not fit the network, or no tiling fits in memory; the error says what would do.
    pub fn plan(&self, volume: &Volume, request: &PlanRequest, after: AfterSteps) -> Result<Plan> {
        let path = || volume.profile().path.clone();
        let not = |what| Err(Error::NotForVolumes { what, path: path() });
        if request.window.is_some() {
            return not("a window");
        }
        if request.layers.probabilities == Some(LayerEncoding::U8) {
            return not("probabilities in 8 bits");
        }
        if request.layers.confidence.is_some() {
            return not("confidence");
        }
        let executor = Oriented::new(self.executor.as_ref(), volume.orientation());
        let tile = self.input.tile.filter(|_| request.tile.is_none());
        let executor = tile.into_iter().fold(executor, |executor, tile| executor.with_tile(Axes::from_array(tile)));
        let stored = Stored { bytes: volume.stored_profile().sample.bytes(), pixels: PixelType::F32 };
        let storage = Storage::Volume(self.memory(volume, Wanted::of(request.layers), request.threads, after));
        Plan::with_profile(volume.profile(), storage, stored, &executor, request)
    }

    fn memory(&self, volume: &Volume, wanted: Wanted, threads: usize, after: AfterSteps) -> VolumeMemory {
        let channels = self.executor.graph().output_channels();
        let (stored, grid) = (volume.size(), volume.profile().size);
        let own = stored.height * stored.width * size_of::<f32>();
        let plane = grid.height * grid.width * size_of::<f32>();
        let depth = volume.orientation().depth_axis();
        let beside = Planes::BESIDE + if depth == 0 { volume.slices() - 1 } else { 0 };
        let labels = SLAB.min(stored.area()).max(stored.height * stored.width);
        // Runs of equal labels: of twelve bytes each, one for every eight voxels, which is more than anatomy has.
        let runs = if after.is_none() { 0 } else { stored.area() / 8 * 12 };
        VolumeMemory {
            fixed: 2 * own + beside * plane + LabelPlanes::fixed_bytes(volume, channels, wanted, threads),
            read: plane,
            finished: LabelPlanes::plane_bytes(volume, channels, wanted),
            // Labels as they are read and written, and blocks that are being compressed.
            finish: 4 * labels + runs,
        }
    }

    /// The classes of a volume that was labelled before, by the same model with the same options: what says how the labels were made says so, the volume
    /// has not changed since, and the labels are the bytes that were written then. None if one of these is not so.
    ///
    /// # Errors
    /// If what is there cannot be read.
    pub fn finished(&self, volume: &Volume, plan: &Plan, output: &VolumeOutput) -> Result<Option<Vec<ClassVolume>>> {
        let error = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::File { action: "read", path, source }
        };
        let item = output.item();
        if !item.exists() || !output.path.exists() {
            return Ok(None);
        }
        let found = fs::read(&item).map_err(error(&item))?;
        let Ok(Value::Object(found)) = serde_json::from_slice::<Value>(&found) else { return Ok(None) };
        let expected = self.describe(volume, plan, output, &[], 0);
        if IDENTITY.iter().any(|field| found.get(*field) != expected.get(*field)) {
            return Ok(None);
        }
        for (field, path) in [(DIGEST, Some(&output.path)), (PROBABILITY_DIGEST, output.probabilities.as_ref())] {
            let Some(path) = path else { continue };
            if !path.exists() || found.get(field).and_then(Value::as_str) != Some(&digest(path).map_err(error(path))?) {
                return Ok(None);
            }
        }
        Ok(found.get("classes").and_then(|classes| serde_json::from_value(classes.clone()).ok()))
    }

    /// Labels a volume. The label volume appears when it is complete.
    ///
    /// # Errors
    /// If something exists already, cannot be read or written, a score is not a number, or the observer cancels.
    pub fn run(&self, volume: &Volume, plan: &Plan, output: &VolumeOutput, observer: &dyn Observer) -> Result<VolumeReport> {
        let started = Instant::now();
        output.check(volume)?;
        let pool = ThreadPoolBuilder::new().num_threads(plan.threads).build()?;
        let wanted = if output.probabilities.is_some() { Wanted::Probabilities } else { Wanted::Labels };
        let mut labels = LabelScratch::create(&output.path, volume.size())?;
        let classes = self.classes();
        let create = |path: &PathBuf| ProbabilityFile::create(path, volume, &classes, output.existing);
        let mut probabilities = output.probabilities.as_ref().map(create).transpose()?;
        let timings = self.finish(volume, plan, wanted, &pool, observer, |finished| {
            labels.append(finished.labels)?;
            probabilities.as_mut().map_or(Ok(()), |file| file.write(finished.probabilities))
        })?;
        self.executor.trim();
        heap::trim();
        if !labels.is_complete() {
            return Err(Error::Incomplete { path: volume.profile().path.clone() });
        }
        let finishing = Instant::now();
        let voxel = volume.stored_profile().affine.voxel_volume();
        output.after.apply(&mut labels, volume.size(), voxel, &self.card)?;
        let file = Unpublished::create(&output.path, output.existing)?;
        let counts = pool.install(|| self.write(volume, &labels, &classes, file.part(), output))?;
        let probabilities = pool.install(|| probabilities.map(ProbabilityFile::finish).transpose())?;
        let class = |class: &swath_models::Class| {
            let voxels = counts[usize::from(class.value)];
            ClassVolume { value: class.value, name: class.name.clone(), voxels, ml: voxels as f64 * voxel / 1000.0 }
        };
        let classes: Vec<ClassVolume> = self.card.classes.iter().map(class).collect();
        let nodata = volume.size().area() as u64 - classes.iter().map(|class| class.voxels).sum::<u64>();
        let mut item = self.describe(volume, plan, output, &classes, nodata);
        for (field, file) in [(DIGEST, Some(&file)), (PROBABILITY_DIGEST, probabilities.as_ref())] {
            if let Some(part) = file.map(Unpublished::part) {
                let written = |source| Error::File { action: "read", path: part.to_owned(), source };
                item[field] = digest(part).map_err(written)?.into();
            }
        }
        let text = serde_json::to_string_pretty(&item).unwrap_or_default();
        let item = prepare_text(&output.item(), &format!("{text}\n"), output.existing)?;
        probabilities.map_or(Ok(()), Unpublished::publish)?;
        file.publish()?;
        item.publish()?;
        let finishing = Stage { threads: plan.threads, busy: finishing.elapsed(), ..Stage::default() };
        let timings = Timings { finishing, total: started.elapsed(), ..timings };
        Ok(VolumeReport { path: output.path.clone(), item: output.item(), classes, nodata, timings })
    }

    /// Labels a volume; `write` is called with its own planes in order, `(planes, height, width)`.
    pub(crate) fn label(
        &self,
        volume: &Volume,
        plan: &Plan,
        pool: &ThreadPool,
        observer: &dyn Observer,
        mut write: impl FnMut(&[u8]) -> Result<()> + Send,
    ) -> Result<Timings> {
        self.finish(volume, plan, Wanted::Labels, pool, observer, |finished| write(finished.labels))
    }

    /// The same with all that is wanted.
    fn finish(
        &self,
        volume: &Volume,
        plan: &Plan,
        wanted: Wanted,
        pool: &ThreadPool,
        observer: &dyn Observer,
        mut write: impl FnMut(Finished<'_>) -> Result<()> + Send,
    ) -> Result<Timings> {
        let channels = self.executor.graph().output_channels();
        let mut planes = LabelPlanes::new(&self.card, volume, channels, wanted, pool);
        let executor = Oriented::new(self.executor.as_ref(), volume.orientation());
        let timings =
            pipeline::run(volume, &executor, &self.card.scaling, plan, observer, |scores| planes.take(scores, &mut write))?;
        Ok(apart(volume, planes.restoring(), timings))
    }

    /// The classes as files have them.
    fn classes(&self) -> Vec<LabelClass> {
        let colours = colours(&self.card.classes);
        let class = |(class, colour): (&swath_models::Class, &swath_models::Colour)| LabelClass {
            value: class.value.into(),
            name: class.name.clone(),
            colour: Some([colour.red, colour.green, colour.blue]),
        };
        self.card.classes.iter().zip(&colours).map(class).collect()
    }

    /// Writes the label volume to `part`, and the picture, if there is to be one. How often each label occurs.
    fn write(
        &self,
        volume: &Volume,
        labels: &LabelScratch,
        classes: &[LabelClass],
        part: &Path,
        output: &VolumeOutput,
    ) -> Result<Box<[u64; 256]>> {
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
                    picture.plane(z, &reader.read(z..z + 1)?, labels);
                }
            }
            file.write(planes)
        })?;
        file.finish()?;
        if let Some((file, picture, _)) = picture {
            picture.write(file.part())?;
            file.publish()?;
        }
        Ok(counts)
    }

    /// Everything that the labels depend on, and what they are.
    fn describe(&self, volume: &Volume, plan: &Plan, output: &VolumeOutput, classes: &[ClassVolume], nodata: u64) -> Value {
        let stored = volume.stored_profile();
        let absolute = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let warnings: Vec<String> = stored.warnings.iter().map(ToString::to_string).collect();
        let Extent { z, y, x } = plan.layout.input;
        let overlap = plan.layout.overlap;
        let grid = volume.profile().size;
        let after = output.after;
        json!({
            "swath": env!("CARGO_PKG_VERSION"),
            "labels": output.path.file_name().map(|name| name.to_string_lossy()),
            "probabilities": output.probabilities.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy()),
            "source": absolute(&stored.path),
            "source_version": version(&stored.path),
            "frame": volume.frame(),
            "size": [stored.size.x, stored.size.y, stored.size.z],
            "spacing_mm": stored.affine.spacing(),
            "orientation": stored.affine.orientation().to_string(),
            "warnings": warnings,
            "model": { "name": self.card.name, "href": self.origin.href, "sha256": self.origin.digest },
            "parameters": {
                "volume": self.input,
                "grid": [grid.width, grid.height, grid.depth],
                "tile": [x, y, z],
                "overlap": [overlap.width, overlap.height, overlap.depth],
                "gaps": volume.gaps(),
                "blend": plan.blend.name(),
                "tta": self.augmentation.to_string(),
                "device": "cpu",
                "precision": plan.arithmetic.precision.name(),
                "convolutions": plan.arithmetic.convolutions.name(),
                "largest_component": after.kept == Kept::Largest,
                "smallest_component_mm3": after.smallest,
                "fill_holes": after.fill_holes,
            },
            "classes": classes,
            "nodata_voxels": nodata,
        })
    }
}

/// Timings in which what reader and sink do beside reading and writing has stages of its own.
fn apart(volume: &Volume, restoring: Duration, mut timings: Timings) -> Timings {
    let ReaderClocks { preparing, resampling } = volume.clocks();
    let (preparing, resampling) = (preparing.take(), resampling.take());
    timings.reading.busy = timings.reading.busy.saturating_sub(preparing + resampling);
    timings.scaling.busy += preparing;
    timings.writing.busy = timings.writing.busy.saturating_sub(restoring);
    if volume.is_resampled() {
        timings.resampling = Stage { threads: timings.reading.threads, busy: resampling, ..Stage::default() };
        timings.restoring = Stage { threads: timings.writing.threads, busy: restoring, ..Stage::default() };
    }
    timings
}

/// Which content a file has, or a folder's files.
fn version(path: &Path) -> Option<Version> {
    if path.is_file() {
        return fs::metadata(path).ok().map(|file| Version::from(&file));
    }
    let mut files: Vec<PathBuf> = fs::read_dir(path).ok()?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let versions: Vec<Version> =
        files.iter().filter_map(|file| fs::metadata(file).ok()).map(|file| Version::from(&file)).collect();
    Some(Version::of_all(&versions))
}

fn digest(path: &Path) -> io::Result<String> {
    let mut digest = Digest::default();
    digest.add_file(path)?;
    Ok(digest.hex())
}
