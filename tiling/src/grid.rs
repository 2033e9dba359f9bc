//! Overlapping tiles that cover a raster.

use crate::axis::Axis;
use crate::{Error, Result, Size, Span, Window};

/// Overlapping tiles, all of one size, that cover a raster exactly. Where the last tile of an axis would reach beyond the raster it is
/// shifted inwards; a raster smaller than a tile is one tile of the raster's size.
///
/// Grid order is slice by slice, row by row, left to right.
///
/// ```
/// use swath_tiling::{Size, TileGrid};
///
/// let grid = TileGrid::new(Size::plane(1000, 600), Size::plane(512, 512), Size { depth: 0, height: 64, width: 64 })?;
/// let starts: Vec<_> = grid.tiles().map(|tile| (tile.window.x, tile.window.y)).collect();
/// assert_eq!(starts, [(0, 0), (448, 0), (488, 0), (0, 88), (448, 88), (488, 88)]);
/// # Ok::<(), swath_tiling::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileGrid {
    /// Depth, height, width.
    pub(crate) axes: [Axis; 3],
}

/// One tile of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Place in grid order.
    pub index: usize,
    /// The pixels that the tile covers.
    pub window: Window,
    /// The pixels that are this tile's own when overlaps are cut in the middle; the cores of all tiles cover the raster once.
    pub core: Window,
    /// Place along depth, height and width.
    pub(crate) place: [usize; 3],
}

impl TileGrid {
    /// Tiles of the size `tile` that overlap by `overlap`, which need not fit `size`.
    ///
    /// # Errors
    /// If raster or tile is empty, or an overlap is not smaller than the tile where more than one tile is needed.
    pub fn new(size: Size, tile: Size, overlap: Size) -> Result<Self> {
        check(size, tile)?;
        let axis = |a: usize| Axis::new(size.axes()[a], tile.axes()[a], overlap.axes()[a]);
        Ok(Self { axes: [axis(0)?, axis(1)?, axis(2)?] })
    }

    /// Tiles of the size `tile` that start no more than `step` apart, as few as it takes and spread evenly, their starts rounded half to even:
    /// where nnU-Net's windows start, whose step is half a tile (`compute_steps_for_sliding_window`, 2.8). Axes are depth, height and width; a
    /// step of less than a pixel is one pixel.
    ///
    /// ```
    /// use swath_tiling::{Size, TileGrid};
    ///
    /// let grid = TileGrid::even(Size::plane(97, 64), Size::plane(64, 64), [1.0, 32.0, 32.0])?;
    /// assert_eq!(grid.tiles().map(|tile| tile.window.x).collect::<Vec<_>>(), [0, 16, 33]);
    /// # Ok::<(), swath_tiling::Error>(())
    /// ```
    ///
    /// # Errors
    /// If raster or tile is empty, or a step is larger than the tile or not a number where more than one tile is needed.
    pub fn even(size: Size, tile: Size, step: [f64; 3]) -> Result<Self> {
        check(size, tile)?;
        let axis = |a: usize| Axis::even(size.axes()[a], tile.axes()[a], step[a].max(1.0));
        Ok(Self { axes: [axis(0)?, axis(1)?, axis(2)?] })
    }

    /// The raster's size.
    #[must_use]
    pub fn size(&self) -> Size {
        Size::from_axes(self.axes.each_ref().map(|axis| axis.length))
    }

    /// The size of every tile.
    #[must_use]
    pub fn tile_size(&self) -> Size {
        Size::from_axes(self.axes.each_ref().map(|axis| axis.tile))
    }

    /// The most positions that consecutive tiles share along each axis.
    #[must_use]
    pub fn overlap(&self) -> Size {
        Size::from_axes(self.axes.each_ref().map(Axis::widest_overlap))
    }

    /// First row of each row of tiles, from top to bottom.
    #[must_use = "iterators are lazy"]
    pub fn row_starts(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.axes[1].starts.iter().copied()
    }

    /// Number of tiles.
    #[must_use]
    pub fn len(&self) -> usize {
        self.axes.iter().map(|axis| axis.starts.len()).product()
    }

    /// Whether there is no tile: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The pixels whose scores the tiles are for: the whole raster, or a swath of columns.
    #[must_use]
    pub fn owned(&self) -> Window {
        Window::from_spans(self.axes.each_ref().map(|axis| axis.owned))
    }

    /// The tile at a place in grid order.
    ///
    /// # Panics
    /// If there are not so many tiles.
    #[must_use]
    pub fn tile(&self, index: usize) -> Tile {
        assert!(index < self.len(), "tile {index} of {}", self.len());
        let [_, rows, columns] = self.axes.each_ref().map(|axis| axis.starts.len());
        let place = [index / (rows * columns), index / columns % rows, index % columns];
        let span = |a: usize| Span { start: self.axes[a].starts[place[a]], len: self.axes[a].tile };
        let core = |a: usize| self.axes[a].core(place[a]);
        Tile {
            index,
            window: Window::from_spans(std::array::from_fn(span)),
            core: Window::from_spans(std::array::from_fn(core)),
            place,
        }
    }

    /// All tiles in grid order.
    #[must_use = "iterators are lazy"]
    pub fn tiles(&self) -> impl ExactSizeIterator<Item = Tile> + '_ {
        (0..self.len()).map(|index| self.tile(index))
    }

    /// The tiles that touch `window`, for which they yield scores: the same scores, bit for bit, that the whole grid yields there.
    #[must_use]
    pub fn owning(&self, window: Window) -> Self {
        let owned = self.owned().intersection(window).spans();
        Self { axes: std::array::from_fn(|a| self.axes[a].part(owned[a])) }
    }

    /// The grid cut into swaths of at most `columns` columns each, to be run one after the other. Tiles on a cut are run twice, so that the
    /// stitched result is bit for bit that of the uncut grid.
    ///
    /// # Panics
    /// If `columns` is 0.
    #[must_use]
    pub fn swaths(&self, columns: usize) -> Vec<Self> {
        let owned = self.owned();
        let cuts = (owned.x..owned.x + owned.width).step_by(columns);
        cuts.map(|x| self.owning(Window { x, width: columns, ..owned })).collect()
    }
}

/// An error if there is nothing to cut, or nothing to cut it into.
fn check(size: Size, tile: Size) -> Result<()> {
    match [("raster", size), ("tile", tile)].into_iter().find(|(_, size)| size.is_empty()) {
        Some((what, size)) => Err(Error::Empty { what, size }),
        None => Ok(()),
    }
}
