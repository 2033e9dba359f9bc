//! A prediction beside its reference.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use swath_models::Class;
use swath_tiling::{Size, Window};

use super::calibration::Calibration;
use super::coding::{Coding, NONE, place};
use super::confidence::{Confidence, ConfidenceReader};
use super::erosion::interior;
use super::raster::{open_colours, open_labels};
use super::{ConfusionMatrix, Palette, ValueClass, grid, legend};
use crate::source::{RasterProfile, RasterSource, Scene, WindowReader, limit_cache};
use crate::{Error, Result};

/// Bytes of all windows that are read at once.
const WINDOWS_BYTES: usize = 512 << 20;
/// Bytes of decoded blocks that GDAL keeps, unless blocks are larger.
const CACHE_BYTES: usize = 128 << 20;

/// What is to be compared, and how.
#[derive(Clone, Debug)]
pub struct EvaluationRequest {
    /// The label raster: one band, whatever else it says of its classes. Its pixels without data have no label.
    pub prediction: PathBuf,
    /// The reference on the same grid: one band of class values, or three bands of 8 bits if there is a palette. Its pixels
    /// without data do not count.
    pub reference: PathBuf,
    /// The classes; without any, those that the prediction says it has, else those of the reference, see
    /// [`legend`](super::legend).
    pub classes: Option<Vec<Class>>,
    /// What the prediction's values stand for, if not for the classes of these values.
    pub prediction_values: Option<Vec<ValueClass>>,
    /// What the reference's values stand for, if not for the classes of these values.
    pub reference_values: Option<Vec<ValueClass>>,
    /// Values of the reference that do not count.
    pub ignored: Vec<i64>,
    /// The reference's colours, if it has three bands.
    pub palette: Option<Palette>,
    /// Radius in pixels of the disc by which boundaries of the reference are eroded for a second set of figures.
    pub erode: Option<u8>,
    /// Probabilities on the same grid, as `swath segment` writes them: a band for each class, called so or in their order, or one
    /// band of the labels' own. Scale and offset are applied.
    pub probabilities: Option<PathBuf>,
    /// Threads; the result does not depend on it.
    pub threads: usize,
}

impl EvaluationRequest {
    /// A prediction and a reference whose classes are those that they say they have.
    #[must_use]
    pub fn new(prediction: PathBuf, reference: PathBuf, threads: usize) -> Self {
        Self {
            prediction,
            reference,
            classes: None,
            prediction_values: None,
            reference_values: None,
            ignored: Vec::new(),
            palette: None,
            erode: None,
            probabilities: None,
            threads,
        }
    }
}

/// How labels and reference agree.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// All pixels that count.
    pub matrix: ConfusionMatrix,
    /// Those far from boundaries of the reference, if that was asked for: see [`EvaluationRequest::erode`].
    pub eroded: Option<ConfusionMatrix>,
    /// Number of pixels of each class in the whole prediction, whether they count or not.
    pub mapped: Vec<u64>,
    /// How sure the counted labels are, if there are probabilities.
    pub calibration: Option<Calibration>,
}

/// Compares a prediction with a reference, window by window: memory does not depend on the rasters' height, and on their width
/// only where their blocks are as wide as they are.
#[derive(Debug)]
pub struct Evaluator {
    classes: Vec<Class>,
    prediction: Labels,
    reference: Labels,
    radius: Option<u8>,
    confidence: Option<Confidence>,
    threads: usize,
}

impl Evaluator {
    /// Opens the rasters and finds out what their values mean.
    ///
    /// # Errors
    /// If a raster cannot be opened or has not the bands it needs, they do not cover the same pixels, it is not known what the
    /// classes are, or a map or palette names others.
    pub fn new(request: &EvaluationRequest) -> Result<Self> {
        let EvaluationRequest { prediction, reference, .. } = request;
        let classes = match &request.classes {
            Some(classes) => classes.clone(),
            None => match legend(prediction)? {
                Some(classes) => classes,
                None => legend(reference)?.ok_or_else(|| Error::NoClasses { path: prediction.clone() })?,
            },
        };
        let values = Coding::values(&classes, request.prediction_values.as_deref(), &[])?;
        let prediction = Labels { scene: open_labels(prediction, "one band of labels")?, coding: values };
        let reference = match &request.palette {
            Some(palette) => Labels { scene: open_colours(reference)?, coding: Coding::colours(&classes, palette)? },
            None => Labels {
                scene: open_labels(reference, "one band of labels, or three of colours and a palette")?,
                coding: Coding::values(&classes, request.reference_values.as_deref(), &request.ignored)?,
            },
        };
        let confidence = request.probabilities.as_deref().map(|path| Confidence::open(path, &classes)).transpose()?;
        grid::check(prediction.profile(), reference.profile())?;
        if let Some(confidence) = &confidence {
            grid::check(prediction.profile(), confidence.profile())?;
        }
        let threads = request.threads.max(1);
        Ok(Self { classes, prediction, reference, radius: request.erode, confidence, threads })
    }

