//! Blocks of outputs and the way into and out of Winograd's planes.
#![expect(clippy::inline_always, reason = "the transforms must be compiled for the vector unit that runs them")]

use std::ops::Range;

use super::{
    Epilogue, Pixels,
    element::Element,
    shared::Shared,
    simd::{Job, Simd},
    transform::{Inward, Transform, transpose},
};
use crate::{Axes, Extent, Padding, Shape};

/// How an output is cut into blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    input: Shape,
    before: Axes<usize>,
    output: Shape,
    /// Outputs of a block along height and width.
    side: usize,
    /// Blocks along each axis.
    grid: Extent,
}

/// The inputs of a block: their first position, which may lie in the padding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patch {
    z: usize,
    y: isize,
    x: isize,
}

impl Blocks {
    pub(super) fn new(input: Shape, padding: Axes<Padding>, out_channels: usize, side: usize) -> Self {
        let extent =
            Axes { z: input.extent.z, y: input.extent.y + padding.y.total() - 2, x: input.extent.x + padding.x.total() - 2 };
        let grid = Axes { z: extent.z, y: extent.y.div_ceil(side), x: extent.x.div_ceil(side) };
        Self {
            input,
            before: padding.map(|padding| padding.before),
            output: Shape { channels: out_channels, extent },
            side,
            grid,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.grid.product()
    }

    /// Channels of the input.
    pub(super) fn channels(&self) -> usize {
        self.input.channels
    }

    /// Positions of the output.
    pub(super) fn extent(&self) -> Extent {
        self.output.extent
    }

    /// The first output position of a block.
    #[inline(always)]
    fn origin(&self, block: usize) -> Axes<usize> {
        let (line, x) = (block / self.grid.x, block % self.grid.x);
        Axes { z: line / self.grid.y, y: line % self.grid.y * self.side, x: x * self.side }
    }

    pub(super) fn patch(&self, block: usize) -> Patch {
        let origin = self.origin(block);
        Patch { z: origin.z, y: origin.y as isize - self.before.y as isize, x: origin.x as isize - self.before.x as isize }
    }
}

/// Transforms the inputs of one block.
pub(super) struct Gather<'a, E, T, const INPUTS: usize> {
    pub(super) transform: T,
    pub(super) blocks: &'a Blocks,
    pub(super) input: Pixels<'a, E>,
    pub(super) patch: Patch,
    /// One zero per channel: what lies outside.
    pub(super) zeros: &'a [E],
    /// Which block of `v` it is.
    pub(super) index: usize,
    /// Elements from one plane of `v` to the next.
    pub(super) stride: usize,
    /// `(planes, blocks, channels)`
    pub(super) v: &'a Shared<'a, f32>,
}

impl<E: Element, T: Inward<INPUTS>, const INPUTS: usize> Job for Gather<'_, E, T, INPUTS> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Shape { channels, extent } = self.blocks.input;
        assert_eq!(self.zeros.len(), channels);
        // Planes do not overlap, and the last one has room.
        assert!((self.index + 1) * channels <= self.stride);
        assert!(self.v.len() >= (INPUTS * INPUTS - 1) * self.stride + (self.index + 1) * channels);
        let mut patch = [[self.zeros; INPUTS]; INPUTS];
        for (y, row) in patch.iter_mut().enumerate() {
            for (x, values) in row.iter_mut().enumerate() {
                let (y, x) = (self.patch.y + y as isize, self.patch.x + x as isize);
                if (0..extent.y as isize).contains(&y) && (0..extent.x as isize).contains(&x) {
                    let position = (self.patch.z * extent.y + y as usize) * extent.x + x as usize;
                    *values = &self.input.values[position * self.input.stride..][..channels];
                }
            }
        }
        let whole = channels / S::LANES * S::LANES;
        for first in (0..whole).step_by(S::LANES) {
            self.channels(simd, &patch, first, S::LANES);
        }
        if whole < channels {
            self.channels(simd, &patch, whole, channels - whole);
        }
    }
}

impl<E: Element, T: Inward<INPUTS>, const INPUTS: usize> Gather<'_, E, T, INPUTS> {
    /// Transforms `len` channels of the patch, at most as many as there are lanes. Every position of the patch has `first + len` channels.
    #[inline(always)]
    fn channels<S: Simd>(&self, simd: S, patch: &[[&[E]; INPUTS]; INPUTS], first: usize, len: usize) {
        let mut columns = [[simd.splat(0.0); INPUTS]; INPUTS];
        for (x, column) in columns.iter_mut().enumerate() {
            let mut values = [simd.splat(0.0); INPUTS];
            for (value, row) in values.iter_mut().zip(patch) {
                #[expect(unsafe_code, reason = "a check per position would cost as much as the transform")]
                // SAFETY: every position of the patch was cut to all channels, and `first + len` is at most their number.
                let channels = unsafe { row[x].get_unchecked(first..first + len) };
                *value = E::load(simd, channels);
            }
            *column = self.transform.input(simd, values);
        }
        for (y, row) in transpose(&columns).iter().enumerate() {
            for (x, &value) in self.transform.input(simd, *row).iter().enumerate() {
                let at = (y * INPUTS + x) * self.stride + self.index * self.zeros.len() + first;
                #[expect(unsafe_code, reason = "blocks interleave in the planes")]
                // SAFETY: every plane has room for this block, as asserted; a pass gathers each block once, and the reference ends with the store.
                let to = unsafe { self.v.part(at, len) };
                simd.store(value, to);
            }
        }
    }
}

