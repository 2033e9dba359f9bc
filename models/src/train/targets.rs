//! What the network should say.

use crate::{Error, Extent, Result, Shape};

/// The class of every pixel of several samples, in the order `(samples, depth, height, width)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    samples: usize,
    extent: Extent,
    classes: Vec<u8>,
}

impl Targets {
    /// In place of a class: the pixel does not count.
    pub const IGNORE: u8 = 255;

    /// The classes of so many samples of an extent: which score channel should be the largest, or [`Targets::IGNORE`].
    ///
    /// # Errors
    /// If the number of classes is not that of the samples' pixels.
    pub fn new(samples: usize, extent: Extent, classes: Vec<u8>) -> Result<Self> {
        let expected = samples * extent.product();
        if classes.len() != expected {
            return Err(Error::Length { shape: Shape { channels: 1, extent }, expected, got: classes.len() });
        }
        Ok(Self { samples, extent, classes })
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Pixels of one sample along every axis.
    #[must_use]
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// All classes.
    #[must_use]
    pub fn classes(&self) -> &[u8] {
        &self.classes
    }
}
