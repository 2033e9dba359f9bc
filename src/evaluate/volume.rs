//! Label volumes beside a reference.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use swath_tiling::{Size, Window};
use swath_volumes::{VolumeOptions, VolumeProfile, VolumeSource};

use super::surface::{Mask, distances, quantile};
use crate::{Error, Result};

/// How far two affines may put a voxel apart, in voxels.
const TOLERANCE: f64 = 0.01;

/// How a class of a label volume agrees with a reference, by MONAI's definitions (1.6); one of both has it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClassAgreement {
    /// Its label.
    pub value: u16,
    /// Voxels of the prediction that have it.
    pub predicted: u64,
    /// Voxels of the reference that have it.
    pub reference: u64,
    /// `2 |P and R| / (|P| + |R|)`; none where the reference has no voxel of the class (`compute_dice` leaves it out).
    pub dice: Option<f64>,
    /// The larger of the two directed 95th percentiles of the distances between the surfaces, in mm (`compute_hausdorff_distance`); infinite where only
    /// one has the class. A surface is the voxels that have a face with another class or the volume's edge.
    pub hd95_mm: f64,
    /// The share of both surfaces that is no farther from the other than the tolerance (`compute_surface_dice`, each voxel counting once).
    pub surface_dice: f64,
}

/// Labels of a volume, in memory.
struct Labels {
    source: Box<dyn VolumeSource>,
    values: Vec<u16>,
}

impl Labels {
    fn read(path: &Path) -> Result<Self> {
        let source = swath_volumes::open(path, &VolumeOptions::default())?;
        let profile = source.profile();
        let frame = profile.frame(None)?;
        let mut values = Vec::with_capacity(profile.size.voxels());
        let mut reader = source.reader(frame)?;
        for z in 0..profile.size.z {
            for value in reader.read(z..z + 1)? {
                let label = value as u16;
                // Adding 0 makes 0 of -0.
                if f32::from(label).total_cmp(&(value + 0.0)).is_ne() {
                    return Err(Error::NotLabel { path: path.into(), got: value, plane: z });
                }
                values.push(label);
            }
        }
        Ok(Self { source, values })
    }

    fn size(&self) -> Size {
        let size = self.source.profile().size;
        Size { depth: size.z, height: size.y, width: size.x }
    }

    /// Where voxels of a class are within a box.
    fn mask(&self, value: u16, window: Window) -> Mask {
        let size = self.size();
        let rows = (window.z..window.z + window.depth)
            .flat_map(|z| (window.y..window.y + window.height).map(move |y| (z * size.height + y) * size.width + window.x));
        let voxels = rows.flat_map(|start| self.values[start..start + window.width].iter().map(|own| *own == value)).collect();
        Mask { size: [window.depth, window.height, window.width], voxels }
    }
}

/// What is known of a class after one look at both volumes.
struct Found {
    predicted: u64,
    reference: u64,
    both: u64,
    /// First and last slice, row and column of either.
    bounds: [[usize; 2]; 3],
}

/// How each class but 0, the background, of a label volume agrees with a reference on the same voxels. `tolerance` is that of the surface Dice, in mm.
///
/// Both volumes are held in memory, two bytes a voxel, and the distances of one class at a time.
///
/// # Errors
/// If a volume cannot be read or holds what is no label, or they do not have the same voxels.
pub fn compare_volumes(prediction: &Path, reference: &Path, tolerance: f64) -> Result<Vec<ClassAgreement>> {
    let (prediction, reference) = (Labels::read(prediction)?, Labels::read(reference)?);
    check_voxels(prediction.source.profile(), reference.source.profile())?;
    let [x, y, z] = reference.source.profile().affine.spacing();
    let found = find(&prediction, &reference);
    Ok(found.into_iter().map(|(value, found)| agreement(&prediction, &reference, value, &found, [z, y, x], tolerance)).collect())
}

/// An error if two volumes do not have the same voxels.
pub(crate) fn check_voxels(prediction: &VolumeProfile, reference: &VolumeProfile) -> Result<()> {
    let (size, other) = (prediction.size, reference.size);
    let differ = |what: String| {
        let (prediction, reference) = (prediction.path.clone(), reference.path.clone());
        Err(Error::Voxels { prediction, reference, what })
    };
    if size != other {
        return differ(format!("{size} and {other} of them"));
    }
    let apart = reference.affine.inverse().after(&prediction.affine);
    let corners = [0, 1, 2, 3, 4, 5, 6, 7].map(|corner: usize| {
        let side = |bit: usize, length: usize| if corner >> bit & 1 == 1 { (length - 1) as f64 } else { 0.0 };
        [side(0, size.x), side(1, size.y), side(2, size.z)]
    });
    let off = corners.iter().flat_map(|corner| {
        let there = apart.apply(*corner);
        [0, 1, 2].map(|axis| (there[axis] - corner[axis]).abs())
    });
    let most = off.fold(0.0, f64::max);
    if most > TOLERANCE { differ(format!("affines that put them up to {most:.3} voxels apart")) } else { Ok(()) }
}

fn find(prediction: &Labels, reference: &Labels) -> BTreeMap<u16, Found> {
    let size = prediction.size();
    let mut classes: BTreeMap<u16, Found> = BTreeMap::new();
    for (at, (own, other)) in prediction.values.iter().zip(&reference.values).enumerate() {
        if *own == 0 && *other == 0 {
            continue;
        }
        let place = [at / size.width / size.height, at / size.width % size.height, at % size.width];
        let mut see = |value: u16, count: fn(&mut Found)| {
            if value == 0 {
                return;
            }
            let new = || Found { predicted: 0, reference: 0, both: 0, bounds: place.map(|place| [place; 2]) };
            let found = classes.entry(value).or_insert_with(new);
            for ([first, last], place) in found.bounds.iter_mut().zip(place) {
                (*first, *last) = ((*first).min(place), (*last).max(place));
            }
            count(found);
        };
        see(*own, |found| found.predicted += 1);
        see(*other, |found| found.reference += 1);
        if own == other {
            see(*own, |found| found.both += 1);
        }
    }
    classes
}

fn agreement(
    prediction: &Labels,
    reference: &Labels,
    value: u16,
    found: &Found,
    spacing: [f64; 3],
    tolerance: f64,
) -> ClassAgreement {
    let [z, y, x] = found.bounds.map(|[first, last]| swath_tiling::Span::between(first, last + 1));
    let window = Window::from_spans([z, y, x]);
    let masks = [prediction, reference].map(|labels| labels.mask(value, window));
    let size = masks[0].size;
    let [own, other] = masks.map(|mask| mask.surface());
    let [there, back] = [(&own, &other), (&other, &own)].map(|(from, to)| distances(size, spacing, from, to));
    // A class without a voxel has no surface, and all of the other's is infinitely far from it.
    let hd95 = [&there, &back].into_iter().filter_map(|distances| quantile(distances, 0.95)).fold(0.0, f64::max);
    let near = |distances: &[f32]| distances.partition_point(|distance| f64::from(*distance) <= tolerance);
    let surface = (near(&there) + near(&back)) as f64 / (there.len() + back.len()) as f64;
    ClassAgreement {
        value,
        predicted: found.predicted,
        reference: found.reference,
        dice: (found.reference > 0).then(|| 2.0 * found.both as f64 / (found.predicted + found.reference) as f64),
        hd95_mm: hd95,
        surface_dice: surface,
    }
}
