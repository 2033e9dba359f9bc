//! Channels and positions taken out and put together.

use rayon::prelude::*;

use super::combine::Operand;
use crate::cpu::kernels::{Element, PixelsMut};
use crate::{Axes, Extent, Shape};

/// Copies all values.
pub(in crate::cpu) fn copy<E: Element>(input: Operand<'_, E>, output: &mut [E]) {
    let Shape { channels, extent } = input.shape;
    output.par_chunks_mut(extent.x * channels).enumerate().for_each(|(row, to)| {
        input.pixels.line(row, extent.x).pieces_for(channels, to).for_each(|(to, from)| to.copy_from_slice(from));
    });
}

/// Copies the channels from `start` on, as many as the result has.
pub(in crate::cpu) fn channels<E: Element>(input: Operand<'_, E>, start: usize, result: Shape, output: &mut [E]) {
    let (width, count) = (result.extent.x, result.channels);
    output.par_chunks_mut(width * count).enumerate().for_each(|(row, to)| {
        let pixels = input.pixels.line(row, width).channels(input.shape.channels);
        to.chunks_exact_mut(count).zip(pixels).for_each(|(to, from)| to.copy_from_slice(&from[start..start + count]));
    });
}

/// A part of a concatenated value.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Part<'a, E> {
    pub(in crate::cpu) operand: Operand<'a, E>,
    /// The channel of the result that its first one becomes.
    pub(in crate::cpu) start: usize,
}

/// Copies the channels of parts.
pub(in crate::cpu) fn concat<E: Element>(parts: &[Part<'_, E>], result: Shape, output: &mut [E]) {
    let (width, channels) = (result.extent.x, result.channels);
    output.par_chunks_mut(width * channels).enumerate().for_each(|(row, to)| {
        for Part { operand, start } in parts {
            let pixels = operand.pixels.line(row, width).channels(operand.shape.channels);
            to.chunks_exact_mut(channels).zip(pixels).for_each(|(to, from)| to[*start..start + from.len()].copy_from_slice(from));
        }
    });
}

/// Copies the part of so large an extent that starts after so many positions.
pub(in crate::cpu) fn crop<E: Element>(input: Operand<'_, E>, before: Axes<usize>, extent: Extent, output: PixelsMut<'_, E>) {
    let Shape { channels, extent: from } = input.shape;
    output.par_parts(extent.x).enumerate().for_each(|(row, to)| {
        let (z, y) = (row / extent.y + before.z, row % extent.y + before.y);
        let line = input.pixels.line(z * from.y + y, from.x).after(before.x, 0);
        to.channels(channels).zip(line.channels(channels)).for_each(|(to, from)| to.copy_from_slice(from));
    });
}

/// Makes channels of the positions of a row, and positions of the channels.
pub(in crate::cpu) fn turn<E: Element>(input: Operand<'_, E>, output: &mut [E]) {
    let width = input.shape.extent.x;
    for (channel, from) in input.pixels.channels(input.shape.channels).enumerate() {
        output.iter_mut().skip(channel).step_by(width).zip(from).for_each(|(to, from)| *to = *from);
    }
}
