//! Gradients with respect to values, as they come together.

use std::sync::Arc;

use super::buffer::{Buffer, Buffers};
use super::element_wise;
use crate::Shape;
use crate::cpu::kernels::{Isa, Pixels, PixelsMut};

/// Whether a gradient is the first one of a value, or is added to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Write,
    Add,
}

/// A gradient with respect to a value. Several may share a buffer: equal ones, and those of the parts of a concatenated value.
#[derive(Clone, Debug)]
pub(super) struct Gradient {
    buffer: Arc<Buffer>,
    stride: usize,
    first_channel: usize,
    channels: usize,
}

impl Gradient {
    /// One that fills a buffer.
    pub(super) fn new(buffer: Buffer, channels: usize) -> Self {
        Self { buffer: Arc::new(buffer), stride: channels, first_channel: 0, channels }
    }

    /// That of so many channels from one on.
    pub(super) fn part(&self, first_channel: usize, channels: usize) -> Self {
        Self {
            buffer: Arc::clone(&self.buffer),
            stride: self.stride,
            first_channel: self.first_channel + first_channel,
            channels,
        }
    }

    /// Its values.
    pub(super) fn pixels(&self) -> Pixels<'_, f32> {
        let end = self.buffer.len() - self.stride + self.first_channel + self.channels;
        Pixels { values: &self.buffer[self.first_channel..end], stride: self.stride }
    }

    /// Its values, to be changed; `None` if others share the buffer.
    pub(super) fn pixels_mut(&mut self) -> Option<PixelsMut<'_, f32>> {
        let buffer = Arc::get_mut(&mut self.buffer)?;
        let end = buffer.len() - self.stride + self.first_channel + self.channels;
        Some(PixelsMut { values: &mut buffer[self.first_channel..end], stride: self.stride })
    }

    /// Whether its buffer holds nothing else.
    pub(super) fn is_dense(&self) -> bool {
        self.stride == self.channels
    }
}

/// The gradients with respect to all values that are known so far, by node.
pub(super) struct Gradients<'a> {
    isa: Isa,
    samples: usize,
    shapes: &'a [Shape],
    buffers: &'a Buffers,
    list: Vec<Option<Gradient>>,
}

impl<'a> Gradients<'a> {
    pub(super) fn new(isa: Isa, samples: usize, shapes: &'a [Shape], buffers: &'a Buffers) -> Self {
        Self { isa, samples, shapes, buffers, list: vec![None; shapes.len()] }
    }

    /// Takes out what has come together for a node.
    pub(super) fn take(&mut self, node: usize) -> Option<Gradient> {
        self.list[node].take()
    }

    /// One more of a node.
    pub(super) fn give(&mut self, node: usize, mut gradient: Gradient) {
        let Some(mut known) = self.list[node].take() else {
            self.list[node] = Some(gradient);
            return;
        };
        let channels = self.shapes[node].channels;
        if let Some(sum) = known.pixels_mut() {
            element_wise::add(self.isa, channels, gradient.pixels(), sum);
        } else if let Some(sum) = gradient.pixels_mut() {
            element_wise::add(self.isa, channels, known.pixels(), sum);
            known = gradient;
        } else {
            let isa = self.isa;
            known = self.written(node, |mut sum| {
                element_wise::copy(isa, channels, known.pixels(), sum.reborrow());
                element_wise::add(isa, channels, gradient.pixels(), sum);
            });
        }
        self.list[node] = Some(known);
    }

    /// One more of a node, which `write` writes.
    pub(super) fn write(&mut self, node: usize, write: impl FnOnce(PixelsMut<'_, f32>)) {
        let gradient = self.written(node, write);
        self.give(node, gradient);
    }

    /// One more of a node, which `accumulate` writes, or adds to what there is.
    pub(super) fn accumulate(&mut self, node: usize, accumulate: impl FnOnce(PixelsMut<'_, f32>, Mode)) {
        match self.list[node].as_mut().and_then(Gradient::pixels_mut) {
            Some(sum) => accumulate(sum, Mode::Add),
            None => self.write(node, |pixels| accumulate(pixels, Mode::Write)),
        }
    }

    /// The same gradient in a buffer that nothing else shares.
    pub(super) fn own(&self, node: usize, mut gradient: Gradient) -> Gradient {
        if gradient.pixels_mut().is_some() {
            return gradient;
        }
        self.written(node, |pixels| element_wise::copy(self.isa, self.shapes[node].channels, gradient.pixels(), pixels))
    }

    /// A gradient of a node in a buffer of its own.
    fn written(&self, node: usize, write: impl FnOnce(PixelsMut<'_, f32>)) -> Gradient {
        let shape = self.shapes[node];
        let mut buffer = self.buffers.take(self.samples * shape.elements());
        write(PixelsMut { values: &mut buffer, stride: shape.channels });
        Gradient::new(buffer, shape.channels)
    }
}
