//! Windows, grids, tapers and mosaics: the arithmetic of cutting a raster into overlapping tiles and stitching them again.
//!
//! Everything has three axes, slowest first: depth, height and width. A scene is one position deep, a volume has slices; there is one code
//! path for both. Pixels are `usize`, arrays are `(channels, depth, height, width)` with the last axis contiguous.
//!
//! This crate does no I/O and knows nothing of networks or rasters on disk.
#![forbid(unsafe_code)]

mod size;
mod window;

pub use size::Size;
pub use window::{Span, Window};
