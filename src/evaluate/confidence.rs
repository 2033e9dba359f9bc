//! How sure the labels are.

use std::path::Path;

use gdal::Dataset;
use swath_models::Class;
use swath_tiling::Window;

use super::calibration::Calibration;
use super::coding::NONE;
use crate::source::{BandRequest, RasterProfile, RasterSource, Scene, WindowReader};
use crate::{Error, Result};

/// How far a stored probability may lie outside 0 to 1 by rounding.
const ROUNDING: f64 = 1e-5;

/// A raster of probabilities: a band for each class, or one of the labels' own.
#[derive(Debug)]
pub(super) struct Confidence {
    scene: Scene,
    /// What makes the stored values of each band probabilities.
    scales: Vec<Scale>,
}

#[derive(Clone, Copy, Debug)]
struct Scale {
    scale: f64,
    offset: f64,
}

impl Confidence {
    /// Finds the bands of the classes, by name or, where no band has one, by place; a single band is that of the labels.
    pub(super) fn open(path: &Path, classes: &[Class]) -> Result<Self> {
        let profile = Scene::open(path, &[])?.profile().clone();
        let count = profile.bands.len();
        let is_called = |class: &Class, number: usize| {
            [class.name.as_str(), class.label()].iter().any(|name| profile.bands[number - 1].is_called(name))
        };
        let named = |class: &Class| (1..=count).find(|number| is_called(class, *number));
        let numbers: Option<Vec<usize>> = if count == 1 {
            Some(vec![1])
        } else if profile.bands.iter().any(|band| band.description.is_some()) {
            classes.iter().map(named).collect()
        } else {
            (count == classes.len()).then(|| (1..=count).collect())
        };
        let expected = "one band of the labels' probabilities, or one for each class, called so or in their order";
        let numbers = numbers.ok_or_else(|| Error::Bands { path: path.into(), expected, got: format!("{count} bands") })?;
        let fail = |source| Error::Gdal { action: "read the scale of".into(), path: path.into(), source };
        let dataset = Dataset::open(path).map_err(fail)?;
        let scale = |number: &usize| {
            let band = dataset.rasterband(*number).map_err(fail)?;
            Ok(Scale { scale: band.scale().unwrap_or(1.0), offset: band.offset().unwrap_or(0.0) })
        };
        let scales = numbers.iter().map(scale).collect::<Result<_>>()?;
        // By their places, since a band may be called by another's number.
        let requests: Vec<BandRequest> = numbers.into_iter().map(BandRequest::Number).collect();
        Ok(Self { scene: Scene::open(path, &requests)?, scales })
    }

    pub(super) fn profile(&self) -> &RasterProfile {
        self.scene.profile()
    }

    /// Number of bands that are read.
    pub(super) fn bands(&self) -> usize {
        self.scales.len()
    }

    /// A reader for the calling thread.
    pub(super) fn reader(&self) -> Result<ConfidenceReader<'_>> {
        Ok(ConfidenceReader { confidence: self, reader: self.scene.reader()? })
    }
}

/// Reads probabilities through a handle of its own.
pub(super) struct ConfidenceReader<'c> {
    confidence: &'c Confidence,
    reader: Box<dyn WindowReader + 'c>,
}

impl ConfidenceReader<'_> {
    /// Adds the labelled pixels of a window that have a class in the reference.
    pub(super) fn add(&mut self, window: Window, reference: &[u16], prediction: &[u16], sum: &mut Calibration) -> Result<()> {
        let patch = self.reader.read(window)?;
        let Confidence { scene, scales } = self.confidence;
        for (at, (&reference, &label)) in reference.iter().zip(prediction).enumerate() {
            if reference == NONE || label == NONE {
                continue;
            }
            let band = if scales.len() == 1 { 0 } else { usize::from(label) };
            let stored = if patch.valid[at] { patch.pixels[band * window.area() + at].into() } else { f64::NAN };
            let probability = stored * scales[band].scale + scales[band].offset;
            if !(-ROUNDING..=1.0 + ROUNDING).contains(&probability) {
                let (x, y) = (window.x + at % window.width, window.y + at / window.width);
                return Err(Error::NoProbability { path: scene.profile().path.clone(), got: probability, x, y });
            }
            sum.add(probability.clamp(0.0, 1.0), reference == label);
        }
        Ok(())
    }
}
