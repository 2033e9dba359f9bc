//! Half-open boxes of pixels.

use std::fmt;

use crate::Size;

/// A half-open interval of positions along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// First position.
    pub start: usize,
    /// Number of positions.
    pub len: usize,
}

impl Span {
    /// The positions `start..end`; empty if `end` is not larger.
    #[must_use]
    pub fn between(start: usize, end: usize) -> Self {
        Self { start, len: end.saturating_sub(start) }
    }

    /// One past the last position.
    #[must_use]
    pub fn end(self) -> usize {
        self.start + self.len
    }

    /// The positions that both have.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self::between(self.start.max(other.start), self.end().min(other.end()))
    }
}

/// A half-open box of pixels: `x..x + width` by `y..y + height` (by `z..z + depth`). A window on a scene has `z` 0 and depth 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// First slice.
    pub z: usize,
    /// First row.
    pub y: usize,
    /// First column.
    pub x: usize,
    /// Number of slices.
    pub depth: usize,
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
}

impl Window {
    /// A window on a scene.
    #[must_use]
    pub fn plane(x: usize, y: usize, width: usize, height: usize) -> Self {
        Self { z: 0, y, x, depth: 1, height, width }
    }

    /// All of a raster.
    #[must_use]
    pub fn all(size: Size) -> Self {
        Self::from_spans(size.axes().map(|len| Span { start: 0, len }))
    }

    /// How large it is.
    #[must_use]
    pub fn size(self) -> Size {
        Size { depth: self.depth, height: self.height, width: self.width }
    }

    /// Number of pixels.
    #[must_use]
    pub fn area(self) -> usize {
        self.size().area()
    }

    /// The pixels that both have; empty if they are apart.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        let [a, b] = [self.spans(), other.spans()];
        Self::from_spans(std::array::from_fn(|axis| a[axis].intersection(b[axis])))
    }

    /// Whether every pixel of `other` is one of this window.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.intersection(other) == other
    }

    /// The intervals along depth, height and width.
    #[must_use]
    pub fn spans(self) -> [Span; 3] {
        [
            Span { start: self.z, len: self.depth },
            Span { start: self.y, len: self.height },
            Span { start: self.x, len: self.width },
        ]
    }

    /// From the intervals along depth, height and width.
    #[must_use]
    pub fn from_spans([z, y, x]: [Span; 3]) -> Self {
        Self { z: z.start, y: y.start, x: x.start, depth: z.len, height: y.len, width: x.len }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "window x {} y {}", self.x, self.y)?;
        if self.depth != 1 || self.z != 0 {
            write!(f, " z {}", self.z)?;
        }
        write!(f, " of {}", self.size())
    }
}
