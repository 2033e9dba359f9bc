//! The values of one pass.

use super::buffer::{Buffer, Buffers};
use super::tape::Tape;
use crate::Result;
use crate::cpu::kernels::{Pixels, PixelsMut};
use crate::cpu::ops::Operand;
use crate::train::Batch;

/// The values of one pass that something is still to read.
pub(super) struct Values<'a> {
    tape: &'a Tape,
    buffers: &'a Buffers,
    /// The network's input, the value of node 0.
    input: &'a [f32],
    /// By the node that they are called after, as in [`Tape::places`].
    held: Vec<Option<Buffer>>,
    /// How often each is still read.
    reads: Vec<usize>,
}

impl<'a> Values<'a> {
    pub(super) fn new(tape: &'a Tape, buffers: &'a Buffers, input: &'a [f32]) -> Self {
        let held = tape.places.iter().map(|_| None).collect();
        Self { tape, buffers, input, held, reads: tape.reads.clone() }
    }

    /// The values of a node.
    pub(super) fn pixels(&self, node: usize) -> Pixels<'_, f32> {
        let place = self.tape.places[node];
        let values = if node == 0 { self.input } else { self.held[place.host].as_deref().unwrap_or_default() };
        let (stride, channels) = (self.tape.shapes[place.host].channels, self.tape.shapes[node].channels);
        let end = (values.len() + place.first_channel + channels).saturating_sub(stride);
        Pixels { values: values.get(place.first_channel..end).unwrap_or_default(), stride }
    }

    /// The same, with the shape of one sample.
    pub(super) fn operand(&self, node: usize) -> Operand<'_, f32> {
        Operand { pixels: self.pixels(node), shape: self.tape.shapes[node] }
    }

    /// Lets `write` write the values of a node, and read others.
    pub(super) fn write<T>(&mut self, node: usize, write: impl FnOnce(&Self, PixelsMut<'_, f32>) -> T) -> T {
        let place = self.tape.places[node];
        let host = self.tape.shapes[place.host];
        let held = self.held[place.host].take();
        let mut buffer = held.unwrap_or_else(|| self.buffers.take(self.tape.samples * host.elements()));
        let end = buffer.len() + place.first_channel + self.tape.shapes[node].channels - host.channels;
        let result = write(self, PixelsMut { values: &mut buffer[place.first_channel..end], stride: host.channels });
        self.held[place.host] = Some(buffer);
        result
    }

    /// A node has been read once; after the last time its memory is free.
    pub(super) fn release(&mut self, node: usize) {
        let host = self.tape.places[node].host;
        self.reads[host] = self.reads[host].saturating_sub(1);
        if self.reads[host] == 0 {
            self.held[host] = None;
        }
    }

    /// What `ask` says of the scores.
    pub(super) fn scores(&mut self, ask: impl FnOnce(&Batch) -> Result<Batch>) -> Result<Batch> {
        let output = self.tape.output;
        let shape = self.tape.shapes[output];
        // A tape never places the output in another value.
        let Some(mut held) = self.held[output_host(self.tape)].take() else {
            return ask(&Batch::new(self.tape.samples, shape, self.input.to_vec())?);
        };
        let scores = Batch::new(self.tape.samples, shape, held.lend())?;
        let answer = ask(&scores);
        held.put_back(scores.into_values());
        self.held[output_host(self.tape)] = Some(held);
        self.release(output);
        answer
    }
}

fn output_host(tape: &Tape) -> usize {
    tape.places[tape.output].host
}
