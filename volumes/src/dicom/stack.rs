//! DICOM slices in the order of their places.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::distances::{Recipe, SAME_PLACE, UNEVEN_MM, UNEVEN_SHARE, Uneven, recipes};
use super::frames::Place;
use super::instance::Instance;
use crate::{Affine, Error, Missing, Result, VolumeOptions, Warning};

/// The least angle between stack and normal that is a tilt: its tangent, as in highdicom.
const TILT: f64 = 1e-3;

/// A frame of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlaneId {
    pub(crate) instance: usize,
    pub(crate) frame: usize,
}

/// Where the values of a plane come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Plane {
    Image(PlaneId),
    /// From two images, by the share of the way from the first to the second.
    Between {
        before: PlaneId,
        after: PlaneId,
        share: f64,
    },
}

/// Slices in the order of their places along the normal.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    /// For each time its planes.
    pub(crate) times: Vec<Vec<Plane>>,
    pub(crate) affine: Affine,
}

/// A slice with its place.
#[derive(Clone, Copy)]
struct Slice {
    id: PlaneId,
    place: Place,
    /// Along the normal, in mm.
    along: f64,
}

impl Stack {
    /// Sorts the frames of images of one size and orientation by their places along the normal. The affine follows from the first and the
    /// last (PS3.3, C.7.6.2.1.1).
    pub(crate) fn new(images: &[Instance], path: &Path, options: &VolumeOptions, warnings: &mut Vec<Warning>) -> Result<Self> {
        let each = images.iter().enumerate();
        let ids = each.flat_map(|(instance, image)| (0..image.frames.len()).map(move |frame| PlaneId { instance, frame }));
        let mut ids: Vec<PlaneId> = ids.collect();
        let frame = |id: PlaneId| &images[id.instance].frames[id.frame];
        let file = |id: PlaneId| images[id.instance].path.clone();
        let missing = |id: PlaneId, field, expected| Error::Field { path: file(id), field, expected, got: "nothing".into() };
        let first = ids[0];
        if let Some(&without) = ids.iter().find(|&&id| frame(id).place.is_none()) {
            if ids.len() > 1 && options.place == Missing::Refuse {
                return Err(Error::NoPlace { path: file(without) });
            }
            // Names are the last resort: `10.dcm` comes before `2.dcm`.
            ids.sort_by_key(|id| images[id.instance].number);
            let first = ids[0];
            warnings.push(Warning::NoOrientation);
            let [rows, columns] = frame(first).spacing.unwrap_or([1.0; 2]);
            let slices = frame(first).between.or(frame(first).thickness).unwrap_or(1.0);
            let affine = [[-columns, 0.0, 0.0, 0.0], [0.0, -rows, 0.0, 0.0], [0.0, 0.0, slices, 0.0]];
            return Ok(Self { times: vec![ids.into_iter().map(Plane::Image).collect()], affine: checked(affine, path)? });
        }
        let spacing = frame(first).spacing.ok_or_else(|| missing(first, "PixelSpacing", "two distances"))?;
        let slices: Vec<Slice> =
            ids.iter().filter_map(|&id| frame(id).place.map(|place| Slice { id, place, along: 0.0 })).collect();
        let slices = sorted(slices, images)?;
        let times = split(&slices, images)?;
        let slices = &times[0];
        let (first, last) = (slices[0], slices[slices.len() - 1]);
        let along: Vec<f64> = slices.iter().map(|slice| slice.along).collect();
        let recipes = match recipes(&along, options.gaps, warnings) {
            Ok(recipes) => recipes,
            Err(Uneven { at, expected, got }) => {
                return Err(Error::Gap { before: file(slices[at].id), after: file(slices[at + 1].id), expected, got });
            }
        };
        let across = if slices.len() > 1 {
            check_line(slices, &file, warnings)?;
            [0, 1, 2].map(|axis| (last.place.position[axis] - first.place.position[axis]) / (recipes.len() - 1) as f64)
        } else {
            let frame = frame(first.id);
            let (length, attribute) = match (frame.between, frame.thickness) {
                (Some(length), _) => (length, "SpacingBetweenSlices"),
                (None, Some(length)) => (length, "SliceThickness"),
                (None, None) => (1.0, "nothing"),
            };
            warnings.push(Warning::OneSlice { attribute });
            first.place.normal().map(|part| part * length)
        };
        warn_of_numbering(slices, images, warnings);
        let Place { position, row, column } = first.place;
        let lps = [0, 1, 2].map(|axis| [row[axis] * spacing[1], column[axis] * spacing[0], across[axis], position[axis]]);
        let affine = checked(lps, path)?.to_lps();
        let plane = |slices: &[Slice], recipe: &Recipe| match *recipe {
            Recipe::At(at) => Plane::Image(slices[at].id),
            Recipe::After { at, share } => Plane::Between { before: slices[at].id, after: slices[at + 1].id, share },
        };
        let times = times.iter().map(|slices| recipes.iter().map(|recipe| plane(slices, recipe)).collect()).collect();
        Ok(Self { times, affine })
    }
}

