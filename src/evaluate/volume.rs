//! Label volumes beside a reference.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use swath_tiling::{Size, Span, Window};
use swath_volumes::{PlaneReader, VolumeOptions, VolumeProfile, VolumeSource};

use super::surface::{distances, quantile};
use crate::volume::nodata_of;
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

/// A volume of labels, read plane by plane.
struct Labels {
    source: Box<dyn VolumeSource>,
    size: Size,
    /// What voxels without a label have.
    nodata: Option<u16>,
}

impl Labels {
    fn open(path: &Path) -> Result<Self> {
        let source = swath_volumes::open(path, &VolumeOptions::default())?;
        let size = source.profile().size;
        Ok(Self { size: Size { depth: size.z, height: size.y, width: size.x }, source, nodata: None })
    }

    /// Those that Swath made: voxels to which it gave no label have none, and so are missed where the reference has one.
    fn open_own(path: &Path) -> Result<Self> {
        Ok(Self { nodata: nodata_of(path).map(u16::from), ..Self::open(path)? })
    }

    fn reader(&self) -> Result<LabelReader<'_>> {
        let profile = self.source.profile();
        Ok(LabelReader { path: &profile.path, planes: self.source.reader(profile.frame(None)?)?, nodata: self.nodata })
    }

    /// The surfaces of some classes, each as places in its box: voxels of which a neighbour across a face is not of the class; beyond the volume none is.
    fn surfaces(&self, classes: &[(u16, Window)]) -> Result<Vec<Vec<usize>>> {
        let Size { depth, height, width } = self.size;
        let mut places = vec![None; 1 << 16];
        for (place, (value, _)) in classes.iter().enumerate() {
            places[usize::from(*value)] = Some(place);
        }
        let mut surfaces = vec![Vec::new(); classes.len()];
        let mut reader = self.reader()?;
        let background = || vec![0; height * width];
        let (mut before, mut here) = (background(), reader.plane(0)?);
        for z in 0..depth {
            let after = if z + 1 < depth { reader.plane(z + 1)? } else { background() };
            for (at, label) in here.iter().enumerate() {
                let Some(place) = places[usize::from(*label)] else { continue };
                let (y, x) = (at / width, at % width);
                let is_edge = y == 0 || x == 0 || y + 1 == height || x + 1 == width;
                let is_inside =
                    || [here[at - 1], here[at + 1], here[at - width], here[at + width], before[at], after[at]] == [*label; 6];
                if is_edge || !is_inside() {
                    let window = classes[place].1;
                    surfaces[place].push(((z - window.z) * window.height + y - window.y) * window.width + x - window.x);
                }
            }
            (before, here) = (here, after);
        }
        Ok(surfaces)
    }
}

/// Reads the planes of a volume of labels.
struct LabelReader<'l> {
    path: &'l Path,
    planes: Box<dyn PlaneReader>,
    nodata: Option<u16>,
}

impl LabelReader<'_> {
    fn plane(&mut self, z: usize) -> Result<Vec<u16>> {
        let label = |value: f32| {
            let label = value as u16;
            // Adding 0 makes 0 of -0.
            let is_label = f32::from(label).total_cmp(&(value + 0.0)).is_eq();
            match is_label {
                true if Some(label) == self.nodata => Ok(0),
                true => Ok(label),
                false => Err(Error::NotLabel { path: self.path.into(), got: value, plane: z }),
            }
        };
        self.planes.read(z..z + 1)?.into_iter().map(label).collect()
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

impl Found {
    fn window(&self) -> Window {
        Window::from_spans(self.bounds.map(|[first, last]| Span::between(first, last + 1)))
    }
}

/// Voxels of classes whose surfaces are found in one pass, and so the most places that are held, but for those of one class.
const SURFACES: u64 = 16 << 20;

/// How each class but 0, the background, of a label volume agrees with a reference on the same voxels. `tolerance` is that of the surface Dice, in mm.
/// Where the prediction has no label, as the JSON file beside it says, it counts as background.
///
/// Both volumes are read plane by plane, once for what is counted and once or more for the surfaces: held are these, of as many classes as have 16 million
/// voxels together, and the distances in the box of one class at a time, four bytes a voxel.
///
/// # Errors
/// If a volume cannot be read or holds what is no label, or they do not have the same voxels.
pub fn compare_volumes(prediction: &Path, reference: &Path, tolerance: f64) -> Result<Vec<ClassAgreement>> {
    let (prediction, reference) = (Labels::open_own(prediction)?, Labels::open(reference)?);
    check_voxels(prediction.source.profile(), reference.source.profile())?;
    let [x, y, z] = reference.source.profile().affine.spacing();
    let found: Vec<(u16, Found)> = find(&prediction, &reference)?.into_iter().collect();
    let mut classes = Vec::with_capacity(found.len());
    for group in groups(&found, SURFACES) {
        let boxes: Vec<(u16, Window)> = group.iter().map(|(value, found)| (*value, found.window())).collect();
        let surfaces = prediction.surfaces(&boxes)?.into_iter().zip(reference.surfaces(&boxes)?);
        for ((value, found), (own, other)) in group.iter().zip(surfaces) {
            classes.push(agreement(*value, found, [own, other], [z, y, x], tolerance));
        }
    }
    Ok(classes)
}

/// Classes one after the other, as many together as have no more than so many voxels, but at least one.
fn groups(found: &[(u16, Found)], most: u64) -> Vec<&[(u16, Found)]> {
    let (mut groups, mut first, mut voxels) = (Vec::new(), 0, 0);
    for (place, (_, class)) in found.iter().enumerate() {
        let own = class.predicted + class.reference;
        if place > first && voxels + own > most {
            groups.push(&found[first..place]);
            (first, voxels) = (place, 0);
        }
        voxels += own;
    }
    groups.extend((first < found.len()).then(|| &found[first..]));
    groups
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

fn find(prediction: &Labels, reference: &Labels) -> Result<BTreeMap<u16, Found>> {
    let size = prediction.size;
    let mut classes: BTreeMap<u16, Found> = BTreeMap::new();
    let (mut own, mut other) = (prediction.reader()?, reference.reader()?);
    for z in 0..size.depth {
        let (own, other) = (own.plane(z)?, other.plane(z)?);
        for (at, (own, other)) in own.iter().zip(&other).enumerate() {
            if *own == 0 && *other == 0 {
                continue;
            }
            let place = [z, at / size.width, at % size.width];
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
    }
    Ok(classes)
}

/// The figures of a class from what was counted, and from the surfaces of prediction and reference as places in its box.
fn agreement(value: u16, found: &Found, [own, other]: [Vec<usize>; 2], spacing: [f64; 3], tolerance: f64) -> ClassAgreement {
    let window = found.window();
    let size = [window.depth, window.height, window.width];
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_share_a_pass_as_long_as_they_are_few() {
        let found = |voxels| Found { predicted: voxels, reference: 0, both: 0, bounds: [[0; 2]; 3] };
        let classes: Vec<(u16, Found)> = (1..).zip([3, 4, 9, 1, 1, 5].map(found)).collect();
        let sizes = |most| groups(&classes, most).iter().map(|group| group.len()).collect::<Vec<_>>();
        assert_eq!(sizes(7), [2, 1, 3]);
        assert_eq!(sizes(1), [1; 6]);
        assert_eq!(sizes(100), [6]);
        assert!(groups(&[], 7).is_empty());
    }
}
