//! How large the tensors between the nodes are.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Axes;

/// Positions along the three spatial axes.
pub type Extent = Axes<usize>;

impl Extent {
    /// An extent of depth 1.
    #[must_use]
    pub fn planar(height: usize, width: usize) -> Self {
        Self { z: 1, y: height, x: width }
    }
}

/// Channels and spatial extent of a tensor, in the order `(channels, depth, height, width)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Number of channels (bands at the input, classes at the output).
    pub channels: usize,
    /// Positions along depth, height and width.
    pub extent: Extent,
}

impl Shape {
    /// A shape of depth 1.
    #[must_use]
    pub fn planar(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, extent: Extent::planar(height, width) }
    }

    /// Number of elements.
    #[must_use]
    pub fn elements(self) -> usize {
        self.channels * self.extent.product()
    }

    /// Bytes when every element is an `f32`.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.elements() * size_of::<f32>()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Axes { z, y, x } = self.extent;
        if z == 1 { write!(f, "({}, {y}, {x})", self.channels) } else { write!(f, "({}, {z}, {y}, {x})", self.channels) }
    }
}
