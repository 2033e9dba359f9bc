//! Swath labels every pixel of rasters too large for memory.

mod error;

pub use error::{Error, Result};
