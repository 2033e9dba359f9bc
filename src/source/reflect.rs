//! Pixels beyond a raster's edge.

use swath_tiling::{Size, Span, Window};

use super::{Patch, WindowReader};
use crate::Result;

/// A window that may reach beyond the raster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// First slice; negative in front of the raster.
    pub z: isize,
    /// First row; negative above the raster.
    pub y: isize,
    /// First column; negative left of the raster.
    pub x: isize,
    /// Slices.
    pub depth: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Reach {
    /// How large it is.
    fn size(self) -> Size {
        Size { depth: self.depth, height: self.height, width: self.width }
    }
}

/// Reads a window that may reach beyond the raster: there, pixels are mirrored at the edge pixel, which is not repeated, as often as it takes.
///
/// The patch's window is the part of the raster that was read; its pixels are those of the whole reach.
///
/// # Errors
/// As [`WindowReader::read`].
pub fn read_extended(reader: &mut dyn WindowReader, raster: Size, reach: Reach) -> Result<Patch> {
    let slices = mirrored(reach.z, reach.depth, raster.depth);
    let rows = mirrored(reach.y, reach.height, raster.height);
    let columns = mirrored(reach.x, reach.width, raster.width);
    let window = visible(raster, reach);
    let patch = reader.read(window)?;
    if window.size() == reach.size() && [&slices, &rows, &columns].into_iter().all(|places| is_run(places)) {
        return Ok(patch);
    }
    let [z, y, x] = window.spans();
    let gather = |line: usize| columns.iter().map(move |column| line * x.len + column - x.start);
    // Rows of one band, counted from the first that was read.
    let lines: Vec<usize> =
        slices.iter().flat_map(|slice| rows.iter().map(move |row| (slice - z.start) * y.len + row - y.start)).collect();
    let bands = patch.pixels.len() / window.area();
    let of_bands = (0..bands).flat_map(|band| lines.iter().map(move |line| band * z.len * y.len + line));
    let pixels = |flags: &[bool]| -> Vec<bool> { lines.iter().flat_map(|line| gather(*line)).map(|at| flags[at]).collect() };
    Ok(Patch {
        window,
        pixels: of_bands.flat_map(gather).map(|at| patch.pixels[at]).collect(),
        valid: pixels(&patch.valid),
        wanted: patch.wanted.as_deref().map(pixels),
    })
}

/// The part of the raster that [`read_extended`] reads.
pub(crate) fn visible(raster: Size, reach: Reach) -> Window {
    Window::from_spans([
        hull(&mirrored(reach.z, reach.depth, raster.depth)),
        hull(&mirrored(reach.y, reach.height, raster.height)),
        hull(&mirrored(reach.x, reach.width, raster.width)),
    ])
}

/// The positions `start..start + len`, mirrored into `0..size`.
fn mirrored(start: isize, len: usize, size: usize) -> Vec<usize> {
    let period = (2 * (size - 1)).max(1);
    let mirror = |position: isize| {
        let place = position.rem_euclid(period as isize) as usize;
        place.min(period - place).min(size - 1)
    };
    (start..start + len as isize).map(mirror).collect()
}

fn hull(positions: &[usize]) -> Span {
    let (first, last) = positions.iter().fold((usize::MAX, 0), |(first, last), p| (first.min(*p), last.max(*p)));
    Span::between(first, last + 1)
}

fn is_run(positions: &[usize]) -> bool {
    positions.windows(2).all(|pair| pair[1] == pair[0] + 1)
}

#[cfg(test)]
mod tests {
    use super::mirrored;

    #[test]
    fn edges_are_mirrored_and_not_repeated() {
        assert_eq!(mirrored(-3, 10, 4), [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]);
        assert_eq!(mirrored(2, 3, 9), [2, 3, 4]);
        assert_eq!(mirrored(-1, 4, 1), [0, 0, 0, 0]);
        assert_eq!(mirrored(0, 7, 2), [0, 1, 0, 1, 0, 1, 0]);
    }
}
