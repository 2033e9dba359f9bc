//! What every tap reads at every output pixel, without an unrolled or padded copy of the input.

use std::ops::Range;

use super::{
    sums::PIXELS,
    window::{Window, position},
};
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

/// The rows for a range of output pixels: `[group of six pixels][tap][pixel]`.
#[derive(Debug)]
pub(super) struct Rows<'a, E> {
    groups: Vec<[&'a [E]; PIXELS]>,
    taps: usize,
    pixels: usize,
}

impl<'a, E: Copy> Rows<'a, E> {
    /// `pixels` count the outputs along x, then y, then z.
    pub(super) fn new(window: &Window, input: Input<'a, E>, pixels: Range<usize>) -> Self {
        let (taps, output) = (window.taps(), window.output(input.extent));
        let mut groups = vec![[input.zeros; PIXELS]; pixels.len().div_ceil(PIXELS) * taps];
        let along = |axis: usize| {
            let padding = window.padding.into_array()[axis].before;
            [window.stride.into_array()[axis], window.dilation.into_array()[axis], padding, input.extent.into_array()[axis]]
        };
        let [z, y, x] = [along(0), along(1), along(2)];
        let mut index = 0;
        while index < pixels.len() {
            // The rest of a line of outputs, or of the pixels.
            let (line, first_x) = ((pixels.start + index) / output.x, (pixels.start + index) % output.x);
            let (out_z, out_y) = (line / output.y, line % output.y);
            let len = (output.x - first_x).min(pixels.len() - index);
            for tap in 0..taps {
                let (tap_line, tap_x) = (tap / window.kernel.x, tap % window.kernel.x);
                let (tap_z, tap_y) = (tap_line / window.kernel.y, tap_line % window.kernel.y);
                let (Some(z), Some(y)) = (position(out_z, tap_z, z), position(out_y, tap_y, y)) else { continue };
                let values = &input.values[(z * input.extent.y + y) * input.line..];
                for (index, out_x) in (index..index + len).zip(first_x..) {
                    if let Some(x) = position(out_x, tap_x, x) {
                        groups[index / PIXELS * taps + tap][index % PIXELS] = &values[x * input.step..][..input.zeros.len()];
                    }
                }
            }
            index += len;
        }
        Self { groups, taps, pixels: pixels.len() }
    }

    /// The groups: the index of the first pixel, how many pixels there are, and what each tap reads at them.
    pub(super) fn groups(&self) -> impl Iterator<Item = Group<'_, E>> {
        self.groups.chunks_exact(self.taps).enumerate().map(|(index, taps)| {
            let first = index * PIXELS;
            Group { first, pixels: (self.pixels - first).min(PIXELS), taps }
        })
    }
}

/// Up to six neighbouring output pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group<'a, E> {
    /// Index of the first one in its range.
    pub(super) first: usize,
    /// How many there are.
    pub(super) pixels: usize,
    /// What each tap reads at them; zeros beyond the last one.
    pub(super) taps: &'a [[&'a [E]; PIXELS]],
}

/// Pixels per job so that all threads get equally many, in groups of six and few enough for the rows to stay in the cache.
pub(super) fn pixels_per_job(pixels: usize, taps: usize) -> usize {
    let most = (8192 / taps).clamp(96, 384);
    let threads = rayon::current_num_threads();
    let jobs = threads * pixels.div_ceil(most * threads);
    pixels.div_ceil(PIXELS).div_ceil(jobs) * PIXELS
}
