//! Which windows a position lies in.

use std::ops::Range;

use crate::{Axes, Extent, Padding, Pool};

/// The sliding windows of a pooling over an input of one extent.
#[derive(Debug)]
pub(super) struct Windows {
    pub(super) kernel: Axes<usize>,
    /// Of every input position along each axis, the windows that it lies in.
    pub(super) over: Axes<Vec<Range<usize>>>,
    /// Of every window along each axis, the input positions in it.
    pub(super) inside: Axes<Vec<Inside>>,
}

/// The part of a window that lies inside the input.
#[derive(Clone, Debug)]
pub(super) struct Inside {
    pub(super) positions: Range<usize>,
    /// Positions of the window before the first one.
    pub(super) skipped: usize,
}

impl Inside {
    /// At which place of the window an input position is.
    pub(super) fn place(&self, position: usize) -> usize {
        position - self.positions.start + self.skipped
    }
}

impl Windows {
    pub(super) fn new(pool: &Pool, input: Extent, output: Extent) -> Self {
        let axes = pool.kernel.zip(pool.stride).zip(pool.padding).zip(input.zip(output));
        let inside = axes.map(|(((kernel, stride), padding), (input, output))| -> Vec<Inside> {
            (0..output).map(|at| inside(at * stride, kernel, padding, input)).collect()
        });
        let over = Axes { z: over(&inside.z, input.z), y: over(&inside.y, input.y), x: over(&inside.x, input.x) };
        Self { kernel: pool.kernel, over, inside }
    }
}

fn inside(start: usize, kernel: usize, padding: Padding, length: usize) -> Inside {
    let first = start.saturating_sub(padding.before).min(length);
    let end = (start + kernel).saturating_sub(padding.before).min(length).max(first);
    Inside { positions: first..end, skipped: (first + padding.before).saturating_sub(start) }
}

fn over(inside: &[Inside], length: usize) -> Vec<Range<usize>> {
    let windows = |position: usize| {
        let holds = |window: &Inside| window.positions.contains(&position);
        let first = inside.iter().position(holds).unwrap_or(0);
        first..inside.iter().rposition(holds).map_or(first, |last| last + 1)
    };
    (0..length).map(windows).collect()
}
