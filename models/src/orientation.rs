//! Networks whose axes lie otherwise than a raster's.

use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;

use crate::{Arithmetic, Axes, Error, Executor, Extent, Geometry, Graph, Padding, Result, Shape, Tensor};

/// Which axes of a raster a network's depth, height and width are, and whether they go the other way.
///
/// ```
/// use swath_models::{Axes, Orientation};
///
/// // Depth along the raster's width, from its end; height as it is; width along the raster's depth.
/// let orientation = Orientation::new([2, 1, 0], [true, false, false])?;
/// assert_eq!(orientation.to_raster(Axes { z: 'd', y: 'h', x: 'w' }), Axes { z: 'w', y: 'h', x: 'd' });
/// # Ok::<(), swath_models::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orientation {
    /// The raster's axis (0 is the slowest) for each of the network's.
    places: [usize; 3],
    /// Whether the network's axis goes the other way.
    flipped: [bool; 3],
}

impl Orientation {
    /// The network's axes are the raster's.
    pub const SAME: Self = Self { places: [0, 1, 2], flipped: [false; 3] };

    /// The raster's axis (0 depth, 1 height, 2 width) for each of the network's, and whether it goes the other way.
    ///
    /// # Errors
    /// If an axis is named twice, or there is no such axis.
    pub fn new(places: [usize; 3], flipped: [bool; 3]) -> Result<Self> {
        if (0..3).all(|axis| places.contains(&axis)) {
            return Ok(Self { places, flipped });
        }
        Err(Error::Axes { got: places })
    }

    /// The raster's axis (0 depth, 1 height, 2 width) along which the network has its depth.
    #[must_use]
    pub fn depth_axis(&self) -> usize {
        self.places[0]
    }

    /// Whether the network's depth goes the other way than that axis.
    #[must_use]
    pub fn is_depth_flipped(&self) -> bool {
        self.flipped[0]
    }

    /// Values along the network's axes in the order of the raster's.
    pub fn to_raster<T: Copy>(&self, network: Axes<T>) -> Axes<T> {
        let values = network.into_array();
        let mut raster = values;
        for (place, value) in self.places.into_iter().zip(values) {
            raster[place] = value;
        }
        Axes::from_array(raster)
    }

    /// Values along the raster's axes in the order of the network's.
    pub fn to_network<T: Copy>(&self, raster: Axes<T>) -> Axes<T> {
        let values = raster.into_array();
        Axes::from_array(self.places.map(|place| values[place]))
    }

    /// What lies before and behind along the network's axes, as the raster has it.
    pub(crate) fn padding_to_raster(&self, network: Axes<Padding>) -> Axes<Padding> {
        let turned = |(padding, flipped): (Padding, bool)| {
            if flipped { Padding { before: padding.after, after: padding.before } } else { padding }
        };
        self.to_raster(network.zip(Axes::from_array(self.flipped)).map(turned))
    }

    /// Where in a raster of this extent each value lies, in the order in which the network sees them.
    #[must_use]
    pub fn indices(&self, raster: Extent) -> Vec<usize> {
        let to = self.to_network(raster);
        let [z, y, x] = [0, 1, 2].map(|axis| self.step(axis, raster));
        let origin = z.first + y.first + x.first;
        let row = |k: usize, j: usize| origin + k as isize * z.stride + j as isize * y.stride;
        let rows = (0..to.z).flat_map(|k| (0..to.y).map(move |j| row(k, j)));
        rows.flat_map(|row| (0..to.x).map(move |i| (row + i as isize * x.stride) as usize)).collect()
    }

    /// How one of the network's axes runs through a channel of a raster of this extent.
    fn step(&self, axis: usize, raster: Extent) -> Step {
        let strides = [raster.y * raster.x, raster.x, 1].map(|stride| stride as isize);
        let place = self.places[axis];
        let last = (raster.into_array()[place] - 1) as isize;
        if self.flipped[axis] {
            Step { first: last * strides[place], stride: -strides[place] }
        } else {
            Step { first: 0, stride: strides[place] }
        }
    }

