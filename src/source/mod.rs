//! Where pixels come from.
//!
//! A [`RasterSource`] tells what a raster is (its [`RasterProfile`]) and opens readers, one for each thread that reads. A reader gives a
//! [`Patch`]: pixels of the chosen bands and whether they are valid.

mod ahead;
mod area;
mod bands;
mod cache;
mod files;
mod guard;
mod input;
mod profile;
mod reduced;
mod reflect;
mod resample;
mod scene;
mod stack;
mod vrt;
mod xml;

pub use area::{Area, AreaFile};
pub use bands::{BandChoice, BandRequest};
pub(crate) use cache::{DECODED, STORED, limit_cache};
pub use input::SceneInput;
pub use profile::{BandProfile, RasterProfile};
pub use reduced::Reduced;
pub(crate) use reflect::visible;
pub use reflect::{Reach, read_extended};
pub use scene::Scene;
pub use stack::{Stack, StackBand};

use swath_tiling::Window;

use crate::Result;

/// A raster that can be read in windows, from several threads at once through a reader each.
pub trait RasterSource: Sync {
    /// What the raster is.
    fn profile(&self) -> &RasterProfile;

    /// A reader for the calling thread.
    ///
    /// # Errors
    /// If the raster cannot be opened.
    fn reader(&self) -> Result<Box<dyn WindowReader + '_>>;
}

/// Reads windows of a raster's chosen bands.
pub trait WindowReader {
    /// The pixels of a window, which lies within the raster.
    ///
    /// # Errors
    /// If they cannot be read; the error names raster and window.
    fn read(&mut self, window: Window) -> Result<Patch>;

    /// Tells which windows will be read, by this reader or others, the next one first. What comes over a network may be asked for now, as many
    /// of the first windows as have `bytes` bytes. Nothing that is read depends on it.
    fn prefetch(&mut self, coming: &mut dyn Iterator<Item = Window>, bytes: usize) {
        let _ = (coming, bytes);
    }
}

/// Pixels of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// Which pixels.
    pub window: Window,
    /// Stored values `(bands, height, width)`: no scale or offset is applied.
    pub pixels: Vec<f32>,
    /// Whether each pixel is valid, `(height, width)`.
    pub valid: Vec<bool>,
    /// Whether each pixel is to be labelled, `(height, width)`: `None` if all are. The others are there for the network to see.
    pub wanted: Option<Vec<bool>>,
}
