//! Where windows go until all are there.

use std::path::Path;

use gdal::raster::{Buffer, GdalType, RasterCreationOptions};
use gdal::{Dataset, DriverManager, Metadata};
use swath_tiling::{Size, Window};

use super::cog::{self, Pixels};
use super::fingerprint::Fingerprint;
use super::temporary::Temporary;
use super::watch::{Heed, watch};
use crate::{Error, Georeference, Result};

/// An uncompressed `PATH.scratch.part`, tiled, so that windows can be written in any order; removed on drop.
#[derive(Debug)]
pub(super) struct Scratch {
    // The raster is closed before its file is removed: fields are dropped in this order.
    dataset: Dataset,
    file: Temporary,
    written: Fingerprint,
}

impl Scratch {
    /// Creates a raster of `bands` bands of `T` beside the output `beside`.
    pub(super) fn create<T: GdalType>(beside: &Path, size: Size, bands: usize, georeference: &Georeference) -> Result<Self> {
        let fits = |length| (1..=i32::MAX as usize).contains(&length);
        if size.depth != 1 || !fits(size.width) || !fits(size.height) {
            return Err(Error::RasterSize { path: beside.to_owned(), size });
        }
        let file = Temporary::beside(beside, ".scratch.part", &["", ".aux.xml"]);
        // Sparse, since GDAL would else fill what was not written when a scratch is given up. Band by band, since a block of one band
        // could else not be written without reading those of the others. Neither RGB nor alpha: three or four bands are classes.
        let options = RasterCreationOptions::from_iter([
            "TILED=YES",
            "BLOCKXSIZE=512",
            "BLOCKYSIZE=512",
            "COMPRESS=NONE",
            "BIGTIFF=IF_SAFER",
            "SPARSE_OK=TRUE",
            "INTERLEAVE=BAND",
            "PHOTOMETRIC=MINISBLACK",
            "ALPHA=NO",
        ]);
        let created = watch(Heed::Failures, || {
            let driver = DriverManager::get_driver_by_name("GTiff")?;
            driver.create_with_band_type_with_options::<T, _>(file.path(), size.width, size.height, bands, &options)
        });
        let dataset = created.map_err(|source| Error::Gdal { action: "create".into(), path: file.path().to_owned(), source })?;
        let mut scratch = Self { dataset, file, written: Fingerprint::new(size) };
        georeference.write(&mut scratch.dataset)?;
        let software = concat!("swath ", env!("CARGO_PKG_VERSION"));
        scratch.describe(|dataset| dataset.set_metadata_item("TIFFTAG_SOFTWARE", software, ""))?;
        Ok(scratch)
    }

    /// Sets metadata.
    pub(super) fn describe(&mut self, set: impl FnOnce(&mut Dataset) -> gdal::errors::Result<()>) -> Result<()> {
        self.run("describe", set)
    }

    /// Writes a window of one band, from 1 as GDAL counts them.
    pub(super) fn write<T: GdalType + Copy + Into<f32>>(&mut self, band: usize, window: Window, values: Vec<T>) -> Result<()> {
        let mut written = self.written;
        written.add(band, window, values.iter().map(|&value| value.into()));
        let action = format!("write {window} of band {band} of");
        self.run(&action, |dataset| {
            let size = (window.width, window.height);
            let mut buffer = Buffer::new(size, values);
            dataset.rasterband(band)?.write((window.x as isize, window.y as isize), size, &mut buffer)
        })?;
        self.written = written;
        Ok(())
    }

    /// Writes what is still in GDAL's cache and makes a COG of it, with `threads` threads.
    pub(super) fn into_cog(mut self, part: &Path, pixels: Pixels, threads: usize) -> Result<()> {
        self.run("complete", Dataset::flush_cache)?;
        cog::create(&self.dataset, part, pixels, threads, self.written)
    }

    fn run(&mut self, action: &str, run: impl FnOnce(&mut Dataset) -> gdal::errors::Result<()>) -> Result<()> {
        let result = watch(Heed::Failures, || run(&mut self.dataset));
        result.map_err(|source| Error::Gdal { action: action.into(), path: self.file.path().to_owned(), source })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nobody wants these blocks any more, nor what GDAL has to say about them when the disk is full.
        let _ = watch(Heed::Failures, || self.dataset.flush_cache());
    }
}
