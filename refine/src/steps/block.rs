//! Parts that a raster is changed in.

use swath_tiling::{Size, Window};

/// A part of a raster, and what has to be known for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelBlock {
    /// The pixels that are changed.
    pub core: Window,
    /// The pixels that the change depends on: the core and a halo, as far as there is a raster.
    pub around: Window,
}

impl LabelBlock {
    /// Blocks that cover a raster, row by row, with cores of at most that side.
    pub(super) fn cover(size: Size, side: usize, halo: usize) -> impl ExactSizeIterator<Item = Self> {
        let [rows, columns] = [size.height.div_ceil(side), size.width.div_ceil(side)];
        (0..rows * columns).map(move |index| {
            let all = Window::all(size);
            let core = Window::plane(index % columns * side, index / columns * side, side, side).intersection(all);
            let [x, y] = [core.x, core.y].map(|start| start.saturating_sub(halo));
            let around = Window::plane(x, y, core.x + core.width + halo - x, core.y + core.height + halo - y);
            Self { core, around: around.intersection(all) }
        })
    }
}
