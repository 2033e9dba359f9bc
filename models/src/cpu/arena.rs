//! The buffers in which a tile is computed.

use std::mem;

use super::kernels::Element;
use super::program::Program;

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
    pub(super) fn values(&self, program: &Program<E>, node: usize) -> &[E] {
        program.buffer_of[node].map_or(&[], |buffer| &self.buffers[buffer][..program.shapes[node].elements()])
    }
}
