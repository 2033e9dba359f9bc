//! Channels taken out and put together.

use rayon::prelude::*;

use super::activation::BLOCK;
use super::combine::Operand;
use crate::Shape;
use crate::cpu::kernels::Element;

/// Copies all values.
pub(in crate::cpu) fn copy<E: Element>(input: &[E], output: &mut [E]) {
    output.par_chunks_mut(BLOCK).zip(input.par_chunks(BLOCK)).for_each(|(to, from)| to.copy_from_slice(from));
}

/// Copies the channels from `start` on, as many as the result has.
pub(in crate::cpu) fn channels<E: Element>(input: Operand<'_, E>, start: usize, result: Shape, output: &mut [E]) {
    let (width, count, in_channels) = (result.extent.x, result.channels, input.shape.channels);
    output.par_chunks_mut(width * count).zip(input.values.par_chunks(width * in_channels)).for_each(|(to, from)| {
        for (to, from) in to.chunks_exact_mut(count).zip(from.chunks_exact(in_channels)) {
            to.copy_from_slice(&from[start..start + count]);
        }
    });
}

/// Copies the channels of all parts, one after the other.
pub(in crate::cpu) fn concat<E: Element>(parts: &[Operand<'_, E>], width: usize, output: &mut [E]) {
    let channels: usize = parts.iter().map(|part| part.shape.channels).sum();
    output.par_chunks_mut(width * channels).enumerate().for_each(|(row, to)| {
        let mut start = 0;
        for part in parts {
            let from = &part.values[row * width * part.shape.channels..][..width * part.shape.channels];
            for (to, from) in to.chunks_exact_mut(channels).zip(from.chunks_exact(part.shape.channels)) {
                to[start..start + part.shape.channels].copy_from_slice(from);
            }
            start += part.shape.channels;
        }
    });
}
