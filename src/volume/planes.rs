//! Planes of the grid that the network sees, read once.

use std::collections::VecDeque;
use std::ops::Range;

use swath_volumes::PlaneReader;

use super::intensity::{Step, apply};
use super::line::{Line, Taps, mix, resize};
use super::source::Volume;
use crate::Result;

/// Planes of the grid that the network sees: those that tiles still need.
pub(super) struct Planes<'v> {
    volume: &'v Volume,
    steps: &'v [Step],
    stored: Box<dyn PlaneReader>,
    rows: Vec<Taps>,
    columns: Vec<Taps>,
    /// Stored planes, prepared and with the grid's rows and columns: the last ones that were read.
    resized: VecDeque<Plane>,
    /// Planes of the grid, one after the other.
    ready: VecDeque<Plane>,
}

/// A plane and its place.
struct Plane {
    z: usize,
    /// `(height, width)`
    values: Vec<f32>,
}

impl<'v> Planes<'v> {
    /// Planes that are held beside those of a tile: two between which one lies, and one as it is read.
    pub(super) const BESIDE: usize = 3;

    pub(super) fn new(volume: &'v Volume) -> Result<Self> {
        let lines = volume.lines();
        let (rows, columns) = (lines.y.all(), lines.x.all());
        let stored = volume.stored().reader(volume.frame())?;
        Ok(Self { volume, steps: volume.steps()?, stored, rows, columns, resized: VecDeque::new(), ready: VecDeque::new() })
    }

    /// Makes planes ready, and gives up those before them.
    pub(super) fn make_ready(&mut self, planes: Range<usize>) -> Result<()> {
        while self.ready.front().is_some_and(|plane| plane.z < planes.start) {
            self.ready.pop_front();
        }
        if self.ready.front().is_some_and(|plane| plane.z > planes.start) {
            self.ready.clear();
        }
        let next = self.ready.back().map_or(planes.start, |plane| plane.z + 1);
        for z in next..planes.end {
            let values = self.plane(z)?;
            self.ready.push_back(Plane { z, values });
        }
        Ok(())
    }

    /// A plane that is ready.
    pub(super) fn get(&self, z: usize) -> &[f32] {
        let first = self.ready.front().map_or(0, |plane| plane.z);
        &self.ready[z - first].values
    }

    /// A plane of the grid.
    fn plane(&mut self, z: usize) -> Result<Vec<f32>> {
        let line = self.volume.lines().z;
        if line.is_same() {
            return self.read(z);
        }
        let Taps { low, high, weight } = line.taps(z);
        self.resized.retain(|plane| plane.z >= low);
        for stored in [low, high] {
            if !self.resized.iter().any(|plane| plane.z == stored) {
                let values = self.read(stored)?;
                self.resized.push_back(Plane { z: stored, values });
            }
        }
        let find = |stored: usize| self.resized.iter().find(|plane| plane.z == stored).map_or(&[][..], |plane| &plane.values);
        let mut out = vec![0.0; find(low).len()];
        self.volume.clocks().resampling.time(|| mix(&mut out, find(low), find(high), weight));
        Ok(out)
    }

    /// A stored plane, prepared, with the grid's rows and columns.
    fn read(&mut self, z: usize) -> Result<Vec<f32>> {
        let mut values = self.stored.read(z..z + 1)?;
        let clocks = self.volume.clocks();
        clocks.preparing.time(|| apply(self.steps, &mut values));
        let lines = self.volume.lines();
        let Line { from: width, .. } = lines.x;
        if lines.y.is_same() && lines.x.is_same() {
            return Ok(values);
        }
        let mut out = vec![0.0; lines.y.to * lines.x.to];
        clocks.resampling.time(|| resize(&mut out, &values, &self.rows, &self.columns, width));
        Ok(out)
    }
}
