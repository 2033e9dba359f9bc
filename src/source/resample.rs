//! Coarser pixels on a finer grid.
//!
//! GDAL resamples each window on its own: what a pixel becomes may depend on where a window was cut. Here its place among the coarser ones is
//! computed from its place in the whole raster, and so is its value, bit for bit.

use swath_tiling::{Span, Window};

/// What a pixel holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// A value.
    Data,
    /// The value that stands for "no data".
    Nodata,
    /// Nothing: it is masked, or no number.
    Void,
}

/// Pixels of one band.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plane {
    pub(super) window: Window,
    /// Values `(height, width)`.
    pub(super) pixels: Vec<f32>,
    /// What they are, `(height, width)`.
    pub(super) held: Vec<Held>,
    /// What pixels without data have.
    pub(super) nodata: f32,
}

/// How fine pixels lie on coarser ones along one axis: the left edge of fine pixel `x` is at `x scale + offset`, in coarser pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    scale: f64,
    offset: f64,
    /// How many coarser pixels there are.
    length: usize,
}

/// The two coarser pixels around the centre of a fine one, and their weights.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Taps {
    at: [usize; 2],
    weights: [f64; 2],
}

impl Taps {
    /// The one in which the centre lies.
    fn nearest(self) -> usize {
        self.at[usize::from(self.weights[1] > 0.5)]
    }
}

impl Axis {
    /// The same pixels.
    pub(super) fn same(length: usize) -> Self {
        Self { scale: 1.0, offset: 0.0, length }
    }

    /// A scale that is a part of a whole within one millionth is that part, an offset below a hundredth is none: coordinates in files are rounded.
    pub(super) fn new(scale: f64, offset: f64, length: usize) -> Self {
        let parts = (1.0 / scale).round();
        let scale = if (scale * parts - 1.0).abs() < 1e-6 { 1.0 / parts } else { scale };
        Self { scale, offset: if offset.abs() < 0.01 { 0.0 } else { offset }, length }
    }

    /// Whether fine and coarser pixels are the same.
    #[expect(clippy::float_cmp, reason = "only the very same pixels are copied")]
    pub(super) fn is_same(self) -> bool {
        self.scale == 1.0 && self.offset == 0.0
    }

    /// The coarser pixels that `len` fine ones from `start` are made of.
    pub(super) fn needed(self, start: usize, len: usize) -> Span {
        let (first, last) = (self.taps(start), self.taps(start + len - 1));
        Span::between(first.at[0], last.at[1] + 1)
    }

    /// Beyond the edge, the pixel at it counts instead.
    fn taps(self, fine: usize) -> Taps {
        let last = (self.length - 1) as f64;
        let centre = ((fine as f64 + 0.5) * self.scale + self.offset - 0.5).clamp(0.0, last);
        let first = centre.floor();
        let next = (first + 1.0).min(last);
        Taps { at: [first as usize, next as usize], weights: [1.0 - (centre - first), centre - first] }
    }
}

/// Values for the fine pixels of `window`: means of the coarser ones around, weighted by nearness, across and then down as GDAL does it. What has no
/// data has no weight. A fine pixel holds what the coarser one holds in which its centre lies: where that has no data, neither has it.
pub(super) fn bilinear(stored: &Plane, window: Window, rows: Axis, columns: Axis) -> Plane {
    let across: Vec<Taps> = (window.x..window.x + window.width).map(|x| columns.taps(x)).collect();
    let (mut pixels, mut held) = (Vec::with_capacity(window.area()), Vec::with_capacity(window.area()));
    for y in window.y..window.y + window.height {
        let down = rows.taps(y);
        let place = |row: usize, column: usize| (row - stored.window.y) * stored.window.width + column - stored.window.x;
        for taps in &across {
            let what = stored.held[place(down.nearest(), taps.nearest())];
            let pixel = |at: usize| (stored.held[at] == Held::Data).then(|| f64::from(stored.pixels[at]));
            let line = |row: usize| mean(taps.at.map(|column| pixel(place(row, column))), taps.weights);
            let value = if what == Held::Data { mean(down.at.map(line), down.weights) } else { None };
            pixels.push(value.map_or(stored.nodata, |value| value as f32));
            held.push(what);
        }
    }
    Plane { window, pixels, held, nodata: stored.nodata }
}

/// The weighted mean of what is there.
fn mean(values: [Option<f64>; 2], weights: [f64; 2]) -> Option<f64> {
    let there = || values.iter().zip(weights).filter_map(|(value, weight)| Some(((*value)?, weight)));
    let weight: f64 = there().map(|(_, weight)| weight).sum();
    (weight > 0.0).then(|| there().map(|(value, weight)| value * weight).sum::<f64>() / weight)
}
