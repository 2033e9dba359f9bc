//! Stitching the scores of overlapping tiles.

use std::collections::BTreeSet;

use crate::axis::Axis;
use crate::{Error, Result, Size, Span, Taper, Tile, TileGrid, Window};

/// How the scores of overlapping tiles become one score per pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blend {
    /// The mean over all tiles that cover the pixel, weighted by a taper.
    Taper(Taper),
    /// The score of one tile: overlaps are cut in the middle. With an overlap of twice the network's halo this is what the network would give
    /// for the whole raster.
    Crop,
}

/// Finished scores: no later tile touches them.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Which pixels.
    pub window: Window,
    /// Their scores, `(channels, depth, height, width)`; NaN where every tile that covers the pixel was skipped.
    pub scores: Vec<f32>,
}

/// A rolling weighted sum of tiles.
///
/// Tiles are fed in grid order, and each yields the block of pixels that is finished with it; the blocks cover the grid's
/// [`owned`](TileGrid::owned) window once. Only sums that later tiles still need are kept: the columns shared with the next tile, the rows
/// shared with the next row of tiles, the slices shared with the next layer. So memory is O(width x overlap x channels) for a scene, whatever
/// its height.
///
/// A pixel's sum is taken in grid order, so the result is the same bit for bit however the grid is cut into [swaths](TileGrid::swaths).
#[derive(Debug)]
pub struct Mosaic {
    axes: [Axis; 3],
    channels: usize,
    blend: Blend,
    /// The taper's weight for every pixel of a tile; empty for [`Blend::Crop`].
    taper: Vec<f32>,
    /// Sums that wait for the next layer, the next row and the next column of tiles.
    carries: [Sums; 3],
    /// Sums of one row of the tile being fed.
    row: Vec<f32>,
    tiles: usize,
    fed: usize,
    /// Tiles that were passed over, of those that may cover what is not finished.
    skipped: BTreeSet<usize>,
}

impl Mosaic {
    /// A mosaic of the grid's tiles with `channels` scores per pixel.
    #[must_use]
    pub fn new(grid: &TileGrid, channels: usize, blend: Blend) -> Self {
        let axes = grid.axes.clone();
        let taper = match blend {
            Blend::Taper(taper) => taper.weights(grid.tile_size()),
            Blend::Crop => Vec::new(),
        };
        let planes = planes_of(channels, blend);
        let carries = carry_sizes(&axes).map(|size| Sums::new(planes, size));
        let row = vec![0.0; grid.tile_size().width];
        Self { axes, channels, blend, taper, carries, row, tiles: grid.len(), fed: 0, skipped: BTreeSet::new() }
    }

    /// Bytes that a mosaic of this grid holds, with the block that it yields.
    #[must_use]
    pub fn bytes(grid: &TileGrid, channels: usize, blend: Blend) -> usize {
        let tile = grid.tile_size().area();
        let carries: usize = carry_sizes(&grid.axes).iter().map(|size| size.area()).sum();
        let weights = if blend == Blend::Crop { 0 } else { 2 * tile };
        size_of::<f32>() * (planes_of(channels, blend) * carries + weights + channels * tile)
    }

    /// Adds a tile's scores, `(channels, depth, height, width)`, or passes a tile over that was not run (`None`). Returns the pixels that are
    /// finished with it, if it finishes any.
    ///
    /// # Errors
    /// If it is not this tile's turn, or the number of scores is not that of the tile.
    pub fn feed(&mut self, tile: &Tile, scores: Option<&[f32]>) -> Result<Option<Block>> {
        if tile.index != self.fed {
            return Err(Error::Order { expected: self.fed, got: tile.index, count: self.tiles });
        }
        let expected = self.channels * tile.window.area();
        if let Some(got) = scores.map(<[f32]>::len).filter(|got| *got != expected) {
            return Err(Error::Scores { window: tile.window, expected, got });
        }
        self.fed += 1;
        if scores.is_none() && self.blend != Blend::Crop {
            self.skipped.insert(tile.index);
        }
        match self.blend {
            Blend::Crop => Ok(self.crop(tile, scores)),
            Blend::Taper(_) => Ok(self.sum(tile, scores)),
        }
    }

