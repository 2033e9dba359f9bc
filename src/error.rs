//! What can go wrong between a scene and its label map.

use std::path::PathBuf;

use swath_tiling::{Size, Window};

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
    /// A raster that the product cannot have.
    #[error("expected a raster one slice deep and 1 to {} pixels wide and high, got {size} for {}", i32::MAX, path.display())]
    RasterSize {
        /// The output.
        path: PathBuf,
        /// What was asked for.
        size: Size,
    },
    /// A class has the value that says "no data".
    #[error("class `{name}` has the value {nodata}, which is no data in {}", path.display())]
    ClassIsNodata {
        /// The output.
        path: PathBuf,
        /// The class.
        name: String,
        /// The value of pixels without a label.
        nodata: u8,
    },
    /// Two classes have the same value.
    #[error("classes `{first}` and `{second}` both have the value {value} in {}", path.display())]
    ClassTwice {
        /// The output.
        path: PathBuf,
        /// The value.
        value: u8,
        /// The class that has it first.
        first: String,
        /// The class that has it again.
        second: String,
    },
    /// A window reaches out of the raster.
    #[error("{window} is not within the {size} pixels of {}", path.display())]
    Outside {
        /// The output.
        path: PathBuf,
        /// What was to be written.
        window: Window,
        /// Its size.
        size: Size,
    },
    /// The values do not fill the window.
    #[error("expected {expected} values for {window} of {}, got {got}", path.display())]
    ValueCount {
        /// The output.
        path: PathBuf,
        /// What was to be written.
        window: Window,
        /// Bands times pixels.
        expected: usize,
        /// How many there were.
        got: usize,
    },
    /// Some pixel was written before.
    #[error("{window} of {} overlaps {earlier}, which was written before", path.display())]
    WrittenTwice {
        /// The output.
        path: PathBuf,
        /// What was to be written.
        window: Window,
        /// What was written; windows that lie above each other are one.
        earlier: Window,
    },
    /// Some pixels were never written.
    #[error("expected all {expected} pixels of {} to be written, got {got}", path.display())]
    Unwritten {
        /// The output.
        path: PathBuf,
        /// Its pixels.
        expected: usize,
        /// How many were written.
        got: usize,
    },
    /// A label is no class.
    #[error("label {label} in {window} of {} is neither a class nor no data", path.display())]
    UnknownLabel {
        /// The output.
        path: PathBuf,
        /// Where.
        window: Window,
        /// The label.
        label: u8,
    },
    /// A score cannot be stored.
    #[error("expected {expected}, got {value} for band `{band}` in {window} of {}", path.display())]
    Score {
        /// The output.
        path: PathBuf,
        /// Where.
        window: Window,
        /// The description of the band.
        band: String,
        /// What is stored there.
        expected: &'static str,
        /// The score.
        value: f32,
    },
    /// A written file does not hold what was written.
    #[error("expected {what} {expected}, got {got}, in the written {}", path.display())]
    Unfaithful {
        /// The output.
        path: PathBuf,
        /// What differs: "bands", "pixels".
        what: &'static str,
        /// What was written.
        expected: String,
        /// What is in the file.
        got: String,
    },
}
