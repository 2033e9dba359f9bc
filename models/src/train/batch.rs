//! Several samples at once.

use super::finite::first_not_finite;
use crate::{Error, Result, Shape};

/// Values of several samples of one shape, in the order `(samples, depth, height, width, channels)`, the channels contiguous.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    samples: usize,
    shape: Shape,
    values: Vec<f32>,
}

impl Batch {
    /// Values of so many samples of a shape.
    ///
    /// # Errors
    /// If the number of values is not that of the samples.
    pub fn new(samples: usize, shape: Shape, values: Vec<f32>) -> Result<Self> {
        let expected = samples * shape.elements();
        if values.len() != expected {
            return Err(Error::Length { shape, expected, got: values.len() });
        }
        Ok(Self { samples, shape, values })
    }

    /// Checks that all values are finite, as a single one that is not would spread over the batch in a normalisation.
    pub(crate) fn check_values(&self) -> Result<()> {
        match first_not_finite(&self.values) {
            Some(bad) => Err(Error::Input { sample: bad.index / self.shape.elements(), value: bad.value }),
            None => Ok(()),
        }
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Channels and extent of one sample.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// All values.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, to be changed.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// All values, taken out.
    #[must_use]
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }
}