    /// Ends the mosaic.
    ///
    /// # Errors
    /// If not all tiles were fed.
    pub fn finish(self) -> Result<()> {
        if self.fed == self.tiles { Ok(()) } else { Err(Error::Unfinished { count: self.tiles, fed: self.fed }) }
    }

    /// The pixels to yield, of those that are finished: none of another swath's.
    fn owned(&self, finished: Window) -> Option<Window> {
        let owned = Window::from_spans(self.axes.each_ref().map(|axis| axis.owned)).intersection(finished);
        (owned.area() > 0).then_some(owned)
    }

    fn crop(&self, tile: &Tile, scores: Option<&[f32]>) -> Option<Block> {
        let window = self.owned(tile.core)?;
        let Some(scores) = scores else {
            return Some(Block { window, scores: vec![f32::NAN; self.channels * window.area()] });
        };
        let mut out = Vec::with_capacity(self.channels * window.area());
        for plane in scores.chunks_exact(tile.window.area()) {
            for row in rows_of(tile.window, window) {
                out.extend_from_slice(&plane[row.start..row.end()]);
            }
        }
        Some(Block { window, scores: out })
    }

    /// Adds a tile to the sums, puts away what later tiles need of them, and divides what none does by its weights.
    fn sum(&mut self, tile: &Tile, scores: Option<&[f32]>) -> Option<Block> {
        let spans: [Span; 3] =
            std::array::from_fn(|a| Span { start: self.axes[a].starts[tile.place[a]], len: self.axes[a].done(tile.place[a]) });
        let window = self.owned(Window::from_spans(spans));
        let area = tile.window.area();
        let weights = window.map_or_else(Vec::new, |window| self.weights(tile, window));
        let mut means = Vec::with_capacity(self.channels * weights.len());
        for channel in 0..self.channels {
            let mut weights = weights.iter();
            let scores = scores.map(|scores| &scores[channel * area..(channel + 1) * area]);
            // 0 / 0 is NaN: a pixel that no tile covered has no score.
            self.sum_plane(tile, channel, window, scores, |row| {
                means.extend(row.iter().zip(&mut weights).map(|(sum, weight)| sum / weight));
            });
        }
        window.map(|window| Block { window, scores: means })
    }

    /// The sums of all weights in a window that is finished with `tile`: those of the tiles that cover it, in grid order, as their scores were summed.
    fn weights(&mut self, tile: &Tile, window: Window) -> Vec<f32> {
        let mut sums = vec![0.0; window.area()];
        // No later tile covers it.
        let [slices, lines, columns] = std::array::from_fn(|a| self.axes[a].covering(window.spans()[a], tile.place[a]));
        let [_, rows, row] = self.axes.each_ref().map(|axis| axis.starts.len());
        let index = |z: usize, y: usize, x: usize| (z * rows + y) * row + x;
        // Rows of tiles before the first of these are done with, where there is one layer; else, layers are.
        let first = if self.axes[0].starts.len() == 1 { *lines.start() } else { 0 };
        self.skipped = self.skipped.split_off(&index(*slices.start(), first, 0));
        for (z, y) in slices.flat_map(|z| lines.clone().map(move |y| (z, y))) {
            for x in columns.clone().filter(|x| !self.skipped.contains(&index(z, y, *x))) {
                let [depth, height, width] = self.axes.each_ref();
                let covering = Window::from_spans([depth.span(z), height.span(y), width.span(x)]);
                let part = covering.intersection(window);
                for (to, from) in rows_of(window, part).zip(rows_of(covering, part)) {
                    let taper = &self.taper[from.start..from.end()];
                    sums[to.start..to.end()].iter_mut().zip(taper).for_each(|(sum, weight)| *sum += weight);
                }
            }
        }
        sums
    }