    /// Channels of a raster's extent, each `(depth, height, width)`, with the network's axes.
    fn values_to_network(&self, values: &[f32], raster: Extent) -> Vec<f32> {
        gather(values, self.to_network(raster), |axis| self.step(axis, raster))
    }

    /// Channels with the network's axes, those of a tile of this extent of the raster, as the raster has them.
    fn values_to_raster(&self, values: &[f32], raster: Extent) -> Vec<f32> {
        let network = self.to_network(raster);
        let strides = [network.y * network.x, network.x, 1].map(|stride| stride as isize);
        let sides = network.into_array();
        gather(values, raster, |place| {
            let axis = self.places.iter().position(|own| *own == place).unwrap_or(place);
            let first = if self.flipped[axis] { (sides[axis] - 1) as isize * strides[axis] } else { 0 };
            Step { first, stride: if self.flipped[axis] { -strides[axis] } else { strides[axis] } }
        })
    }
}

/// How an axis runs through what is read.
#[derive(Clone, Copy)]
struct Step {
    first: isize,
    stride: isize,
}

/// Slices that are written at once where they are what is contiguous in what is read.
const SLICES: usize = 16;

/// The values of each channel in another order: `steps` says how each axis of the result runs through the channel.
fn gather(values: &[f32], to: Extent, steps: impl Fn(usize) -> Step) -> Vec<f32> {
    let [z, y, x] = [0, 1, 2].map(&steps);
    let area = to.product();
    let plane = to.y * to.x;
    let origin = z.first + y.first + x.first;
    let mut out = vec![0.0; values.len()];
    for (from, to_channel) in values.chunks_exact(area).zip(out.chunks_exact_mut(area)) {
        to_channel.par_chunks_mut(SLICES * plane).enumerate().for_each(|(chunk, slices)| {
            let at = |k: usize, j: usize, i: usize| {
                (origin + (chunk * SLICES + k) as isize * z.stride + j as isize * y.stride + i as isize * x.stride) as usize
            };
            let count = slices.len() / plane;
            if z.stride.abs() == 1 {
                for j in 0..to.y {
                    for i in 0..to.x {
                        (0..count).for_each(|k| slices[k * plane + j * to.x + i] = from[at(k, j, i)]);
                    }
                }
                return;
            }
            for (k, slice) in slices.chunks_exact_mut(plane).enumerate() {
                for (j, row) in slice.chunks_exact_mut(to.x).enumerate() {
                    if x.stride == 1 {
                        row.copy_from_slice(&from[at(k, j, 0)..][..to.x]);
                    } else {
                        row.iter_mut().enumerate().for_each(|(i, value)| *value = from[at(k, j, i)]);
                    }
                }
            }
        });
    }
    out
}

/// An executor for tiles of a raster whose axes lie otherwise than the network's: each tile is turned, and its scores are turned back.
pub struct Oriented<'e> {
    executor: &'e dyn Executor,
    orientation: Orientation,
    /// Depth, height and width of the network's tiles, where it is to take no others.
    tile: Axes<Option<usize>>,
}

impl std::fmt::Debug for Oriented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Oriented").field("orientation", &self.orientation).field("tile", &self.tile).finish_non_exhaustive()
    }
}

impl<'e> Oriented<'e> {
    /// `executor` for tiles of a raster that lies so to its network.
    #[must_use]
    pub fn new(executor: &'e dyn Executor, orientation: Orientation) -> Self {
        Self { executor, orientation, tile: executor.fixed() }
    }

    /// The same for tiles of only this extent, along the network's axes; those that the network itself fixes stay.
    #[must_use]
    pub fn with_tile(self, tile: Extent) -> Self {
        let tile = self.executor.fixed().zip(tile).map(|(fixed, tile)| fixed.or(Some(tile)));
        Self { tile, ..self }
    }
}

