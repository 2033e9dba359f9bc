//! Finished blocks of a layer of tiles, until they are whole planes.

use swath_tiling::{Size, Window};

use crate::{Error, Result};

/// Planes of values of which blocks come in grid order: those of a layer of tiles together, from the first slice to the last.
#[derive(Debug)]
pub(super) struct Slab<T> {
    channels: usize,
    /// All of the volume.
    size: Size,
    first: usize,
    depth: usize,
    /// `(channels, depth, height, width)`
    values: Vec<T>,
    /// Voxels that there are.
    filled: usize,
}

impl<T: Copy + Default> Slab<T> {
    /// No block yet; the first ones are those of the plane `first`.
    pub(super) fn new(channels: usize, size: Size, first: usize) -> Self {
        Self { channels, size, first, depth: 0, values: Vec::new(), filled: 0 }
    }

    /// Puts a block, `(channels, depth, height, width)`, where it belongs. Whether its planes are complete with it.
    ///
    /// # Errors
    /// If it is not of this layer of tiles, or of the next one when this is complete.
    pub(super) fn add(&mut self, window: Window, values: &[T]) -> Result<bool> {
        let plane = self.size.height * self.size.width;
        if self.filled == self.depth * plane {
            let first = self.first + self.depth;
            if window.z != first {
                return Err(self.misplaced(window));
            }
            (self.first, self.depth, self.filled) = (first, window.depth, 0);
            self.values.resize(self.channels * self.depth * plane, T::default());
        }
        if (window.z, window.depth) != (self.first, self.depth) {
            return Err(self.misplaced(window));
        }
        let rows = self.values.chunks_exact_mut(self.size.width).enumerate().filter(|(row, _)| {
            let y = row % self.size.height;
            (window.y..window.y + window.height).contains(&y)
        });
        for ((_, to), from) in rows.zip(values.chunks_exact(window.width)) {
            to[window.x..window.x + window.width].copy_from_slice(from);
        }
        self.filled += window.area();
        Ok(self.filled == self.depth * plane)
    }

    /// First slice of the planes.
    pub(super) fn first(&self) -> usize {
        self.first
    }

    /// Slices of the planes.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// All values, `(channels, depth, height, width)`.
    pub(super) fn values(&self) -> &[T] {
        &self.values
    }

    /// One channel of one of the planes, counted from the volume's first slice.
    pub(super) fn plane(&self, channel: usize, z: usize) -> &[T] {
        let plane = self.size.height * self.size.width;
        let at = channel * self.depth + z - self.first;
        &self.values[at * plane..(at + 1) * plane]
    }

    fn misplaced(&self, window: Window) -> Error {
        Error::Slices { window, first: self.first, last: self.first + self.depth }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_complete_with_their_last_block() {
        let size = Size { depth: 3, height: 2, width: 3 };
        let block = |z: usize, depth: usize, x: usize, width: usize| Window { z, depth, x, width, y: 0, height: 2 };
        let mut slab = Slab::<u8>::new(1, size, 0);
        assert!(!slab.add(block(0, 2, 0, 2), &[1; 8]).unwrap());
        assert!(slab.add(block(0, 2, 2, 1), &[2; 4]).unwrap());
        assert_eq!(slab.values(), [1, 1, 2, 1, 1, 2, 1, 1, 2, 1, 1, 2]);
        assert!(slab.add(block(2, 1, 0, 3), &[3; 6]).unwrap());
        assert_eq!((slab.first(), slab.plane(0, 2)), (2, [3; 6].as_slice()));
        assert!(slab.add(block(1, 1, 0, 3), &[3; 6]).is_err());
    }
}
