//! Rasters that lie on each other, pixel by pixel.

use swath_tiling::{Size, Window};

use crate::georeference::{ground, is_same_crs};
use crate::source::RasterProfile;
use crate::{Error, Result};

/// How far apart the corners of two rasters may lie, in pixels: transforms are rounded when they are written as text.
const TOLERANCE: f64 = 0.01;
/// Side of the windows that are read at once, where blocks are smaller.
const SIDE: usize = 1024;
/// Blocks wider than this are read as wide as they are.
const WIDE: usize = 4096;
/// Bytes that a window may take, unless one row takes more.
const WINDOW_BYTES: usize = 256 << 20;

/// Checks that two rasters cover the same pixels: the same size, the corners at the same place up to a hundredth of a pixel, the
/// same CRS. What only one of them says cannot be compared: that is a warning.
///
/// # Errors
/// If they do not.
pub(crate) fn check(first: &RasterProfile, second: &RasterProfile) -> Result<()> {
    let differ = |what, first_value: String, second_value: String| {
        Err(Error::Grids { what, first: first.path.clone(), first_value, second: second.path.clone(), second_value })
    };
    if first.size != second.size {
        return differ("size", first.size.to_string(), second.size.to_string());
    }
    match (first.georeference.transform, second.georeference.transform) {
        (Some(a), Some(b)) if !is_same_place(&a, &b, first.size) => {
            return differ("transform", format!("{a:?}"), format!("{b:?}"));
        }
        (a, b) => warn_of_one("transform", a.is_some(), b.is_some(), first, second),
    }
    match (&first.georeference.crs_wkt, &second.georeference.crs_wkt) {
        (Some(a), Some(b)) if !is_same_crs(a, b) => {
            let name = |profile: &RasterProfile, wkt: &String| profile.georeference.crs_code().unwrap_or_else(|| wkt.clone());
            return differ("CRS", name(first, a), name(second, b));
        }
        (a, b) => warn_of_one("CRS", a.is_some(), b.is_some(), first, second),
    }
    Ok(())
}

fn warn_of_one(what: &str, has_first: bool, has_second: bool, first: &RasterProfile, second: &RasterProfile) {
    let (has, lacks) = match (has_first, has_second) {
        (true, false) => (first, second),
        (false, true) => (second, first),
        _ => return,
    };
    let (has, lacks) = (has.path.display(), lacks.path.display());
    tracing::warn!("{has} has a {what} and {lacks} has none: they are taken to cover the same pixels");
}

/// Whether two transforms put every corner of a raster at the same place.
fn is_same_place(a: &[f64; 6], b: &[f64; 6], size: Size) -> bool {
    let [width, height] = [size.width as f64, size.height as f64];
    // The longer of a pixel's sides, so that it is not 0 for any transform.
    let pixel = f64::hypot(a[1], a[4]).max(f64::hypot(a[2], a[5]));
    [[0.0, 0.0], [width, 0.0], [0.0, height], [width, height]].into_iter().all(|[column, row]| {
        let ([ax, ay], [bx, by]) = (ground(a, column, row), ground(b, column, row));
        f64::hypot(ax - bx, ay - by) <= TOLERANCE * pixel
    })
}

/// Windows that cover rasters of one size, each pixel once, for reading them side by side where a pixel takes so many bytes:
/// whole blocks of all of them where that is not too much. They depend on nothing else.
pub(super) fn windows(profiles: &[&RasterProfile], pixel_bytes: usize) -> Vec<Window> {
    let size = profiles[0].size;
    let most = |side: fn(&RasterProfile) -> usize| profiles.iter().map(|profile| side(profile)).max().unwrap_or(1).max(1);
    let (block_width, block_height) = (most(|profile| profile.block.width), most(|profile| profile.block.height));
    let width = if block_width > WIDE { size.width } else { SIDE.next_multiple_of(block_width).min(size.width) };
    let height = (SIDE * SIDE / width).clamp(1, SIDE).next_multiple_of(block_height);
    let height = height.min(WINDOW_BYTES / (width * pixel_bytes)).clamp(1, size.height);
    let row = |y: usize| (0..size.width).step_by(width).map(move |x| Window::plane(x, y, width, height));
    (0..size.height).step_by(height).flat_map(row).map(|window| window.intersection(Window::all(size))).collect()
}

#[cfg(test)]
mod tests {
    use crate::Georeference;

    use super::*;

    fn profile(block: Size) -> RasterProfile {
        RasterProfile {
            path: "a.tif".into(),
            size: Size::plane(20_000, 9000),
            bands: Vec::new(),
            georeference: Georeference::default(),
            block,
            block_bytes: 0,
            acquired: None,
        }
    }

    #[test]
    fn windows_are_whole_blocks_and_bounded() {
        for (blocks, width, height) in [
            ([Size::plane(512, 512), Size::plane(256, 256)], 1024, 1024),
            ([Size::plane(512, 512), Size::plane(20_000, 1)], 20_000, 512),
            ([Size::plane(20_000, 3), Size::plane(20_000, 1)], 20_000, 54),
            ([Size::plane(20_000, 9000), Size::plane(20_000, 1)], 20_000, 559),
        ] {
            let profiles = blocks.map(profile);
            let windows = windows(&profiles.each_ref(), 24);
            assert_eq!((windows[0].width, windows[0].height), (width, height));
            assert_eq!(windows.iter().map(|window| window.area()).sum::<usize>(), 20_000 * 9000);
            assert!(windows.iter().all(|window| window.area() * 24 <= WINDOW_BYTES));
        }
    }

    #[test]
    fn a_place_may_differ_by_rounding() {
        let a = [500_000.0, 0.1, 0.0, 5_000_000.0, 0.0, -0.1];
        let at = |x: f64, size: f64| {
            is_same_place(&a, &[500_000.0 + x, size, 0.0, 5_000_000.0, 0.0, -size], Size::plane(10_000, 10_000))
        };
        assert!(at(0.0, 0.1) && at(0.0005, 0.1) && at(0.0, 0.100_000_01));
        assert!(!at(0.05, 0.1) && !at(0.0, 0.100_01) && !at(1e9, 0.1) && !at(f64::NAN, 0.1));
    }
}
