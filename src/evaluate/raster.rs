//! Rasters whose values or colours stand for classes.

use std::path::Path;

use gdal::raster::GdalDataType;

use crate::source::{BandRequest, RasterSource as _, Scene};
use crate::{Error, Result};

/// Opens a raster with one band beside alpha; `expected` says what would do.
pub(crate) fn open_labels(path: &Path, expected: &'static str) -> Result<Scene> {
    match &colour_bands(path)?[..] {
        [number] => Scene::open(path, &[BandRequest::Number(*number)]),
        bands => Err(Error::Bands { path: path.into(), expected, got: format!("{} bands", bands.len()) }),
    }
}

/// Opens a raster with three bands of 8 bits beside alpha.
pub(crate) fn open_colours(path: &Path) -> Result<Scene> {
    let numbers = colour_bands(path)?;
    let scene = Scene::open(path, &numbers.iter().copied().map(BandRequest::Number).collect::<Vec<_>>())?;
    let is_byte = |number: &usize| scene.profile().bands[number - 1].data_type == GdalDataType::UInt8;
    let got = match numbers.len() {
        3 if numbers.iter().all(is_byte) => return Ok(scene),
        3 => "3 bands of another type".into(),
        count => format!("{count} bands"),
    };
    Err(Error::Bands { path: path.into(), expected: "three bands of 8 bits", got })
}

/// The numbers of the bands that are not alpha.
pub(crate) fn colour_bands(path: &Path) -> Result<Vec<usize>> {
    let scene = Scene::open(path, &[])?;
    Ok((1..).zip(&scene.profile().bands).filter(|(_, band)| !band.is_alpha()).map(|(number, _)| number).collect())
}
