//! From a scratch file to a Cloud Optimized GeoTIFF.

use std::path::Path;
use std::thread;

use gdal::config::{clear_thread_local_config_option, set_thread_local_config_option};
use gdal::raster::RasterCreationOptions;
use gdal::{Dataset, DriverManager, Metadata};
use swath_tiling::{Size, Window};

use super::fingerprint::Fingerprint;
use super::watch::{Heed, watch};
use crate::{Error, Georeference, Result};

/// Width and height of a block, in pixels.
const BLOCK: usize = 512;

/// What makes GDAL read from files of values without its cache.
const ONE_READ: &str = "GDAL_ONE_BIG_READ";

/// What the pixels are, for choosing how to shrink and compress them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pixels {
    /// Class values: overviews have the most frequent one.
    Labels,
    /// Numbers: overviews have the mean, and neighbours are alike, so that their differences compress better.
    Scores,
}

/// Writes `scratch` as a COG to `part`, with `threads` threads, and reads it back: its pixels must have that fingerprint.
///
/// The bytes do not depend on `threads`.
pub(super) fn create(scratch: &Dataset, part: &Path, pixels: Pixels, threads: usize, written: Fingerprint) -> Result<()> {
    let (resampling, predictor) = match pixels {
        Pixels::Labels => ("MODE", "NO"),
        Pixels::Scores => ("AVERAGE", "YES"),
    };
    let gdal = |source| Error::Gdal { action: "create".into(), path: part.to_owned(), source };
    // A scratch file's lines are as wide as the raster, and a block needs a little of many: only that much is read, rather than all of each.
    set_thread_local_config_option(ONE_READ, "YES").map_err(gdal)?;
    let created = watch(Heed::Failures, || {
        let mut options = RasterCreationOptions::new();
        options.set_name_value("COMPRESS", "DEFLATE")?;
        options.set_name_value("PREDICTOR", predictor)?;
        options.set_name_value("BLOCKSIZE", &BLOCK.to_string())?;
        options.set_name_value("BIGTIFF", "IF_SAFER")?;
        options.set_name_value("OVERVIEW_RESAMPLING", resampling)?;
        options.set_name_value("NUM_THREADS", &threads.max(1).to_string())?;
        scratch.create_copy(&DriverManager::get_driver_by_name("COG")?, part, &options)?.close()
    });
    clear_thread_local_config_option(ONE_READ).map_err(gdal)?;
    created.map_err(gdal)?;
    verify(scratch, part, threads.max(1), written)
}

/// Compares the COG with what was written, and its layout and georeference with the scratch file's.
///
/// A block that got lost on a full disk is found here, even if GDAL lost it between two other calls or in another thread.
fn verify(scratch: &Dataset, part: &Path, threads: usize, written: Fingerprint) -> Result<()> {
    let gdal = |source| Error::Gdal { action: "read back".into(), path: part.to_owned(), source };
    let unfaithful = |what, expected: String, got: String| Error::Unfaithful { path: part.to_owned(), what, expected, got };
    let cog = watch(Heed::Failures, || Dataset::open(part)).map_err(gdal)?;

    let structure = |dataset: &Dataset| {
        let (width, height) = dataset.raster_size();
        format!("{} x {height} x {width}", dataset.raster_count())
    };
    if structure(&cog) != structure(scratch) {
        return Err(unfaithful("bands, height and width", structure(scratch), structure(&cog)));
    }
    let layout = cog.metadata_item("LAYOUT", "IMAGE_STRUCTURE").unwrap_or_default();
    if layout != "COG" {
        return Err(unfaithful("layout", "COG".into(), format!("`{layout}`")));
    }
    let [expected, got] = [Georeference::read(scratch)?.transform, Georeference::read(&cog)?.transform];
    if expected != got {
        return Err(unfaithful("transform", format!("{expected:?}"), format!("{got:?}")));
    }
    let read = fingerprint(part, cog.raster_size(), threads).map_err(gdal)?;
    if read != written {
        return Err(unfaithful("pixels", format!("{written:?}"), format!("{read:?}")));
    }
    Ok(())
}

/// Of a raster of that width and height, read by `threads` threads.
fn fingerprint(part: &Path, (width, height): (usize, usize), threads: usize) -> gdal::errors::Result<Fingerprint> {
    let rows = |thread: usize| (thread * BLOCK..height).step_by(threads * BLOCK);
    let mut fingerprint = Fingerprint::new(Size::plane(width, height));
    thread::scope(|scope| {
        let read = |thread| scope.spawn(move || watch(Heed::Failures, || fingerprint_rows(part, rows(thread))));
        let parts: Vec<_> = (0..threads.min(height.div_ceil(BLOCK))).map(read).collect();
        for part in parts {
            fingerprint += part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(fingerprint)
    })
}

/// Of the rows of blocks that start at `rows`, read with a handle of its own, as a thread needs it.
fn fingerprint_rows(part: &Path, rows: impl Iterator<Item = usize>) -> gdal::errors::Result<Fingerprint> {
    let cog = Dataset::open(part)?;
    let (width, height) = cog.raster_size();
    let mut fingerprint = Fingerprint::new(Size::plane(width, height));
    for y in rows {
        for x in (0..width).step_by(BLOCK) {
            let window = Window::plane(x, y, BLOCK.min(width - x), BLOCK.min(height - y));
            let size = (window.width, window.height);
            // A block holds all bands, so that bands are the inner loop.
            for band in 1..=cog.raster_count() {
                let values = cog.rasterband(band)?.read_as::<f32>((x as isize, y as isize), size, size, None)?;
                fingerprint.add(band, window, values.data().iter().copied());
            }
        }
    }
    Ok(fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_got_lost_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("a.tif.part");
        let size = Size::plane(700, 1600);
        let driver = DriverManager::get_driver_by_name("MEM").unwrap();
        let scratch = driver.create("", size.width, size.height, 1).unwrap();
        let mut written = Fingerprint::new(size);
        written.add(1, Window::all(size), std::iter::repeat_n(0.0, size.area()));
        // Four rows of blocks: one thread, fewer than rows, more than rows.
        for threads in [1, 3, 8] {
            create(&scratch, &part, Pixels::Labels, threads, written).unwrap();
            for lost in [123_456, 400_000, 1_119_999] {
                let mut other = Fingerprint::new(size);
                let values = (0..size.area()).map(|place| if place == lost { 1.0 } else { 0.0 });
                other.add(1, Window::all(size), values);
                let error = create(&scratch, &part, Pixels::Labels, threads, other).unwrap_err();
                assert!(matches!(error, Error::Unfaithful { what: "pixels", .. }), "{error}");
            }
        }
    }
}
