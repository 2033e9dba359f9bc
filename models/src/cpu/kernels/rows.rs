//! What every tap reads at every output pixel, without an unrolled or padded copy of the input.
#![expect(clippy::inline_always, reason = "part of the kernels")]

use std::ops::Range;

use super::{sums::PIXELS, window::Window};
use crate::Extent;

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

/// Where the rows for a range of output pixels start: `[group of six pixels][tap][pixel]`.
#[derive(Debug)]
pub(super) struct Rows {
    groups: Vec<[usize; PIXELS]>,
    taps: usize,
    pixels: usize,
}

impl Rows {
    /// `pixels` count the outputs along x, then y, then z.
    pub(super) fn new<E>(window: &Window, input: &Input<'_, E>, pixels: Range<usize>) -> Self {
        let (taps, output) = (window.taps(), window.output(input.extent));
        let mut groups = vec![[OUTSIDE; PIXELS]; pixels.len().div_ceil(PIXELS) * taps];
        let [z, y, x] = window.along(input.extent);
        let mut index = 0;
        while index < pixels.len() {
            // The rest of a line of outputs, or of the pixels.
            let (line, first_x) = ((pixels.start + index) / output.x, (pixels.start + index) % output.x);
            let (out_z, out_y) = (line / output.y, line % output.y);
            let len = (output.x - first_x).min(pixels.len() - index);
            for tap in 0..taps {
                let (tap_line, tap_x) = (tap / window.kernel.x, tap % window.kernel.x);
                let (tap_z, tap_y) = (tap_line / window.kernel.y, tap_line % window.kernel.y);
                let (Some(z), Some(y)) = (z.position(out_z, tap_z), y.position(out_y, tap_y)) else { continue };
                let line = (z * input.extent.y + y) * input.line;
                for out_x in x.inside(tap_x, first_x..first_x + len) {
                    let index = index + out_x - first_x;
                    let start = line + (out_x * x.stride + tap_x * x.dilation - x.before) * input.step;
                    groups[index / PIXELS * taps + tap][index % PIXELS] = start;
                }
            }
            index += len;
        }
        Self { groups, taps, pixels: pixels.len() }
    }

    /// One tap that reads one row after the other, `step` elements apart.
    pub(super) fn one_by_one(pixels: usize, step: usize) -> Self {
        // A group of less than six reads its first row again.
        let start = |index: usize| if index < pixels { index * step } else { (pixels - 1) / PIXELS * PIXELS * step };
        let groups = (0..pixels.div_ceil(PIXELS)).map(|group| std::array::from_fn(|pixel| start(group * PIXELS + pixel)));
        Self { groups: groups.collect(), taps: 1, pixels }
    }

    /// The groups, one after the other.
    #[inline(always)]
    pub(super) fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        self.groups.chunks_exact(self.taps).enumerate().map(|(index, taps)| {
            let first = index * PIXELS;
            Group { first, pixels: (self.pixels - first).min(PIXELS), taps }
        })
    }
}

/// Up to six neighbouring output pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group<'a> {
    /// Index of the first one in its range.
    pub(super) first: usize,
    /// How many there are.
    pub(super) pixels: usize,
    /// For each tap, where the rows of the pixels start; in the padding beyond the last one.
    pub(super) taps: &'a [[usize; PIXELS]],
}

/// Pixels per job so that all threads get equally many, in groups of six and few enough for the rows to stay in the cache.
pub(super) fn pixels_per_job(pixels: usize, taps: usize) -> usize {
    let most = (8192 / taps).clamp(96, 384);
    let threads = rayon::current_num_threads();
    let jobs = threads * pixels.div_ceil(most * threads);
    pixels.div_ceil(PIXELS).div_ceil(jobs) * PIXELS
}
