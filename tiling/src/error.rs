//! What can go wrong in cutting and stitching.

use crate::{Size, Window};

/// A result whose error is this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in cutting and stitching.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A raster or tile without pixels.
    #[error("expected a {what} with at least one pixel, got {size}")]
    Empty {
        /// "raster" or "tile".
        what: &'static str,
        /// The size given.
        size: Size,
    },
    /// Tiles that do not advance.
    #[error("expected an overlap below the tile size of {tile}, got {overlap}")]
    Overlap {
        /// The tile's length along the axis at fault.
        tile: usize,
        /// The overlap along it.
        overlap: usize,
    },
    /// Tiles that do not advance, or leave pixels out.
    #[error("expected a step of 1 to the tile size of {tile}, got {step}")]
    Step {
        /// The tile's length along the axis at fault.
        tile: usize,
        /// The step along it, in pixels.
        step: String,
    },
    /// A tile that was fed out of turn.
    #[error("expected tile {expected} of {count}, got tile {got}")]
    Order {
        /// The tile whose turn it is.
        expected: usize,
        /// The tile that was fed.
        got: usize,
        /// How many there are.
        count: usize,
    },
    /// Scores that do not fit their tile.
    #[error("expected {expected} scores for {window}, got {got}")]
    Scores {
        /// The tile's window.
        window: Window,
        /// Channels times pixels.
        expected: usize,
        /// How many were given.
        got: usize,
    },
    /// A mosaic that was finished before all tiles were fed.
    #[error("expected {count} tiles, got {fed}")]
    Unfinished {
        /// How many tiles the grid has.
        count: usize,
        /// How many were fed.
        fed: usize,
    },
}
