//! What can go wrong between a scene and its label map.

use std::path::PathBuf;

/// A result whose error is this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong between a scene and its label map. Each variant names the raster, file, band or window.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// GDAL could not do something with a raster.
    #[error("cannot {action} {}", path.display())]
    Gdal {
        /// What was tried: a verb, perhaps with its object ("open", "read window x 0 y 0 of 512 x 512 of").
        action: String,
        /// The raster.
        path: PathBuf,
        /// What GDAL said.
        source: gdal::errors::GdalError,
    },
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried: "create", "rename", "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something is there already.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Labels and truth are not of the same length.
    #[error("expected {expected} labels, one per true one, got {got}")]
    LabelCount {
        /// Number of true labels.
        expected: usize,
        /// Number of labels.
        got: usize,
    },
    /// A label is no class.
    #[error("expected labels below {classes}, got {got}")]
    LabelValue {
        /// Number of classes.
        classes: usize,
        /// The label.
        got: u8,
    },
    /// A raster does not cover the same pixels as the scene.
    #[error("expected {expected_width} x {expected_height} pixels in {}, got {width} x {height}", path.display())]
    RasterSize {
        /// The raster.
        path: PathBuf,
        /// The scene's width.
        expected_width: usize,
        /// The scene's height.
        expected_height: usize,
        /// The raster's width.
        width: usize,
        /// The raster's height.
        height: usize,
    },
    /// A picture could not be written.
    #[error("cannot write the picture {}", path.display())]
    Png {
        /// The picture.
        path: PathBuf,
        /// Why.
        source: png::EncodingError,
    },
}