fn checked(rows: [[f64; 4]; 3], path: &Path) -> Result<Affine> {
    Affine::new(rows).ok_or_else(|| Error::Field {
        path: path.into(),
        field: "ImagePositionPatient, ImageOrientationPatient and PixelSpacing",
        expected: "numbers that can be inverted",
        got: format!("{rows:?}"),
    })
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// By place along the normal of the first; all must have its orientation.
fn sorted(mut slices: Vec<Slice>, images: &[Instance]) -> Result<Vec<Slice>> {
    let first = slices[0].place;
    let normal = first.normal();
    for slice in &mut slices {
        let turned = [0, 1, 2].iter().any(|&axis| {
            (slice.place.row[axis] - first.row[axis]).abs() > 1e-3 || (slice.place.column[axis] - first.column[axis]).abs() > 1e-3
        });
        if turned {
            return Err(Error::Field {
                path: images[slice.id.instance].path.clone(),
                field: "ImageOrientationPatient",
                expected: "one orientation of all frames",
                got: format!("{:?} {:?} beside {:?} {:?}", slice.place.row, slice.place.column, first.row, first.column),
            });
        }
        slice.along = dot(slice.place.position, normal);
    }
    slices.sort_by(|a, b| a.along.total_cmp(&b.along));
    Ok(slices)
}

/// Slices of several times, which lie in the same places; or of one.
fn split(slices: &[Slice], images: &[Instance]) -> Result<Vec<Vec<Slice>>> {
    let twice = |slices: &[Slice]| slices.windows(2).position(|pair| (pair[1].along - pair[0].along).abs() < SAME_PLACE);
    let Some(at) = twice(slices) else { return Ok(vec![slices.to_vec()]) };
    let image = |slice: &Slice| &images[slice.id.instance];
    let temporal = |slice: &Slice| image(slice).frames[slice.id.frame].temporal.or(image(slice).temporal);
    for by_time in [true, false] {
        let key = |slice: &Slice| if by_time { temporal(slice) } else { image(slice).acquisition };
        let mut times: BTreeMap<Option<i64>, Vec<Slice>> = BTreeMap::new();
        for slice in slices {
            times.entry(key(slice)).or_default().push(*slice);
        }
        let times: Vec<Vec<Slice>> = times.into_values().collect();
        let alike = |time: &Vec<Slice>| {
            let same = |(a, b): (&Slice, &Slice)| (a.along - b.along).abs() < SAME_PLACE;
            time.len() == times[0].len() && time.iter().zip(&times[0]).all(same)
        };
        if times.len() > 1 && twice(&times[0]).is_none() && times.iter().all(alike) {
            return Ok(times);
        }
    }
    let place = slices[at].along;
    let there = slices.iter().filter(|slice| (slice.along - place).abs() < SAME_PLACE);
    Err(Error::Duplicates { paths: there.map(|slice| images[slice.id.instance].path.clone()).collect() })
}

/// Slices lie on the line from the first to the last, wherever that leads.
fn check_line(slices: &[Slice], file: &impl Fn(PlaneId) -> PathBuf, warnings: &mut Vec<Warning>) -> Result<()> {
    let (first, last) = (slices[0], slices[slices.len() - 1]);
    let length = last.along - first.along;
    let way = [0, 1, 2].map(|axis| last.place.position[axis] - first.place.position[axis]);
    let normal = first.place.normal();
    let beside = |way: [f64; 3], along: f64| {
        let off = [0, 1, 2].map(|axis| way[axis] - normal[axis] * along);
        dot(off, off).sqrt()
    };
    for slice in slices {
        let share = (slice.along - first.along) / length;
        let off = [0, 1, 2].map(|axis| {
            let on_the_line = first.place.position[axis] + share * way[axis];
            slice.place.position[axis] - on_the_line
        });
        let off = dot(off, off).sqrt();
        if off > UNEVEN_MM.max(UNEVEN_SHARE * length / (slices.len() - 1) as f64) {
            return Err(Error::Beside { path: file(slice.id), off });
        }
    }
    let tangent = beside(way, length) / length;
    if tangent > TILT {
        warnings.push(Warning::Tilt { degrees: tangent.atan().to_degrees() });
    }
    Ok(())
}

/// Numbers rise or fall along the stack.
fn warn_of_numbering(slices: &[Slice], images: &[Instance], warnings: &mut Vec<Warning>) {
    let image = |slice: &Slice| &images[slice.id.instance];
    let steps: Vec<Option<i64>> =
        slices.windows(2).map(|pair| Some((image(&pair[1]).number? - image(&pair[0]).number?).signum())).collect();
    let Some(&first) = steps.iter().flatten().find(|step| **step != 0) else { return };
    if let Some(at) = steps.iter().position(|step| step.is_some_and(|step| step == -first)) {
        let [path, next] = [&slices[at], &slices[at + 1]].map(|slice| image(slice).path.clone());
        warnings.push(Warning::Numbering { path, next });
    }
}
