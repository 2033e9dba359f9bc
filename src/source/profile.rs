//! What a raster is, before a pixel is read.

use std::path::PathBuf;

use gdal::raster::GdalDataType;
use swath_tiling::Size;

use crate::Georeference;

/// What a raster is.
#[derive(Clone, Debug, PartialEq)]
pub struct RasterProfile {
    /// Where it is, as the user named it.
    pub path: PathBuf,
    /// Columns and rows.
    pub size: Size,
    /// All its bands, in order.
    pub bands: Vec<BandProfile>,
    /// Where it lies on the ground.
    pub georeference: Georeference,
    /// Columns and rows of the blocks in which it is stored: what GDAL reads at once.
    pub block: Size,
    /// Bytes of such a block once it is decoded, in all bands that are stored together.
    pub block_bytes: usize,
    /// When it was acquired, if its metadata says so.
    pub acquired: Option<jiff::Timestamp>,
}

/// What one band is.
#[derive(Clone, Debug, PartialEq)]
pub struct BandProfile {
    /// Its description, if it has one.
    pub description: Option<String>,
    /// Its colour interpretation, lower case, if it has one (`red`, `alpha`, ...).
    pub colour: Option<String>,
    /// The type of its values.
    pub data_type: GdalDataType,
    /// The value that stands for "no data".
    pub nodata: Option<f64>,
    /// Bytes of a value.
    pub bytes: usize,
}

impl BandProfile {
    /// Whether the band goes by this name: its description or its colour interpretation, in any case.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        [&self.description, &self.colour].into_iter().flatten().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether the band says which pixels are valid rather than what they are.
    #[must_use]
    pub fn is_alpha(&self) -> bool {
        self.colour.as_deref() == Some("alpha")
    }
}
