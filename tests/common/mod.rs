//! What several test files need: rasters in and out.
#![allow(dead_code, reason = "every test binary uses its own part of it")]

use std::path::Path;

use gdal::raster::{Buffer, RasterCreationOptions};
use gdal::{Dataset, DriverManager};
use swath_tiling::Size;

/// All values of a raster.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Raster {
    pub(crate) size: Size,
    /// `(height, width)` each
    pub(crate) bands: Vec<Vec<f32>>,
}

impl Raster {
    /// Values that look random and are the same everywhere: 24 bits of a hash of band, row and column, in 0..1. The golden scripts make the
    /// same.
    pub(crate) fn noise(bands: u32, size: Size) -> Self {
        let value = |band: u32, y: usize, x: usize| {
            let mixed = (x as u32).wrapping_mul(73_856_093) ^ (y as u32).wrapping_mul(19_349_663) ^ band.wrapping_mul(83_492_791);
            let mixed = (mixed ^ mixed >> 15).wrapping_mul(2_654_435_761);
            ((mixed ^ mixed >> 13) >> 8) as f32 / (1 << 24) as f32
        };
        let band = |band| (0..size.area()).map(|at| value(band, at / size.width, at % size.width)).collect();
        Self { size, bands: (0..bands).map(band).collect() }
    }

    pub(crate) fn read(path: &Path) -> Self {
        let dataset = Dataset::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (width, height) = dataset.raster_size();
        let band = |number| {
            let band = dataset.rasterband(number).unwrap();
            band.read_as::<f32>((0, 0), (width, height), (width, height), None).unwrap().into_shape_and_vec().1
        };
        Self { size: Size::plane(width, height), bands: (1..=dataset.raster_count()).map(band).collect() }
    }

    /// Writes a tiled TIFF.
    pub(crate) fn write(&self, path: &Path, nodata: Option<f64>) {
        let options = RasterCreationOptions::from_iter(["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64"]);
        let size = (self.size.width, self.size.height);
        let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
        let dataset =
            driver.create_with_band_type_with_options::<f32, _>(path, size.0, size.1, self.bands.len(), &options).unwrap();
        for (number, values) in (1..).zip(&self.bands) {
            let mut band = dataset.rasterband(number).unwrap();
            band.set_no_data_value(nodata).unwrap();
            band.write((0, 0), size, &mut Buffer::new(size, values.clone())).unwrap();
        }
        dataset.close().unwrap();
    }
}

/// The largest absolute difference; NaN if there is one, or if there are not as many values.
pub(crate) fn difference(a: &[f32], b: &[f32]) -> f32 {
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    if a.len() == b.len() { differences.fold(0.0, |worst, d| if d.is_nan() || d > worst { d } else { worst }) } else { f32::NAN }
}
