//! Extents.

use std::fmt;

/// Number of positions along each axis, in pixels (voxels). A scene has depth 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Slices.
    pub depth: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Size {
    /// The size of a scene: one position deep.
    #[must_use]
    pub fn plane(width: usize, height: usize) -> Self {
        Self { depth: 1, height, width }
    }

    /// Number of positions.
    #[must_use]
    pub fn area(self) -> usize {
        self.depth * self.height * self.width
    }

    /// Whether some axis has no position.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.area() == 0
    }

    /// Lengths along depth, height and width.
    pub(crate) fn axes(self) -> [usize; 3] {
        [self.depth, self.height, self.width]
    }

    pub(crate) fn from_axes([depth, height, width]: [usize; 3]) -> Self {
        Self { depth, height, width }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {}", self.width, self.height)?;
        if self.depth == 1 { Ok(()) } else { write!(f, " x {}", self.depth) }
    }
}
