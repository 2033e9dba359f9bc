//! What every tap reads at every output pixel, without an unrolled or padded copy of the input.
#![expect(clippy::inline_always, reason = "part of the kernels")]

use std::ops::Range;

use super::{sums::PIXELS, window::Window};
use crate::{Axes, Extent};

/// An input as rows of channels, one row per position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a, E> {
    pub(super) values: &'a [E],
    pub(super) extent: Extent,
    /// Elements from one position along x to the next.
    pub(super) step: usize,
    /// Elements from one line of positions to the next.
    pub(super) line: usize,
    /// As many zeros as a row has elements: what taps in the padding read.
    pub(super) zeros: &'a [E],
}

impl<'a, E> Input<'a, E> {
    /// Some channels of the row that starts at an element.
    #[inline(always)]
    pub(super) fn row(&self, start: usize, channels: Range<usize>) -> &'a [E] {
        if start == OUTSIDE { &self.zeros[channels] } else { &self.values[start + channels.start..start + channels.end] }
    }
}

/// In the place of a row's first element: the tap lies in the padding.
const OUTSIDE: usize = usize::MAX;

/// Where the rows for a range of output pixels start.
#[derive(Debug)]
pub(super) struct Rows {
    groups: Vec<Places>,
    /// For each tap, elements from the row that the first tap reads to the one that it reads.
    offsets: Vec<usize>,
    /// Elements from the row of a pixel to that of its neighbour along x.
    step: usize,
    /// For groups that are not regular, `[tap][pixel]`.
    table: Vec<[usize; PIXELS]>,
    pixels: usize,
}

/// Where the rows of a group of pixels start.
#[derive(Clone, Copy, Debug)]
pub(super) enum Places {
    /// All pixels lie in one line, and all taps inside: the row of the first pixel's first tap.
    Line { start: usize },
    /// Where the group's part of the table begins.
    Table { first: usize },
}

impl Rows {
    /// `pixels` count the outputs along x, then y, then z.
    pub(super) fn new<E>(window: &Window, input: &Input<'_, E>, pixels: Range<usize>) -> Self {
        let output = window.output(input.extent);
        let [z, y, x] = window.along(input.extent);
        let taps = || (0..window.taps()).map(|tap| window.tap(tap));
        let offset = |z: usize, y: usize, x: usize| (z * input.extent.y + y) * input.line + x * input.step;
        let offsets = taps().map(|tap| offset(tap.z * z.dilation, tap.y * y.dilation, tap.x * x.dilation)).collect();
        let mut table = Vec::new();
        let groups = pixels.clone().step_by(PIXELS).map(|first| {
            let at = place(first, output);
            let last_x = at.x + PIXELS - 1;
            let is_line = last_x < output.x && first + PIXELS <= pixels.end;
            if is_line && z.sees_all(at.z) && y.sees_all(at.y) && x.sees_all(at.x) && x.sees_all(last_x) {
                let start = offset(at.z * z.stride - z.before, at.y * y.stride - y.before, at.x * x.stride - x.before);
                return Places::Line { start };
            }
            let places = Places::Table { first: table.len() };
            if is_line {
                table.extend(taps().map(|tap| {
                    let (Some(z), Some(y)) = (z.position(at.z, tap.z), y.position(at.y, tap.y)) else { return [OUTSIDE; PIXELS] };
                    let line = offset(z, y, 0);
                    let start = |x: Option<usize>| x.map_or(OUTSIDE, |x| line + x * input.step);
                    std::array::from_fn(|pixel| start(x.position(at.x + pixel, tap.x)))
                }));
            } else {
                let at: [_; PIXELS] =
                    std::array::from_fn(|pixel| (first + pixel < pixels.end).then(|| place(first + pixel, output)));
                table.extend(taps().map(|tap| {
                    let position = |at: Axes<usize>| {
                        Some(offset(z.position(at.z, tap.z)?, y.position(at.y, tap.y)?, x.position(at.x, tap.x)?))
                    };
                    at.map(|at| at.and_then(position).unwrap_or(OUTSIDE))
                }));
            }
            places
        });
        Self { groups: groups.collect(), offsets, step: x.stride * input.step, table, pixels: pixels.len() }
    }

    /// One tap that reads one row after the other, `step` elements apart.
    pub(super) fn one_by_one(pixels: usize, step: usize) -> Self {
        let mut table = Vec::new();
        let groups = (0..pixels).step_by(PIXELS).map(|first| {
            if first + PIXELS <= pixels {
                return Places::Line { start: first * step };
            }
            // A group of less than six reads its first row again.
            let row = |pixel: usize| if first + pixel < pixels { first + pixel } else { first };
            table.push(std::array::from_fn(|pixel| row(pixel) * step));
            Places::Table { first: 0 }
        });
        Self { groups: groups.collect(), offsets: vec![0], step, table, pixels }
    }

    /// The groups, one after the other.
    #[inline(always)]
    pub(super) fn groups(&self) -> impl Iterator<Item = Group> {
        self.groups.iter().enumerate().map(|(index, &places)| {
            let first = index * PIXELS;
            Group { first, pixels: (self.pixels - first).min(PIXELS), places }
        })
    }

    /// Where the rows that a tap reads at the pixels of a group start; `None` if it lies in the padding for all of them.
    #[inline(always)]
    pub(super) fn starts(&self, group: Group, tap: usize) -> Option<[usize; PIXELS]> {
        match group.places {
            Places::Line { start } => Some(std::array::from_fn(|pixel| start + self.offsets[tap] + pixel * self.step)),
            Places::Table { first } => Some(self.table[first + tap]).filter(|starts| *starts != [OUTSIDE; PIXELS]),
        }
    }

    /// For each tap, elements from the row that the first tap reads to the one that it reads.
    #[inline(always)]
    pub(super) fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// Elements from the row of a pixel to that of its neighbour along x.
    #[inline(always)]
    pub(super) fn step(&self) -> usize {
        self.step
    }
}

/// An output pixel by its number.
fn place(pixel: usize, output: Extent) -> Axes<usize> {
    let line = pixel / output.x;
    Axes { z: line / output.y, y: line % output.y, x: pixel % output.x }
}

/// Up to six neighbouring output pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// Index of the first one in its range.
    pub(super) first: usize,
    /// How many there are.
    pub(super) pixels: usize,
    pub(super) places: Places,
}

/// Pixels per job so that all threads get equally many, in groups of six and few enough for the rows to stay in the cache.
pub(super) fn pixels_per_job(pixels: usize, taps: usize) -> usize {
    let most = (8192 / taps).clamp(96, 384);
    let threads = rayon::current_num_threads();
    let jobs = threads * pixels.div_ceil(most * threads);
    pixels.div_ceil(PIXELS).div_ceil(jobs) * PIXELS
}
