//! All changes of labels, one after the other.

use serde::{Deserialize, Serialize};
use swath_tiling::{Size, Window};

use super::regions::Field;
use super::{LabelBlock, Majority, Regions};
use crate::{Error, Result};

/// What is done with the labels of a raster, in this order: majority, holes, sieve. Each sees what the one before made.
///
/// The raster is changed block by block. What a pixel becomes depends on the raster alone: a region that is too small spans fewer rows and columns
/// than it has pixels, so that a halo of known width around a block holds all that its pixels depend on.
///
/// ```
/// use swath_refine::{Connectivity, LabelSteps, Regions};
/// use swath_tiling::{Size, Window};
///
/// let size = Size::plane(4, 3);
/// let labels = [
///     1, 1, 1, 1, //
///     1, 2, 1, 3, //
///     1, 1, 1, 3,
/// ];
/// let steps = LabelSteps { sieve: Some(Regions { smallest: 3, connectivity: Connectivity::Faces }), ..LabelSteps::none(255) };
/// let mut changed = vec![0; 12];
/// for block in steps.blocks(size) {
///     // This raster is one block.
///     assert_eq!(block.around, Window::all(size));
///     changed = steps.apply(size, block, labels.to_vec())?;
/// }
/// assert_eq!(changed, [1; 12]);
/// # Ok::<(), swath_refine::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelSteps {
    /// The most frequent label around each pixel.
    pub majority: Option<Majority>,
    /// Regions to fill if one label encloses them.
    pub holes: Option<Regions>,
    /// Regions that get the label of those beside them.
    pub sieve: Option<Regions>,
    /// The label of pixels without data, which stay.
    pub nodata: u8,
}

impl LabelSteps {
    /// Bytes of a pixel while its block is changed: its label before and after, and what is known of its region.
    const PIXEL_BYTES: usize = 3;

    /// The least side of a block's core, in pixels.
    const SIDE: usize = 1024;

    /// Nothing is done.
    #[must_use]
    pub fn none(nodata: u8) -> Self {
        Self { majority: None, holes: None, sieve: None, nodata }
    }

