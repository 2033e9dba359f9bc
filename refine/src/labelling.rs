//! Finding connected components, row by row.

use std::cmp::Ordering;

use swath_tiling::Size;

use crate::disjoint_sets::DisjointSets;
use crate::{Components, Connectivity, Error, Result};

/// Pixels of equal label beside each other in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) label: u8,
}

/// Finds the connected components of a plane or volume whose labels are fed in any number of parts, such as slabs of slices: no more than runs of
/// equal labels are kept.
///
/// ```
/// use swath_refine::{Connectivity, Labelling};
/// use swath_tiling::Size;
///
/// let labels = [
///     1, 1, 0, 2, //
///     0, 0, 0, 2, //
///     1, 0, 2, 0,
/// ];
/// let mut labelling = Labelling::new(Size::plane(4, 3), Connectivity::Corners)?;
/// labelling.feed(&labels[..4])?;
/// labelling.feed(&labels[4..])?;
/// let components = labelling.finish()?;
/// let found: Vec<_> = components.iter().map(|component| (component.label, component.size)).collect();
/// assert_eq!(found, [(1, 2), (0, 6), (2, 3), (1, 1)]);
/// assert_eq!(components.largest(1), Some(0));
///
/// // Only the largest component of each label stays.
/// let mut kept = labels;
/// components.relabel(0, &mut kept, |id, component| if components.largest(component.label) == Some(id) { component.label } else { 9 });
/// assert_eq!(kept[8], 9);
/// # Ok::<(), swath_refine::Error>(())
/// ```
#[derive(Debug)]
pub struct Labelling {
    size: Size,
    connectivity: Connectivity,
    runs: Vec<Run>,
    /// Where the runs of every row start, and where those of the last one end.
    rows: Vec<usize>,
    sets: DisjointSets,
}

impl Labelling {
    /// Begins with a plane or volume of that size.
    ///
    /// # Errors
    /// If it is empty, or its rows are longer than `u32` counts.
    pub fn new(size: Size, connectivity: Connectivity) -> Result<Self> {
        if size.is_empty() {
            return Err(Error::Empty { size });
        }
        if u32::try_from(size.width).is_err() {
            return Err(Error::Runs { most: u32::MAX as usize });
        }
        Ok(Self { size, connectivity, runs: Vec::new(), rows: vec![0], sets: DisjointSets::default() })
    }

    /// Takes the labels of the next rows, `(rows, width)`: those of a slice from top to bottom, then those of the next slice.
    ///
    /// # Errors
    /// If they are not whole rows, or more than are left.
    pub fn feed(&mut self, labels: &[u8]) -> Result<()> {
        let Size { width, .. } = self.size;
        let left = self.size.area() - (self.rows.len() - 1) * width;
        if !labels.len().is_multiple_of(width) || labels.len() > left {
            return Err(Error::Rows { width, expected: left, got: labels.len() });
        }
        labels.chunks_exact(width).try_for_each(|row| self.feed_row(row))
    }

    fn feed_row(&mut self, labels: &[u8]) -> Result<()> {
        let mut start = 0;
        for equal in labels.chunk_by(|a, b| a == b) {
            let end = start + equal.len() as u32;
            self.runs.push(Run { start, end, label: equal[0] });
            self.sets.push();
            start = end;
        }
        if u32::try_from(self.runs.len()).is_err() {
            return Err(Error::Runs { most: u32::MAX as usize });
        }
        let row = self.rows.len() - 1;
        self.rows.push(self.runs.len());
        let (z, y) = (row / self.size.height, row % self.size.height);
        for earlier in self.connectivity.earlier_rows() {
            let other = y.checked_add_signed(earlier.y).filter(|y| *y < self.size.height);
            if let (Some(slice), Some(y)) = (z.checked_sub(earlier.slices), other) {
                self.unite(slice * self.size.height + y, row, earlier.columns as u32);
            }
        }
        Ok(())
    }

    /// Unites runs of two rows that have equal labels and are at most `columns` apart.
    fn unite(&mut self, first: usize, second: usize, columns: u32) {
        let (mut a, a_end) = (self.rows[first], self.rows[first + 1]);
        let (mut b, b_end) = (self.rows[second], self.rows[second + 1]);
        while a < a_end && b < b_end {
            let [one, other] = [self.runs[a], self.runs[b]];
            if one.label == other.label && one.start < other.end + columns && other.start < one.end + columns {
                self.sets.unite(a as u32, b as u32);
            }
            // Whichever ends first has met all that it can meet, but for a diagonal neighbour of the next run.
            match one.end.cmp(&other.end) {
                Ordering::Less => a += 1,
                Ordering::Greater => b += 1,
                Ordering::Equal => {
                    self.unite_corners(a, b, [a_end, b_end], columns);
                    (a, b) = (a + 1, b + 1);
                }
            }
        }
    }

    /// Two runs that end in one column: each may touch the other's successor.
    fn unite_corners(&mut self, a: usize, b: usize, [a_end, b_end]: [usize; 2], columns: u32) {
        if columns == 0 {
            return;
        }
        if b + 1 < b_end && self.runs[a].label == self.runs[b + 1].label {
            self.sets.unite(a as u32, b as u32 + 1);
        }
        if a + 1 < a_end && self.runs[a + 1].label == self.runs[b].label {
            self.sets.unite(a as u32 + 1, b as u32);
        }
    }

    /// The components.
    ///
    /// # Errors
    /// If not all rows were fed.
    pub fn finish(self) -> Result<Components> {
        let [expected, got] = [self.size.depth * self.size.height, self.rows.len() - 1];
        if got != expected {
            return Err(Error::Unfinished { expected, got });
        }
        Ok(Components::new(self.size, self.runs, self.rows, self.sets.into_roots()))
    }
}
