//! The buffers in which a tile is computed.

use std::mem;
use std::ops::Range;

use super::kernels::{Element, Pixels, PixelsMut};
use super::program::Program;
use crate::Shape;

/// Where a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) buffer: usize,
    /// Its first channel among those that the buffer holds of every pixel.
    pub(super) first_channel: usize,
    /// Elements from one pixel to the next.
    pub(super) stride: usize,
}

impl Place {
    /// The value's pixels, to be written.
    pub(super) fn pixels_mut<'a, E>(&self, buffer: &'a mut [E], shape: Shape) -> PixelsMut<'a, E> {
        PixelsMut { values: &mut buffer[self.range(shape)], stride: self.stride }
    }

    /// From the first channel of the first pixel to the last channel of the last.
    fn range(&self, shape: Shape) -> Range<usize> {
        self.first_channel..self.first_channel + (shape.extent.product() - 1) * self.stride + shape.channels
    }
}

/// The buffers in which a tile is computed, and the next one after it.
#[derive(Debug)]
pub(super) struct Arena<E> {
    buffers: Vec<Vec<E>>,
}

impl<E: Element> Arena<E> {
    /// All buffers of a program.
    pub(super) fn new(program: &Program<E>) -> Self {
        Self { buffers: program.buffers.sizes.iter().map(|&elements| vec![E::default(); elements]).collect() }
    }

    /// Takes a buffer out to write to it while others are read; nothing for no buffer.
    pub(super) fn take(&mut self, buffer: Option<usize>) -> Vec<E> {
        buffer.map(|buffer| mem::take(&mut self.buffers[buffer])).unwrap_or_default()
    }

    /// Puts a buffer back.
    pub(super) fn put(&mut self, buffer: Option<usize>, values: Vec<E>) {
        if let Some(buffer) = buffer {
            self.buffers[buffer] = values;
        }
    }

    /// The values of a node.
    pub(super) fn pixels(&self, program: &Program<E>, node: usize) -> Pixels<'_, E> {
        let shape = program.shapes[node];
        let values = program.places[node]
            .map(|place| Pixels { values: &self.buffers[place.buffer][place.range(shape)], stride: place.stride });
        values.unwrap_or(Pixels { values: &[], stride: shape.channels })
    }
}