    /// Whether nothing is done.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::none(self.nodata)
    }

    /// How far from a pixel others matter, in pixels.
    #[must_use]
    pub fn halo(&self) -> usize {
        let majority = self.majority.map_or(0, Majority::halo);
        let holes = self.holes.map_or(0, |regions| regions.smallest);
        // Those beside a small region are as far away as it is long, and may be small, too.
        let sieve = self.sieve.map_or(0, |regions| 2 * regions.smallest);
        majority + holes + sieve
    }

    /// Side of a block's core: half of what is read then is changed, but for small halos.
    fn side(&self) -> usize {
        Self::SIDE.max(2 * self.halo())
    }

    /// Most bytes that changing a block of such a raster holds.
    #[must_use]
    pub fn bytes(&self, size: Size) -> usize {
        let side = self.side() + 2 * self.halo();
        let regions = [self.holes, self.sieve].into_iter().flatten().map(|regions| regions.smallest).max().unwrap_or(0);
        // A region's pixels are listed; the list has grown by doubling.
        let pixels = side.min(size.height) * side.min(size.width);
        Self::PIXEL_BYTES * pixels + 3 * regions.min(pixels) * size_of::<usize>()
    }

    /// The blocks that a raster is changed in, each pixel in one core.
    #[must_use = "iterators are lazy"]
    pub fn blocks(&self, size: Size) -> impl ExactSizeIterator<Item = LabelBlock> {
        LabelBlock::cover(size, self.side(), self.halo())
    }

    /// The new labels of a block's core, `(height, width)`; `labels` are those of all of the block, before any change.
    ///
    /// # Errors
    /// If they are not as many as its pixels.
    pub fn apply(&self, raster: Size, block: LabelBlock, mut labels: Vec<u8>) -> Result<Vec<u8>> {
        let LabelBlock { core, around } = block;
        if labels.len() != around.area() {
            let expected = around.area().to_string();
            return Err(Error::Values { what: "labels", size: around.size(), expected, got: labels.len() });
        }
        let nodata = self.nodata;
        if let Some(majority) = self.majority {
            labels = majority.apply(around.size(), nodata, &labels);
        }
        if let Some(holes) = self.holes {
            labels = holes.fill(Field { window: around, raster, nodata, labels: &labels });
        }
        if let Some(sieve) = self.sieve {
            labels = sieve.sieve(Field { window: around, raster, nodata, labels: &labels });
        }
        let Window { x, y, width, height, .. } = core;
        let rows = (y - around.y..y - around.y + height).map(|row| row * around.width + x - around.x);
        Ok(rows.flat_map(|start| labels[start..start + width].iter().copied()).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Component, Components, Connectivity, Labelling};

    const NODATA: u8 = 255;

    fn fields() -> impl Strategy<Value = (Size, Vec<u8>)> {
        let label = prop_oneof![4 => 0..3_u8, 1 => Just(NODATA)];
        (1..24_usize, 1..24_usize, 1..4_usize).prop_flat_map(move |(width, height, zoom)| {
            // Patches of several pixels make regions of several sizes.
            let patches = width.div_ceil(zoom) * height.div_ceil(zoom);
            (proptest::collection::vec(label.clone(), patches), proptest::collection::vec(0..40_u8, width * height)).prop_map(
                move |(patches, noise)| {
                    let patch = |pixel: usize| patches[pixel / width / zoom * width.div_ceil(zoom) + pixel % width / zoom];
                    let label = |(pixel, noise): (usize, u8)| if noise < 3 { noise } else { patch(pixel) };
                    (Size::plane(width, height), noise.into_iter().enumerate().map(label).collect())
                },
            )
        })
    }

    fn regions() -> impl Strategy<Value = Option<Regions>> {
        let connectivity = prop_oneof![Just(Connectivity::Faces), Just(Connectivity::Corners)];
        let regions = (0..9_usize, connectivity).prop_map(|(smallest, connectivity)| Regions { smallest, connectivity });
        proptest::option::of(regions)
    }

    fn steps() -> impl Strategy<Value = LabelSteps> {
        let majority = proptest::option::of((1..3_usize).prop_map(|radius| Majority::new(2 * radius + 1).unwrap()));
        (majority, regions(), regions()).prop_map(|(majority, holes, sieve)| LabelSteps {
            majority,
            holes,
            sieve,
            nodata: NODATA,
        })
    }

    fn in_blocks(steps: &LabelSteps, size: Size, labels: &[u8], side: usize) -> Vec<u8> {
        let mut changed = vec![77; size.area()];
        let cut = |window: Window| {
            let rows = (window.y..window.y + window.height).map(move |y| y * size.width + window.x);
            rows.map(move |start| start..start + window.width)
        };
        for block in LabelBlock::cover(size, side, steps.halo()) {
            let around = cut(block.around).flat_map(|row| labels[row].iter().copied()).collect();
            let core = steps.apply(size, block, around).unwrap();
            for (row, new) in cut(block.core).zip(core.chunks_exact(block.core.width)) {
                changed[row].copy_from_slice(new);
            }
        }
        changed
    }

    /// Of every pixel the component, and all components.
    fn components(size: Size, connectivity: Connectivity, labels: &[u8]) -> (Vec<usize>, Components) {
        let mut labelling = Labelling::new(size, connectivity).unwrap();
        labelling.feed(labels).unwrap();
        let components = labelling.finish().unwrap();
        let mut ids = vec![0; labels.len()];
        for bit in 0..16 {
            let mut plane = labels.to_vec();
            components.relabel(0, &mut plane, |id, _| u8::from(id >> bit & 1 == 1));
            ids.iter_mut().zip(plane).for_each(|(id, is_set)| *id |= usize::from(is_set) << bit);
        }
        (ids, components)
    }

    fn majority(size: Size, radius: usize, labels: &[u8]) -> Vec<u8> {
        let new = |pixel: usize| {
            let (x, y) = (pixel % size.width, pixel / size.width);
            let is_near =
                |other: &usize| (other % size.width).abs_diff(x) <= radius && (other / size.width).abs_diff(y) <= radius;
            let near: Vec<u8> =
                (0..labels.len()).filter(is_near).map(|other| labels[other]).filter(|label| *label != NODATA).collect();
            let count = |label: u8| near.iter().map(|other| usize::from(*other == label)).sum::<usize>();
            let most = (0..NODATA).map(count).max().unwrap();
            match labels[pixel] {
                NODATA => NODATA,
                own if count(own) == most => own,
                _ => (0..NODATA).find(|label| count(*label) == most).unwrap(),
            }
        };
        (0..labels.len()).map(new).collect()
    }

    fn fill(size: Size, regions: Regions, labels: &[u8]) -> Vec<u8> {
        let (_, components) = components(size, regions.connectivity, labels);
        let mut changed = labels.to_vec();
        components.relabel(0, &mut changed, |id, component: &Component| match components.encloses(id) {
            Some(label) if label != NODATA && component.label != NODATA && component.size < regions.smallest as u64 => label,
            _ => component.label,
        });
        changed
    }

    fn sieve(size: Size, regions: Regions, labels: &[u8]) -> Vec<u8> {
        let (ids, components) = components(size, regions.connectivity, labels);
        let is_small = |id: usize| {
            let component = components.get(id).unwrap();
            component.label != NODATA && component.size < regions.smallest as u64
        };
        let mut edges = vec![[0; 255]; components.len()];
        for pixel in 0..labels.len() {
            let right = (pixel % size.width + 1 < size.width).then_some(pixel + 1);
            let below = (pixel + size.width < labels.len()).then_some(pixel + size.width);
            for other in [right, below].into_iter().flatten() {
                for (one, other) in [(pixel, other), (other, pixel)] {
                    if ids[one] != ids[other] && !is_small(ids[other]) && labels[other] != NODATA {
                        edges[ids[one]][usize::from(labels[other])] += 1;
                    }
                }
            }
        }
        let new = |pixel: usize| {
            let edges = &edges[ids[pixel]];
            let most = *edges.iter().max().unwrap();
            if is_small(ids[pixel]) && most > 0 {
                edges.iter().position(|count| *count == most).unwrap() as u8
            } else {
                labels[pixel]
            }
        };
        (0..labels.len()).map(new).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        #[test]
        fn however_it_is_cut_a_raster_becomes_what_the_definitions_say(
            ((size, labels), steps, side) in (fields(), steps(), 1..12_usize)
        ) {
            let mut expected = labels.clone();
            if let Some(window) = steps.majority {
                expected = majority(size, window.width() / 2, &expected);
            }
            if let Some(regions) = steps.holes {
                expected = fill(size, regions, &expected);
            }
            if let Some(regions) = steps.sieve {
                expected = sieve(size, regions, &expected);
            }
            prop_assert_eq!(in_blocks(&steps, size, &labels, 64), expected.clone());
            prop_assert_eq!(in_blocks(&steps, size, &labels, side), expected);
        }
    }

    #[test]
    fn a_long_line_is_as_long_as_it_is_wherever_it_is_cut() {
        let size = Size::plane(9, 60);
        for (length, smallest) in [(39, 40), (40, 40), (41, 40)] {
            let label = |pixel: usize| u8::from(pixel % 9 == 4 && (7..7 + length).contains(&(pixel / 9)));
            let labels: Vec<u8> = (0..size.area()).map(label).collect();
            let sieve = Some(Regions { smallest, connectivity: Connectivity::Faces });
            let expected = if length < smallest { vec![0; size.area()] } else { labels.clone() };
            assert_eq!(in_blocks(&LabelSteps { sieve, ..LabelSteps::none(NODATA) }, size, &labels, 3), expected);
        }
    }
}
