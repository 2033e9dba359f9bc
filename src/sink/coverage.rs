//! Which pixels were written.

use std::path::Path;

use swath_tiling::{Size, Window};

use crate::{Error, Result};

/// Windows that do not overlap. When they have all pixels of a raster, each was written exactly once.
#[derive(Debug)]
pub(super) struct Coverage {
    size: Size,
    windows: Vec<Window>,
}

impl Coverage {
    pub(super) fn new(size: Size) -> Self {
        Self { size, windows: Vec::new() }
    }

    /// Whether `window` may be written to `path` with `got` values for `bands` bands.
    pub(super) fn check(&self, path: &Path, window: Window, bands: usize, got: usize) -> Result<()> {
        let path = path.to_owned();
        if !Window::all(self.size).contains(window) {
            return Err(Error::Outside { path, window, size: self.size });
        }
        let expected = bands * window.area();
        if got != expected {
            return Err(Error::ValueCount { path, window, expected, got });
        }
        match self.windows.iter().find(|earlier| !earlier.intersection(window).size().is_empty()) {
            Some(&earlier) => Err(Error::WrittenTwice { path, window, earlier }),
            None => Ok(()),
        }
    }

    /// Takes note of a window that overlaps none.
    pub(super) fn add(&mut self, window: Window) {
        // Rows come from top to bottom, so that nearly every window lies under an earlier one and the list stays a few windows long.
        let above = |earlier: &&mut Window| {
            earlier.x == window.x && earlier.width == window.width && earlier.y + earlier.height == window.y
        };
        match self.windows.iter_mut().find(above) {
            Some(earlier) => earlier.height += window.height,
            None => self.windows.push(window),
        }
    }

    /// Whether every pixel of `path` was written.
    pub(super) fn check_complete(&self, path: &Path) -> Result<()> {
        let [expected, got] = [self.size.area(), self.windows.iter().map(|window| window.area()).sum()];
        if got == expected { Ok(()) } else { Err(Error::Unwritten { path: path.to_owned(), expected, got }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(coverage: &mut Coverage, x: usize, y: usize, width: usize, height: usize) -> Result<()> {
        let window = Window::plane(x, y, width, height);
        coverage.check(Path::new("a.tif"), window, 1, window.area())?;
        coverage.add(window);
        Ok(())
    }

    #[test]
    fn rows_from_top_to_bottom_are_one_window() {
        let mut coverage = Coverage::new(Size::plane(10, 100));
        for y in (0..100).step_by(5) {
            write(&mut coverage, 0, y, 10, 5).unwrap();
        }
        assert_eq!(coverage.windows, [Window::plane(0, 0, 10, 100)]);
        coverage.check_complete(Path::new("a.tif")).unwrap();
    }

    #[test]
    fn one_pixel_twice_is_seen_and_one_missing_too() {
        let mut coverage = Coverage::new(Size::plane(8, 8));
        write(&mut coverage, 0, 0, 8, 4).unwrap();
        write(&mut coverage, 0, 4, 7, 4).unwrap();
        let twice = write(&mut coverage, 6, 7, 2, 1).unwrap_err();
        assert_eq!(
            twice.to_string(),
            "window x 6 y 7 of 2 x 1 of a.tif overlaps window x 0 y 4 of 7 x 4, which was written before"
        );
        write(&mut coverage, 7, 4, 1, 3).unwrap();
        let missing = coverage.check_complete(Path::new("a.tif")).unwrap_err();
        assert_eq!(missing.to_string(), "expected all 64 pixels of a.tif to be written, got 63");
        write(&mut coverage, 7, 7, 1, 1).unwrap();
        coverage.check_complete(Path::new("a.tif")).unwrap();
    }

    #[test]
    fn values_must_fill_a_window_within_the_raster() {
        let coverage = Coverage::new(Size::plane(8, 8));
        let outside = coverage.check(Path::new("a.tif"), Window::plane(4, 4, 5, 1), 1, 5);
        assert!(matches!(outside, Err(Error::Outside { .. })));
        let few = coverage.check(Path::new("a.tif"), Window::plane(4, 4, 4, 1), 2, 7);
        assert!(matches!(few, Err(Error::ValueCount { expected: 8, got: 7, .. })));
    }
}