/// Transforms the products of some blocks with one panel back, and stores the outputs.
pub(super) struct Scatter<'a, E, T, const OUTPUTS: usize, const INPUTS: usize> {
    pub(super) transform: T,
    pub(super) blocks: &'a Blocks,
    pub(super) range: Range<usize>,
    /// `(planes, blocks, lanes)`
    pub(super) m: &'a [f32],
    /// Elements from one plane of `m` to the next.
    pub(super) stride: usize,
    pub(super) lanes: usize,
    /// The panel's output channels.
    pub(super) channels: Range<usize>,
    /// One value per channel of the panel.
    pub(super) bias: &'a [f32],
    pub(super) epilogue: &'a Epilogue<'a, E>,
    pub(super) output: &'a Shared<'a, E>,
    /// Elements of the output from one pixel to the next.
    pub(super) pixel_stride: usize,
}

impl<E: Element, T: Transform<OUTPUTS, INPUTS>, const OUTPUTS: usize, const INPUTS: usize> Job
    for Scatter<'_, E, T, OUTPUTS, INPUTS>
{
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Shape { channels, extent } = self.blocks.output;
        assert!(self.channels.end <= channels && channels <= self.pixel_stride);
        assert!(self.output.len() >= (extent.product() - 1) * self.pixel_stride + channels);
        assert!(self.range.end <= self.blocks.count());
        let whole = self.channels.len() / S::LANES * S::LANES;
        for (index, block) in self.range.clone().enumerate() {
            let origin = self.blocks.origin(block);
            for first in (0..whole).step_by(S::LANES) {
                self.channels(simd, index, origin, first, S::LANES);
            }
            if whole < self.channels.len() {
                self.channels(simd, index, origin, whole, self.channels.len() - whole);
            }
        }
    }
}

impl<E: Element, T: Transform<OUTPUTS, INPUTS>, const OUTPUTS: usize, const INPUTS: usize> Scatter<'_, E, T, OUTPUTS, INPUTS> {
    /// Transforms `len` of the panel's channels back, at most as many as there are lanes, of block number `index`.
    #[inline(always)]
    fn channels<S: Simd>(&self, simd: S, index: usize, origin: Axes<usize>, first: usize, len: usize) {
        let m = &self.m[index * self.lanes + first..];
        assert!(m.len() >= (INPUTS * INPUTS - 1) * self.stride + S::LANES);
        let mut columns = [[simd.splat(0.0); OUTPUTS]; INPUTS];
        for (x, column) in columns.iter_mut().enumerate() {
            let mut values = [simd.splat(0.0); INPUTS];
            for (y, value) in values.iter_mut().enumerate() {
                let at = (y * INPUTS + x) * self.stride;
                #[expect(unsafe_code, reason = "a check per product would cost as much as the transform")]
                // SAFETY: a vector of the last plane lies inside, as asserted above.
                let products = unsafe { m.get_unchecked(at..at + S::LANES) };
                *value = simd.load(products);
            }
            *column = self.transform.output(simd, values);
        }
        let extent = self.blocks.output.extent;
        let (start, channel) = ((origin.z * extent.y + origin.y) * extent.x + origin.x, self.channels.start + first);
        let (height, width) = (extent.y - origin.y, extent.x - origin.x);
        let (bias, bounds) = (simd.load(&self.bias[first..first + len]), self.epilogue.bounds());
        for (y, row) in transpose(&columns).iter().enumerate() {
            for (x, &value) in self.transform.output(simd, *row).iter().enumerate() {
                // Not `take`: loops of fixed length are unrolled, and the values stay in registers.
                if y >= height || x >= width {
                    continue;
                }
                let pixel = start + y * extent.x + x;
                let mut value = simd.add(value, bias);
                if let Some(residual) = self.epilogue.residual {
                    value = simd.add(value, E::load(simd, &residual.values[pixel * residual.stride + channel..][..len]));
                }
                #[expect(unsafe_code, reason = "panels interleave in the output")]
                // SAFETY: pixel and channels lie in the output, as `run` asserted; a pass scatters each block of a panel once, and this is the end.
                let to = unsafe { self.output.part(pixel * self.pixel_stride + channel, len) };
                E::store(simd, bounds.apply(simd, value), to);
            }
        }
    }
}
