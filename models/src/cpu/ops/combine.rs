//! Element-wise sums and products.

use rayon::prelude::*;

use super::activation::activate_slice;
use crate::cpu::kernels::{Element, Isa, Pixels};
use crate::{Activation, Axes, Shape};

/// A value that is read element by element; channels and axes of length 1 are broadcast.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Operand<'a, E> {
    pub(in crate::cpu) pixels: Pixels<'a, E>,
    pub(in crate::cpu) shape: Shape,
}

impl<'a, E: Element> Operand<'a, E> {
    /// The row that a row of the result reads.
    fn row(&self, result: Shape, row: usize) -> Row<'a, E> {
        let Axes { z, y, x } = self.shape.extent;
        let own = (row / result.extent.y).min(z - 1) * y + (row % result.extent.y).min(y - 1);
        Row { pixels: self.pixels.line(own, x), width: x, channels: self.shape.channels }
    }
}

/// A row of an operand.
#[derive(Clone, Copy)]
struct Row<'a, E> {
    pixels: Pixels<'a, E>,
    width: usize,
    channels: usize,
}

/// What becomes of a value and the operand's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cpu) enum Combination {
    Add,
    Mul,
}

/// Combines the output, or `first` where it is given, with another operand, and applies an activation.
pub(in crate::cpu) fn combine<E: Element>(
    isa: Isa,
    combination: Combination,
    first: Option<Operand<'_, E>>,
    second: Operand<'_, E>,
    activation: Option<Activation>,
    shape: Shape,
    output: &mut [E],
) {
    output.par_chunks_mut(shape.extent.x * shape.channels).enumerate().for_each(|(row, values)| {
        if let Some(first) = first {
            combine_row(values, shape.channels, first.row(shape, row), |_, other| other);
        }
        let second = second.row(shape, row);
        match combination {
            Combination::Add => combine_row(values, shape.channels, second, |a, b| a + b),
            Combination::Mul => combine_row(values, shape.channels, second, |a, b| a * b),
        }
        if let Some(activation) = activation {
            activate_slice(isa, activation, values);
        }
    });
}

/// Combines a row with a row of one or all channels, at one or all positions.
fn combine_row<E: Element>(row: &mut [E], channels: usize, other: Row<'_, E>, with: impl Fn(f32, f32) -> f32) {
    let with = |a: E, b: E| E::new(with(a.to_f32(), b.to_f32()));
    let zip = |row: &mut [E], other: &[E]| row.iter_mut().zip(other).for_each(|(a, b)| *a = with(*a, *b));
    let Row { pixels, .. } = other;
    match (other.width * channels == row.len(), other.channels == channels) {
        (true, true) => pixels.pieces_for(channels, row).for_each(|(row, other)| zip(row, other)),
        (false, true) => row.chunks_exact_mut(channels).for_each(|pixel| zip(pixel, &pixels.values[..channels])),
        (true, false) => {
            let pixels = row.chunks_exact_mut(channels).zip(pixels.values.iter().step_by(pixels.stride));
            pixels.for_each(|(pixel, b)| pixel.iter_mut().for_each(|a| *a = with(*a, *b)));
        }
        (false, false) => row.iter_mut().for_each(|a| *a = with(*a, pixels.values[0])),
    }
}
