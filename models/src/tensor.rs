//! Values in memory.

use crate::{Error, Result, Shape};

/// Dense `f32` values of a [`Shape`], in the order `(channels, depth, height, width)`, the last axis contiguous.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Shape,
    data: Vec<f32>,
}

impl Tensor {
    /// Values of a given shape.
    ///
    /// # Errors
    /// If the number of values is not that of the shape.
    pub fn new(shape: Shape, data: Vec<f32>) -> Result<Self> {
        if data.len() != shape.elements() {
            return Err(Error::Length { shape, expected: shape.elements(), got: data.len() });
        }
        Ok(Self { shape, data })
    }

    /// Channels and extent.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// All values.
    #[must_use]
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// All values, taken out.
    #[must_use]
    pub fn into_data(self) -> Vec<f32> {
        self.data
    }

    /// The values of one channel: `depth * height * width` of them.
    ///
    /// # Panics
    /// If there is no such channel.
    #[must_use]
    pub fn channel(&self, channel: usize) -> &[f32] {
        let plane = self.shape.extent.product();
        &self.data[channel * plane..(channel + 1) * plane]
    }
}
