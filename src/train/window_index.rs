//! Windows that are found by where they are.

use swath_tiling::Window;

/// Least side of a cell, in pixels.
const SIDE: usize = 64;

/// Most cells along a side of the scene.
const CELLS: usize = 256;

/// Windows of a scene by the cells of a grid that they touch: so there may be many of them.
#[derive(Clone, Debug, Default)]
pub(super) struct WindowIndex {
    /// Side of a cell, in pixels.
    side: usize,
    columns: usize,
    /// The windows that touch each cell, row by row; none at all where there are no windows.
    cells: Vec<Vec<Window>>,
}

impl WindowIndex {
    /// The index of windows within `all`.
    pub(super) fn new(all: Window, windows: &[Window]) -> Self {
        if windows.is_empty() {
            return Self::default();
        }
        let side = all.width.max(all.height).div_ceil(CELLS).max(SIDE);
        let (columns, rows) = (all.width.div_ceil(side), all.height.div_ceil(side));
        let mut own = Self { side, columns, cells: vec![Vec::new(); columns * rows] };
        for window in windows {
            for place in own.places(*window).collect::<Vec<_>>() {
                own.cells[place].push(*window);
            }
        }
        own
    }

    /// The windows that have a pixel of this one, which lies within the scene; one may come several times.
    pub(super) fn touching(&self, window: Window) -> impl Iterator<Item = Window> {
        let near = self.places(window).flat_map(|place| &self.cells[place]).copied();
        near.filter(move |other| other.intersection(window).area() > 0)
    }

    /// The cells that a window touches.
    fn places(&self, window: Window) -> impl Iterator<Item = usize> + use<> {
        let (columns, side) = (self.columns, self.side.max(1));
        let is_none = self.cells.is_empty() || window.area() == 0;
        let rows = if is_none { 0..0 } else { window.y / side..(window.y + window.height).div_ceil(side) };
        let across = window.x / side..(window.x + window.width).div_ceil(side);
        rows.flat_map(move |row| across.clone().map(move |column| row * columns + column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_found_as_by_looking_at_all() {
        let all = Window::plane(0, 0, 20_000, 900);
        let windows: Vec<Window> = (0..60).map(|at| Window::plane(at * 331, at * 13, 1 + at * 7, 1 + at % 9 * 15)).collect();
        let index = WindowIndex::new(all, &windows);
        for at in 0..400 {
            let window = Window::plane(at * 49, at * 37 % 800, 1 + at % 300, 1 + at % 100);
            let mut found: Vec<Window> = index.touching(window).collect();
            found.sort_by_key(|window| window.x);
            found.dedup();
            let all: Vec<Window> = windows.iter().copied().filter(|other| other.intersection(window).area() > 0).collect();
            assert_eq!(found, all, "{window}");
        }
        assert_eq!(WindowIndex::new(all, &[]).touching(all).count(), 0);
    }
}
