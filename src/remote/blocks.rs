//! Where the blocks of a raster lie in its file.

use std::ops::Range;

use gdal::Metadata as _;
use gdal::raster::RasterBand;
use swath_tiling::Window;

/// GDAL's COGs have so many bytes before and after each block, for which GDAL asks as well.
const WRAP: u64 = 4;

/// The bytes of the blocks of a band that a window touches. GDAL tells them for TIFFs only; a block that was never written has none.
pub(crate) fn block_ranges(band: &RasterBand<'_>, window: Window) -> Vec<Range<u64>> {
    let (width, height) = band.block_size();
    let columns = window.x / width..(window.x + window.width).div_ceil(width);
    let rows = window.y / height..(window.y + window.height).div_ceil(height);
    let number = |name: &str, column: usize, row: usize| -> Option<u64> {
        band.metadata_item(&format!("{name}_{column}_{row}"), "TIFF")?.parse().ok()
    };
    let range = |(column, row): (usize, usize)| {
        let (offset, size) = (number("BLOCK_OFFSET", column, row)?, number("BLOCK_SIZE", column, row)?);
        Some(offset.saturating_sub(WRAP)..offset + size + WRAP)
    };
    rows.flat_map(|row| columns.clone().map(move |column| (column, row))).filter_map(range).collect()
}