    /// One plane of sums, row by row, so that no sum leaves the cache between what earlier tiles left and where it goes. What is read again is
    /// never overwritten before: a row is read ahead of what is stored of it and of those above. `finish` is called with the part of each row
    /// that lies in `window`.
    fn sum_plane(
        &mut self,
        tile: &Tile,
        plane: usize,
        window: Option<Window>,
        scores: Option<&[f32]>,
        mut finish: impl FnMut(&[f32]),
    ) {
        let shared: [usize; 3] = std::array::from_fn(|a| self.axes[a].shared_before(tile.place[a]));
        let done: [usize; 3] = std::array::from_fn(|a| self.axes[a].done(tile.place[a]));
        let Size { depth, height, width } = tile.window.size();
        let [_, y_offset, x_offset] = self.offsets(tile);
        let [by_layer, by_row, by_column] = &mut self.carries;
        let sums = &mut self.row[..];
        let inside = window.map(|window| {
            let [z, y, x] = window.spans();
            let [from_z, from_y, from_x] = [z.start - tile.window.z, y.start - tile.window.y, x.start - tile.window.x];
            (from_z..from_z + z.len, from_y..from_y + y.len, from_x..from_x + x.len)
        });
        for z in 0..depth {
            for y in 0..height {
                let (old, new) = sums.split_at_mut(shared[2]);
                old.copy_from_slice(&by_column.row(plane, z, y)[..old.len()]);
                let columns = x_offset + shared[2]..x_offset + width;
                if y < shared[1] {
                    new.copy_from_slice(&by_row.row(plane, z, y)[columns]);
                } else if z < shared[0] {
                    new.copy_from_slice(&by_layer.row(plane, z, y_offset + y)[columns]);
                } else {
                    new.fill(0.0);
                }
                let at = (z * height + y) * width;
                if let Some(scores) = scores {
                    let weighted = scores[at..at + width].iter().zip(&self.taper[at..at + width]);
                    sums.iter_mut().zip(weighted).for_each(|(sum, (score, weight))| *sum += score * weight);
                }
                let (finished, later) = sums.split_at(done[2]);
                by_column.row_mut(plane, z, y)[..later.len()].copy_from_slice(later);
                let columns = x_offset..x_offset + done[2];
                if y >= done[1] {
                    by_row.row_mut(plane, z, y - done[1])[columns].copy_from_slice(finished);
                } else if z >= done[0] {
                    by_layer.row_mut(plane, z - done[0], y_offset + y)[columns].copy_from_slice(finished);
                }
                if let Some((slices, lines, columns)) = &inside
                    && slices.contains(&z)
                    && lines.contains(&y)
                {
                    finish(&sums[columns.clone()]);
                }
            }
        }
    }

    /// Where the tile starts, counted from the first tile of the grid.
    fn offsets(&self, tile: &Tile) -> [usize; 3] {
        std::array::from_fn(|a| self.axes[a].starts[tile.place[a]] - self.axes[a].origin())
    }
}

/// Planes of sums; none where nothing is summed.
fn planes_of(channels: usize, blend: Blend) -> usize {
    match blend {
        Blend::Taper(_) => channels,
        Blend::Crop => 0,
    }
}

/// Shared slices over the whole plane, shared rows over the whole width of one layer of tiles, shared columns of one tile.
fn carry_sizes([z, y, x]: &[Axis; 3]) -> [Size; 3] {
    [
        Size { depth: z.widest_overlap(), height: y.extent(), width: x.extent() },
        Size { depth: z.tile, height: y.widest_overlap(), width: x.extent() },
        Size { depth: z.tile, height: y.tile, width: x.widest_overlap() },
    ]
}

/// Where the rows of `part` lie in an array that holds `whole`.
fn rows_of(whole: Window, part: Window) -> impl Iterator<Item = Span> {
    let slices = part.z - whole.z..part.z - whole.z + part.depth;
    slices.flat_map(move |z| {
        let lines = part.y - whole.y..part.y - whole.y + part.height;
        lines.map(move |y| Span { start: (z * whole.height + y) * whole.width + part.x - whole.x, len: part.width })
    })
}

/// Sums of weighted scores, `(channels, depth, height, width)`.
#[derive(Debug)]
struct Sums {
    size: Size,
    data: Vec<f32>,
}

impl Sums {
    fn new(planes: usize, size: Size) -> Self {
        Self { size, data: vec![0.0; planes * size.area()] }
    }

    fn start(&self, plane: usize, z: usize, y: usize) -> usize {
        ((plane * self.size.depth + z) * self.size.height + y) * self.size.width
    }

    fn row(&self, plane: usize, z: usize, y: usize) -> &[f32] {
        let start = self.start(plane, z, y);
        &self.data[start..start + self.size.width]
    }

    fn row_mut(&mut self, plane: usize, z: usize, y: usize) -> &mut [f32] {
        let start = self.start(plane, z, y);
        &mut self.data[start..start + self.size.width]
    }
}
