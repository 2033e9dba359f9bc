//! Swath labels every pixel of rasters too large for memory.

pub mod demo;
mod error;
mod font;
mod preview;

pub use error::{Error, Result};
pub use preview::{Panels, preview};