impl Executor for Oriented<'_> {
    fn graph(&self) -> &Graph {
        self.executor.graph()
    }

    fn input_channels(&self) -> usize {
        self.executor.input_channels()
    }

    fn output_channels(&self) -> usize {
        self.executor.output_channels()
    }

    fn parameters(&self) -> usize {
        self.executor.parameters()
    }

    fn arithmetic(&self) -> Arithmetic {
        self.executor.arithmetic()
    }

    fn geometry(&self) -> Result<Geometry> {
        Ok(self.executor.geometry()?.oriented(&self.orientation))
    }

    fn fixed(&self) -> Axes<Option<usize>> {
        self.orientation.to_raster(self.tile)
    }

    fn flops(&self, tile: Extent) -> Result<u64> {
        self.executor.flops(self.orientation.to_network(tile))
    }

    fn run(&self, tile: Tensor) -> Result<Tensor> {
        if self.orientation == Orientation::SAME {
            return self.executor.run(tile);
        }
        let Shape { channels, extent } = tile.shape();
        let values = self.orientation.values_to_network(tile.data(), extent);
        drop(tile);
        let shape = Shape { channels, extent: self.orientation.to_network(extent) };
        let scores = self.executor.run(Tensor::new(shape, values)?)?;
        let Shape { channels, extent } = scores.shape();
        let extent = self.orientation.to_raster(extent);
        let values = self.orientation.values_to_raster(scores.data(), extent);
        self.executor.recycle(scores);
        Tensor::new(Shape { channels, extent }, values)
    }

    fn peak_bytes(&self, tile: Extent, threads: usize) -> Result<usize> {
        let network = self.executor.peak_bytes(self.orientation.to_network(tile), threads)?;
        if self.orientation == Orientation::SAME {
            return Ok(network);
        }
        // A tile is there twice while it is turned, and so are its scores.
        let channels = self.graph().input_channels().max(self.graph().output_channels());
        Ok(network + Shape { channels, extent: tile }.bytes())
    }

    fn resident_bytes(&self) -> usize {
        self.executor.resident_bytes()
    }

    fn recycle(&self, scores: Tensor) {
        // Those that were turned back have memory of their own.
        if self.orientation == Orientation::SAME {
            self.executor.recycle(scores);
        }
    }

    fn trim(&self) {
        self.executor.trim();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way to lie: six orders of axes, eight of directions.
    fn all() -> impl Iterator<Item = Orientation> {
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        orders.into_iter().flat_map(|places| {
            (0..8).map(move |flips| Orientation { places, flipped: [flips & 1 > 0, flips & 2 > 0, flips & 4 > 0] })
        })
    }

    #[test]
    fn values_go_there_and_back() {
        let raster = Extent { z: 3, y: 17, x: 19 };
        let values: Vec<f32> = (0..2 * raster.product()).map(|at| at as f32).collect();
        for orientation in all() {
            let turned = orientation.values_to_network(&values, raster);
            let network = orientation.to_network(raster);
            // The voxel at the network's (1, 2, 0) by its definition.
            let place = [1, 2, 0];
            let mut at = [0; 3];
            for axis in 0..3 {
                let side = network.into_array()[axis];
                at[orientation.places[axis]] = if orientation.flipped[axis] { side - 1 - place[axis] } else { place[axis] };
            }
            let got = turned[(place[0] * network.y + place[1]) * network.x + place[2]];
            assert_eq!(got as usize, (at[0] * raster.y + at[1]) * raster.x + at[2], "{orientation:?}");
            assert_eq!(orientation.values_to_raster(&turned, raster), values, "{orientation:?}");
            let places: Vec<f32> = orientation.indices(raster).into_iter().map(|at| values[at]).collect();
            assert_eq!(places, turned[..raster.product()], "{orientation:?}");
        }
    }

    #[test]
    fn what_is_before_is_behind_where_an_axis_is_turned() {
        let orientation = Orientation::new([2, 0, 1], [true, false, false]).unwrap();
        let padding = |before, after| Padding { before, after };
        let network = Axes { z: padding(1, 2), y: padding(3, 4), x: padding(5, 6) };
        let raster = Axes { z: padding(3, 4), y: padding(5, 6), x: padding(2, 1) };
        assert_eq!(orientation.padding_to_raster(network), raster);
        assert!(Orientation::new([0, 0, 1], [false; 3]).is_err());
    }
}
