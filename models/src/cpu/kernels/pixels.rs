//! Values as pixels, whose channels lie next to each other.

use rayon::prelude::*;

/// Pixels to read, along x, then y, then z. Between them may lie what else is kept for each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pixels<'a, E> {
    /// From the first channel of the first pixel on.
    pub(crate) values: &'a [E],
    /// Elements from one pixel to the next.
    pub(crate) stride: usize,
}

impl<'a, E: Copy> Pixels<'a, E> {
    /// Those from a pixel and a channel on.
    #[expect(clippy::inline_always, reason = "part of the kernels")]
    #[inline(always)]
    pub(crate) fn after(self, pixels: usize, channels: usize) -> Self {
        Self { values: &self.values[pixels * self.stride + channels..], ..self }
    }

    /// Those of one line of an array that is so wide.
    pub(crate) fn line(self, line: usize, width: usize) -> Self {
        let values = &self.values[line * width * self.stride..];
        Self { values: &values[..values.len().min(width * self.stride)], ..self }
    }

    /// The channels of every pixel, which has so many.
    pub(crate) fn channels(self, count: usize) -> impl Iterator<Item = &'a [E]> {
        self.values.chunks(self.stride).map(move |pixel| &pixel[..count])
    }

    /// The values in as few pieces as they lie in: all of them if nothing lies between the pixels, or else one pixel after the other.
    pub(crate) fn pieces(self, channels: usize) -> impl Iterator<Item = &'a [E]> {
        let length = self.piece(channels, self.values.len());
        self.values.chunks(length.max(self.stride)).map(move |piece| &piece[..length])
    }

    /// The same, each with the part of `to` that is for it, where the pixels' channels are to lie without anything between.
    pub(crate) fn pieces_for<'b, T>(self, channels: usize, to: &'b mut [T]) -> impl Iterator<Item = (&'b mut [T], &'a [E])> {
        to.chunks_mut(self.piece(channels, to.len())).zip(self.pieces(channels))
    }

    /// Elements of a piece of so many.
    fn piece(self, channels: usize, elements: usize) -> usize {
        if self.stride == channels { elements } else { channels }
    }
}

/// Pixels to write, along x, then y, then z. What lies between them stays as it is.
#[derive(Debug)]
pub(crate) struct PixelsMut<'a, E> {
    /// From the first channel of the first pixel to the last channel of the last.
    pub(crate) values: &'a mut [E],
    /// Elements from one pixel to the next.
    pub(crate) stride: usize,
}

impl<'a, E: Send> PixelsMut<'a, E> {
    /// The same, for a while.
    pub(crate) fn reborrow(&mut self) -> PixelsMut<'_, E> {
        PixelsMut { values: self.values, stride: self.stride }
    }

    /// Every so many pixels, to be written at the same time.
    pub(crate) fn par_parts(self, pixels: usize) -> impl IndexedParallelIterator<Item = Self> {
        let stride = self.stride;
        self.values.par_chunks_mut(pixels * stride).map(move |values| Self { values, stride })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.values.len().div_ceil(self.stride)
    }

    /// The channels of every pixel, which has so many.
    pub(crate) fn channels(self, count: usize) -> impl Iterator<Item = &'a mut [E]> {
        self.values.chunks_mut(self.stride).map(move |pixel| &mut pixel[..count])
    }
}