    /// The classes, in the order of the matrix.
    #[must_use]
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// The places of the classes of these names.
    ///
    /// # Errors
    /// If a class is not there.
    pub fn places(&self, names: &[String]) -> Result<Vec<usize>> {
        names.iter().map(|name| place(&self.classes, name).map(usize::from)).collect()
    }

    /// The rasters' size, in pixels.
    #[must_use]
    pub fn size(&self) -> Size {
        self.prediction.profile().size
    }

    /// Ground area of a pixel in square metres, where the prediction or the reference has a projected CRS.
    #[must_use]
    pub fn pixel_area_m2(&self) -> Option<f64> {
        let area = |labels: &Labels| labels.profile().georeference.pixel_area_m2();
        area(&self.prediction).or_else(|| area(&self.reference))
    }

    /// Reads and counts all pixels.
    ///
    /// # Errors
    /// If a raster cannot be read, a pixel has a value that means nothing, or a counted label no probability: the first one in
    /// the order of windows.
    pub fn run(&self) -> Result<Evaluation> {
        let profiles: Vec<&RasterProfile> = self.profiles().collect();
        let bands = self.confidence.as_ref().map_or(1, Confidence::bands).max(self.reference.scene.bands().numbers().len());
        // The values of one raster, which pixels are valid, a mask, and the classes of both with what erosion takes.
        let pixel_bytes = 4 * bands + 14;
        let windows = grid::windows(&profiles, pixel_bytes);
        let window_bytes = windows.iter().map(|window| self.surroundings(*window).area() * pixel_bytes).max().unwrap_or(1);
        let block_bytes: usize = profiles.iter().map(|profile| profile.block_bytes).sum();
        limit_cache(CACHE_BYTES.max(2 * block_bytes));
        // Each thread decodes blocks of its own, and large ones only stay in the cache if one thread needs them.
        let threads = if 2 * block_bytes > CACHE_BYTES { 1 } else { self.threads.min(WINDOWS_BYTES / window_bytes).max(1) };
        self.count(&windows, threads.min(windows.len()))
    }

    fn profiles(&self) -> impl Iterator<Item = &RasterProfile> {
        [self.prediction.profile(), self.reference.profile()].into_iter().chain(self.confidence.as_ref().map(Confidence::profile))
    }

    fn count(&self, windows: &[Window], threads: usize) -> Result<Evaluation> {
        let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let tallies = thread::scope(|scope| {
            let start = |_| scope.spawn(|| self.count_windows(windows, &next, &failed));
            let threads: Vec<_> = (0..threads).map(start).collect();
            let join =
                |thread: thread::ScopedJoinHandle<'_, _>| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            threads.into_iter().map(join).collect::<Vec<Result<Tally, Failure>>>()
        });
        let mut sum = Tally::new(self.classes.len());
        let mut first: Option<Failure> = None;
        for tally in tallies {
            match tally {
                Ok(tally) => sum.merge(&tally),
                Err(failure) if first.as_ref().is_none_or(|first| failure.window < first.window) => first = Some(failure),
                Err(_) => {}
            }
        }
        match first {
            Some(failure) => Err(failure.error),
            None => self.evaluation(sum),
        }
    }

    fn evaluation(&self, mut tally: Tally) -> Result<Evaluation> {
        let matrix = |counts| ConfusionMatrix::from_counts(self.classes.iter().map(|class| class.name.as_str()), counts);
        tally.mapped.truncate(self.classes.len());
        Ok(Evaluation {
            matrix: matrix(tally.all)?,
            eroded: self.radius.map(|_| matrix(tally.eroded)).transpose()?,
            mapped: tally.mapped,
            calibration: self.confidence.as_ref().map(|_| tally.calibration),
        })
    }

