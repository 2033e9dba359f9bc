//! Channels taken out and put together.

use rayon::prelude::*;

use super::combine::Operand;
use crate::Shape;
use crate::cpu::kernels::Element;

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
