//! From a scratch file to a Cloud Optimized GeoTIFF.

use std::path::Path;

use gdal::raster::RasterCreationOptions;
use gdal::{Dataset, DriverManager, Metadata};

use super::watch::{Heed, watch};
use crate::{Error, Georeference, Result};

/// Width and height of a block, in pixels.
const BLOCK: usize = 512;

/// What the pixels are, for choosing how to shrink and compress them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pixels {
    /// Class values: overviews have the most frequent one.
    Labels,
    /// Numbers: overviews have the mean, and neighbours are alike, so that their differences compress better.
    Scores,
}

/// Writes `scratch` as a COG to `part`, with `threads` threads, and reads it back.
///
/// The bytes do not depend on `threads`.
pub(super) fn create(scratch: &Dataset, part: &Path, pixels: Pixels, threads: usize) -> Result<()> {
    let (resampling, predictor) = match pixels {
        Pixels::Labels => ("MODE", "NO"),
        Pixels::Scores => ("AVERAGE", "YES"),
    };
    let gdal = |source| Error::Gdal { action: "create".into(), path: part.to_owned(), source };
    watch(Heed::Failures, || {
        let mut options = RasterCreationOptions::new();
        options.set_name_value("COMPRESS", "DEFLATE")?;
        options.set_name_value("PREDICTOR", predictor)?;
        options.set_name_value("BLOCKSIZE", &BLOCK.to_string())?;
        options.set_name_value("BIGTIFF", "IF_SAFER")?;
        options.set_name_value("OVERVIEW_RESAMPLING", resampling)?;
        options.set_name_value("NUM_THREADS", &threads.max(1).to_string())?;
        scratch.create_copy(&DriverManager::get_driver_by_name("COG")?, part, &options)?.close()
    })
    .map_err(gdal)?;
    verify(scratch, part)
}

/// Compares the COG with the scratch file: every pixel, the layout and the georeference.
///
/// A disk that is full, or one that lies, is found here even if GDAL missed it.
fn verify(scratch: &Dataset, part: &Path) -> Result<()> {
    let gdal = |source| Error::Gdal { action: "read back".into(), path: part.to_owned(), source };
    let unfaithful = |what, expected: String, got: String| Error::Unfaithful { path: part.to_owned(), what, expected, got };
    let cog = watch(Heed::Failures, || Dataset::open(part)).map_err(gdal)?;

    let structure = |dataset: &Dataset| {
        let (width, height) = dataset.raster_size();
        format!("{} x {width} x {height}", dataset.raster_count())
    };
    if structure(&cog) != structure(scratch) {
        return Err(unfaithful("bands and size", structure(scratch), structure(&cog)));
    }
    let layout = cog.metadata_item("LAYOUT", "IMAGE_STRUCTURE").unwrap_or_default();
    if layout != "COG" {
        return Err(unfaithful("layout", "COG".into(), format!("`{layout}`")));
    }
    let transform = |dataset: &Dataset| Georeference::read(dataset).map(|georeference| georeference.transform);
    let [expected, got] = [transform(scratch)?, transform(&cog)?];
    if expected != got {
        return Err(unfaithful("transform", format!("{expected:?}"), format!("{got:?}")));
    }

    let (width, height) = cog.raster_size();
    for y in (0..height).step_by(BLOCK) {
        for x in (0..width).step_by(BLOCK) {
            let size = (BLOCK.min(width - x), BLOCK.min(height - y));
            // Blocks hold all bands, so that bands are the inner loop.
            for band in 1..=cog.raster_count() {
                let [expected, got] = [scratch, &cog].map(|dataset| {
                    // Every u8 is an f32.
                    watch(Heed::Failures, || dataset.rasterband(band)?.read_as::<f32>((x as isize, y as isize), size, size, None))
                });
                let [expected, got] = [expected.map_err(gdal)?, got.map_err(gdal)?];
                let differ = |(a, b): &(&f32, &f32)| a.to_bits() != b.to_bits();
                if let Some((a, b)) = expected.data().iter().zip(got.data()).find(differ) {
                    let what = "pixels";
                    return Err(unfaithful(what, a.to_string(), format!("{b} in band {band}, block x {x} y {y}")));
                }
            }
        }
    }
    Ok(())
}