    /// Counts one window after the other, as long as there are any and none before them has failed: so the first failure is
    /// always found.
    fn count_windows(&self, windows: &[Window], next: &AtomicUsize, failed: &AtomicUsize) -> Result<Tally, Failure> {
        let mut tally = Tally::new(self.classes.len());
        let mut readers = self.readers().map_err(|error| Failure { window: 0, error })?;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(window) = windows.get(index).filter(|_| index < failed.load(Ordering::Relaxed)) else {
                return Ok(tally);
            };
            if let Err(error) = self.count_window(*window, &mut readers, &mut tally) {
                failed.fetch_min(index, Ordering::Relaxed);
                return Err(Failure { window: index, error });
            }
        }
    }

    fn readers(&self) -> Result<Readers<'_>> {
        Ok(Readers {
            prediction: self.prediction.scene.reader()?,
            reference: self.reference.scene.reader()?,
            confidence: self.confidence.as_ref().map(Confidence::reader).transpose()?,
        })
    }

    fn count_window(&self, window: Window, readers: &mut Readers<'_>, tally: &mut Tally) -> Result<()> {
        let around = self.surroundings(window);
        let part = Window { x: window.x - around.x, y: window.y - around.y, ..window };
        let surrounded = self.reference.read(readers.reference.as_mut(), around)?;
        let interior = self.radius.map(|radius| interior(&surrounded, around.width, part, radius));
        let row = |y: usize| &surrounded[y * around.width + part.x..][..part.width];
        let reference: Vec<u16> = (part.y..part.y + part.height).flat_map(row).copied().collect();
        drop(surrounded);
        let prediction = self.prediction.read(readers.prediction.as_mut(), window)?;
        tally.add(&reference, &prediction, interior.as_deref());
        if let Some(reader) = &mut readers.confidence {
            reader.add(window, &reference, &prediction, &mut tally.calibration)?;
        }
        Ok(())
    }

    /// The window with what erosion sees around it, as far as there is any.
    fn surroundings(&self, window: Window) -> Window {
        let (halo, size) = (usize::from(self.radius.unwrap_or(0)), self.size());
        let (x, y) = (window.x.saturating_sub(halo), window.y.saturating_sub(halo));
        let right = (window.x + window.width + halo).min(size.width);
        let bottom = (window.y + window.height + halo).min(size.height);
        Window::plane(x, y, right - x, bottom - y)
    }
}

/// A window that failed, by its place among all, and why.
struct Failure {
    window: usize,
    error: Error,
}

/// The rasters as one thread reads them.
struct Readers<'e> {
    prediction: Box<dyn WindowReader + 'e>,
    reference: Box<dyn WindowReader + 'e>,
    confidence: Option<ConfidenceReader<'e>>,
}

/// A raster whose pixels stand for classes.
#[derive(Debug)]
struct Labels {
    scene: Scene,
    coding: Coding,
}

impl Labels {
    fn profile(&self) -> &RasterProfile {
        self.scene.profile()
    }

    /// The classes' places, `(height, width)`.
    fn read(&self, reader: &mut dyn WindowReader, window: Window) -> Result<Vec<u16>> {
        self.coding.decode(&reader.read(window)?, &self.profile().path)
    }
}

/// What has been counted so far.
struct Tally {
    /// `(reference, prediction)`, with a column for pixels without a label.
    all: Vec<u64>,
    /// The same for pixels far from boundaries.
    eroded: Vec<u64>,
    /// Labels of the prediction, and at the end pixels without one.
    mapped: Vec<u64>,
    calibration: Calibration,
}

impl Tally {
    fn new(classes: usize) -> Self {
        let counts = vec![0; classes * (classes + 1)];
        Self { all: counts.clone(), eroded: counts, mapped: vec![0; classes + 1], calibration: Calibration::default() }
    }

    fn add(&mut self, reference: &[u16], prediction: &[u16], interior: Option<&[bool]>) {
        let columns = self.mapped.len();
        for (at, (&reference, &prediction)) in reference.iter().zip(prediction).enumerate() {
            let label = usize::from(prediction).min(columns - 1);
            self.mapped[label] += 1;
            if reference == NONE {
                continue;
            }
            let pair = usize::from(reference) * columns + label;
            self.all[pair] += 1;
            if interior.is_some_and(|interior| interior[at]) {
                self.eroded[pair] += 1;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        let add = |counts: &mut [u64], more: &[u64]| counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
        add(&mut self.all, &other.all);
        add(&mut self.eroded, &other.eroded);
        add(&mut self.mapped, &other.mapped);
        self.calibration.merge(&other.calibration);
    }
}
