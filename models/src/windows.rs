//! Extents of what sliding windows give.

use std::ops::Range;

use crate::{Axes, ConvTranspose, Extent, Padding};

/// Positions that a sliding window takes; `None` if it does not fit once.
pub(crate) fn windowed(
    input: Extent,
    kernel: Axes<usize>,
    stride: Axes<usize>,
    padding: Axes<Padding>,
    dilation: Axes<usize>,
) -> Option<Extent> {
    let axis = |n: usize, k: usize, s: usize, p: Padding, d: usize| {
        let reach = d * k.checked_sub(1)? + 1;
        Some((n + p.total()).checked_sub(reach)? / s + 1)
    };
    Some(Axes {
        z: axis(input.z, kernel.z, stride.z, padding.z, dilation.z)?,
        y: axis(input.y, kernel.y, stride.y, padding.y, dilation.y)?,
        x: axis(input.x, kernel.x, stride.x, padding.x, dilation.x)?,
    })
}

/// Positions of a transposed convolution's result; `None` if nothing is left.
pub(crate) fn transposed(input: Extent, c: &ConvTranspose) -> Option<Extent> {
    let axis = |n: usize, k: usize, s: usize, p: Padding, o: usize, d: usize| {
        (n.checked_sub(1)? * s + d * k.checked_sub(1)? + 1 + o).checked_sub(p.total())
    };
    Some(Axes {
        z: axis(input.z, c.kernel.z, c.stride.z, c.padding.z, c.output_padding.z, c.dilation.z)?,
        y: axis(input.y, c.kernel.y, c.stride.y, c.padding.y, c.output_padding.y, c.dilation.y)?,
        x: axis(input.x, c.kernel.x, c.stride.x, c.padding.x, c.output_padding.x, c.dilation.x)?,
    })
}

/// The positions of bin `bin` of `bins` along an axis of so many.
pub(crate) fn bin_positions(bin: usize, bins: usize, length: usize) -> Range<usize> {
    bin * length / bins..((bin + 1) * length).div_ceil(bins)
}
