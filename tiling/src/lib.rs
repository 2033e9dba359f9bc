//! Windows, grids, tapers and mosaics: the arithmetic of cutting a raster into overlapping tiles and stitching them again.
//!
//! Everything has three axes, slowest first: depth, height and width. A scene is one position deep, a volume has slices; there is one code
//! path for both. Pixels are `usize`, arrays are `(channels, depth, height, width)` with the last axis contiguous.
//!
//! This crate does no I/O and knows nothing of networks or rasters on disk.
//!
//! ```
//! use swath_tiling::{Blend, Mosaic, Size, Taper, TileGrid};
//!
//! // A scene of 10 x 7 pixels in tiles of 4 x 4 that overlap by 2, one score per pixel: the constant 0.5.
//! let grid = TileGrid::new(Size::plane(10, 7), Size::plane(4, 4), Size { depth: 0, height: 2, width: 2 })?;
//! let mut mosaic = Mosaic::new(&grid, 1, Blend::Taper(Taper::Hann));
//! let mut pixels = 0;
//! for tile in grid.tiles() {
//!     if let Some(block) = mosaic.feed(&tile, Some(&[0.5; 16]))? {
//!         assert!(block.scores.iter().all(|score| (score - 0.5).abs() < 1e-6));
//!         pixels += block.window.area();
//!     }
//! }
//! mosaic.finish()?;
//! assert_eq!(pixels, 70);
//! # Ok::<(), swath_tiling::Error>(())
//! ```
#![forbid(unsafe_code)]

mod axis;
mod error;
mod grid;
mod mosaic;
mod size;
mod taper;
mod window;

pub use error::{Error, Result};
pub use grid::{Tile, TileGrid};
pub use mosaic::{Blend, Block, Mosaic};
pub use size::Size;
pub use taper::Taper;
pub use window::{Span, Window};
