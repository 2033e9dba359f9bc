//! How a scene is cut.

use swath_models::{Axes, Extent, Geometry, Padding};
use swath_tiling::{Blend, Size, Tile, TileGrid, Window};

use crate::source::Reach;
use crate::{Error, Result};

/// How a scene is cut into tiles for one network.
///
/// The *canvas* is the scene and what the network's stride still lacks at its right and lower edge, mirrored; so the whole canvas is what a
/// single tile would be, and tiles that end at the canvas's edge end where the whole would. Tiles start on multiples of the stride.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// The scene.
    pub raster: Size,
    /// The part of it that is labelled.
    pub window: Window,
    /// The scene with what the stride lacks.
    pub canvas: Size,
    /// What the network sees of each tile.
    pub input: Extent,
    /// Pixels that neighbouring tiles' scores share, down and across.
    pub overlap: Size,
    /// How they become one.
    pub blend: Blend,
    /// The tiles' scores, and whose pixels they are: those of `window`.
    pub grid: TileGrid,
    /// Pixels around a tile's scores that the network sees and gives no score for.
    margin: Axes<Padding>,
}

/// Tiles that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tiles {
    /// Side that the network sees, in pixels.
    pub(super) side: usize,
    /// Pixels shared by the scores of neighbours; `None` is what blend and network want.
    pub(super) overlap: Option<usize>,
    /// How they become one.
    pub(super) blend: Blend,
}

impl Layout {
    /// Cuts `raster` into the tiles asked for.
    ///
    /// # Errors
    /// If the side is no multiple of the stride, or too small for the overlap that the network's halo takes.
    pub(super) fn new(raster: Size, window: Window, geometry: &Geometry, fixed: Option<Extent>, tiles: Tiles) -> Result<Self> {
        let Geometry { stride, margin, .. } = *geometry;
        let axis = |length: usize, stride: usize, margin: Padding, halo: Option<usize>, fixed: Option<usize>| {
            let line = Line {
                length,
                stride,
                lost: margin.total(),
                halo: halo.map(|halo| halo.saturating_sub(margin.before.min(margin.after))),
                fixed,
            };
            line.cut(tiles)
        };
        let halo = geometry.halo();
        let y = axis(raster.height, stride.y, margin.y, halo.map(|h| h.y), fixed.map(|f| f.y))?;
        let x = axis(raster.width, stride.x, margin.x, halo.map(|h| h.x), fixed.map(|f| f.x))?;
        let canvas = Size::plane(x.canvas, y.canvas);
        let overlap = Size { depth: 0, height: y.overlap, width: x.overlap };
        let grid = TileGrid::new(canvas, Size::plane(x.input - margin.x.total(), y.input - margin.y.total()), overlap)?;
        let (input, grid) = (Extent::planar(y.input, x.input), grid.owning(window));
        Ok(Self { raster, window, canvas, input, overlap, blend: tiles.blend, grid, margin })
    }

    /// What the network sees of the scene for a tile.
    #[must_use]
    pub fn reach(&self, tile: &Tile) -> Reach {
        Reach {
            y: tile.window.y as isize - self.margin.y.before as isize,
            x: tile.window.x as isize - self.margin.x.before as isize,
            height: self.input.y,
            width: self.input.x,
        }
    }

    /// Where the pixels of `part` lie among a tile's input pixels: first row and column.
    #[must_use]
    pub fn offset(&self, tile: &Tile, part: Window) -> (usize, usize) {
        (part.y - tile.window.y + self.margin.y.before, part.x - tile.window.x + self.margin.x.before)
    }
}

/// One axis of a scene and what the network wants along it.
struct Line {
    length: usize,
    stride: usize,
    /// Pixels of a tile without a score.
    lost: usize,
    /// How far a score sees beyond what a tile has around it; `None` if it sees everything.
    halo: Option<usize>,
    fixed: Option<usize>,
}

/// How one axis is cut.
struct Cut {
    canvas: usize,
    input: usize,
    overlap: usize,
}

impl Line {
    fn cut(&self, tiles: Tiles) -> Result<Cut> {
        let Self { length, stride, lost, .. } = *self;
        let wanted = self.wanted_overlap(tiles);
        let canvas = (length + lost).next_multiple_of(stride).max(self.fixed.unwrap_or(0));
        let side = self.fixed.unwrap_or(tiles.side);
        if side >= canvas {
            return Ok(Cut { canvas: canvas - lost, input: canvas, overlap: 0 });
        }
        if !side.is_multiple_of(stride) {
            return Err(Error::TileStride { tile: side, stride, nearest: self.smallest(side, tiles) });
        }
        let step = self.step(Tiles { side, ..tiles });
        if step == 0 {
            return Err(Error::TileTooSmall { tile: side, overlap: wanted, smallest: self.smallest(stride, tiles) });
        }
        Ok(Cut { canvas: canvas - lost, input: side, overlap: side - lost - step })
    }

    /// Pixels from one tile to the next: a multiple of the stride, so that every tile starts on one; 0 if the tile is all overlap.
    fn step(&self, tiles: Tiles) -> usize {
        tiles.side.saturating_sub(self.lost + self.wanted_overlap(tiles)) / self.stride * self.stride
    }

    /// The smallest side that works, from a side on.
    fn smallest(&self, from: usize, tiles: Tiles) -> usize {
        // An overlap that does not depend on the side says it at once; the others take no more than a quarter of it, so a few steps do.
        let overlap = match (tiles.overlap, tiles.blend) {
            (None, Blend::Taper(_)) => 0,
            _ => self.wanted_overlap(tiles),
        };
        let first = from.max(self.lost + overlap + self.stride).next_multiple_of(self.stride);
        let sides = (first..).step_by(self.stride);
        sides.into_iter().find(|side| self.step(Tiles { side: *side, ..tiles }) > 0).unwrap_or(from)
    }

    /// Crop needs the halo on both sides of a cut to equal the whole; a mean gains little from more than a quarter of the tile.
    fn wanted_overlap(&self, tiles: Tiles) -> usize {
        let quarter = tiles.side.saturating_sub(self.lost) / 4;
        tiles.overlap.unwrap_or(match (tiles.blend, self.halo) {
            (Blend::Crop, halo) => 2 * halo.unwrap_or(0),
            (Blend::Taper(_), Some(halo)) => quarter.min(2 * halo),
            (Blend::Taper(_), None) => quarter,
        })
    }
}
