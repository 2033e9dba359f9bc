//! Volumes of DICOM images.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::codec::{Expected, decode};
use super::collect::collect;
use super::instance::Instance;
use super::series::{DicomOrientation, DicomPlane, DicomSeries};
use super::stack::{Plane, PlaneId, Stack};
use super::syntax::Syntax;
use crate::{
    Error, Missing, Origin, PlaneReader, Rescale, Result, VolumeOptions, VolumeProfile, VolumeSize, VolumeSource, Warning,
};

/// A volume of DICOM images.
#[derive(Debug)]
pub(crate) struct DicomSource {
    profile: VolumeProfile,
    images: Arc<Vec<Instance>>,
    times: Vec<Vec<Plane>>,
}

impl DicomSource {
    pub(crate) fn open(path: &Path, options: &VolumeOptions) -> Result<Self> {
        let mut warnings = Vec::new();
        let mut images = collect(path, options, &mut warnings)?;
        let stack = Stack::new(&images, path, options, &mut warnings)?;
        let rescale = rescale(&mut images, options, &mut warnings)?;
        if images.iter().any(|image| image.inverted) {
            warnings.push(Warning::Inverted);
        }
        let first = &images[0];
        let plane = |plane: &Plane| {
            let Plane::Image(id) = plane else { return None };
            let image = &images[id.instance];
            let frame = (image.frames.len() > 1).then_some(id.frame);
            let position = image.frames[id.frame].place.map(|place| place.position);
            Some(DicomPlane {
                path: image.path.clone(),
                class: image.class.clone(),
                instance: image.uid.clone(),
                frame,
                position,
            })
        };
        let series = DicomSeries {
            study: first.study.clone(),
            series: first.series.clone(),
            description: first.description.clone(),
            modality: first.modality.clone(),
            frame_of_reference: first.frame_of_reference.clone(),
            orientation: first.frames[0].place.zip(first.frames[0].spacing).map(|(place, spacing)| DicomOrientation {
                row: place.row,
                column: place.column,
                spacing,
            }),
            planes: stack.times.iter().map(|planes| planes.iter().map(plane).collect()).collect(),
            gaps: options.gaps,
        };
        let stem = if path.is_dir() { path.file_name() } else { path.file_stem() };
        let profile = VolumeProfile {
            path: path.into(),
            name: stem.map_or_else(|| series.series.clone(), |name| name.to_string_lossy().into_owned()),
            size: VolumeSize { x: first.columns, y: first.rows, z: stack.times[0].len() },
            frames: stack.times.len(),
            affine: stack.affine,
            sample: first.stored.sample,
            rescale,
            warnings,
            origin: Origin::Dicom(Arc::new(series)),
        };
        Ok(Self { profile, images: Arc::new(images), times: stack.times })
    }
}

/// What is applied to stored values. Each frame gets its slope and intercept.
fn rescale(images: &mut [Instance], options: &VolumeOptions, warnings: &mut Vec<Warning>) -> Result<Rescale> {
    let mut all = Vec::new();
    for image in images.iter_mut() {
        for frame in &mut image.frames {
            if frame.rescale.is_none() && image.modality == "CT" && options.hounsfield == Missing::Refuse {
                return Err(Error::NoUnit { path: image.path.clone() });
            }
            all.push(*frame.rescale.get_or_insert([1.0, 0.0]));
        }
    }
    let hounsfield =
        |image: &Instance| !image.stored.is_unsigned() || image.frames.iter().filter_map(|f| f.rescale).any(|[_, b]| b < 0.0);
    if images.iter().any(|image| image.modality == "CT" && !hounsfield(image)) {
        warnings.push(Warning::NotHounsfield);
    }
    let bits = |pair: &[f64; 2]| pair.map(f64::to_bits);
    Ok(match all.first() {
        Some(first) if all.iter().all(|pair| bits(pair) == bits(first)) => match *first {
            [1.0, 0.0] => Rescale::None,
            [slope, intercept] => Rescale::Uniform { slope, intercept },
        },
        _ => Rescale::PerPlane,
    })
}

impl VolumeSource for DicomSource {
    fn profile(&self) -> &VolumeProfile {
        &self.profile
    }

    fn reader(&self, frame: usize) -> Result<Box<dyn PlaneReader>> {
        let time = self.profile.frame(Some(frame))?;
        Ok(Box::new(DicomReader {
            images: Arc::clone(&self.images),
            planes: self.times[time].clone(),
            path: self.profile.path.clone(),
        }))
    }
}

/// Reads planes, each from its file, several at once.
struct DicomReader {
    images: Arc<Vec<Instance>>,
    planes: Vec<Plane>,
    path: PathBuf,
}

impl PlaneReader for DicomReader {
    fn read(&mut self, planes: Range<usize>) -> Result<Vec<f32>> {
        let Some(ids) = self.planes.get(planes.clone()) else {
            return Err(Error::Planes { path: self.path.clone(), count: self.planes.len(), planes });
        };
        let image = |id: PlaneId| read(&self.images[id.instance], id.frame);
        let read = |plane: &Plane| match *plane {
            Plane::Image(id) => image(id),
            Plane::Between { before, after, share } => {
                let mut values = image(before)?;
                for (value, after) in values.iter_mut().zip(image(after)?) {
                    *value += (after - *value) * share as f32;
                }
                Ok(values)
            }
        };
        let planes: Vec<Result<Vec<f32>>> = ids.par_iter().map(read).collect();
        let mut values = Vec::new();
        for plane in planes {
            values.append(&mut plane?);
        }
        Ok(values)
    }
}

/// Real values of a frame.
fn read(image: &Instance, frame: usize) -> Result<Vec<f32>> {
    let fail = |action| move |source| Error::File { action, path: image.path.clone(), source };
    let mut file = File::open(&image.path).map_err(fail("open"))?;
    let bytes = image.pixels.read(&mut file, frame).map_err(fail("read"))?;
    let rescale = image.frames[frame].rescale.unwrap_or([1.0, 0.0]);
    let mut values = Vec::with_capacity(image.rows * image.columns);
    match image.syntax {
        Syntax::Native(order) => image.stored.native(&bytes, order, rescale, &mut values),
        Syntax::Encapsulated(compression) => {
            let expected = Expected { width: image.columns, height: image.rows, bytes: image.stored.sample.bytes() };
            let samples = decode(compression, &bytes, expected);
            let samples =
                samples.map_err(|source| Error::Decode { path: image.path.clone(), frame, source: Box::new(source) })?;
            image.stored.compressed(samples, rescale, &mut values);
        }
    }
    Ok(values)
}
