//! Properties of grids and mosaics: every pixel once, a constant returns itself, streaming equals summing everything at once.
#![expect(clippy::unwrap_used, reason = "a test may")]

use proptest::prelude::*;
use swath_tiling::{Blend, Block, Error, Mosaic, Size, Taper, Tile, TileGrid, Window};

const TAPERS: [Taper; 4] = [Taper::Flat, Taper::Hann, Taper::MonaiGaussian, Taper::NnunetGaussian];

/// Grids of one to three dozen pixels a side, flat or with slices, overlaps up to nearly the whole tile.
fn grids() -> impl Strategy<Value = TileGrid> {
    let axis = || (1usize..40, 1usize..14).prop_flat_map(|(length, tile)| (Just(length), Just(tile), 0..tile));
    let depth = prop_oneof![Just((1, 1, 0)), axis().prop_map(|(n, t, o)| (n.min(9), t, o))];
    (depth, axis(), axis(), any::<bool>()).prop_map(|(z, y, x, even)| {
        let size = |f: fn((usize, usize, usize)) -> usize| Size { depth: f(z), height: f(y), width: f(x) };
        if even {
            let step = [z, y, x].map(|(_, tile, overlap)| (tile as f64 - overlap as f64 / 2.0).max(1.0));
            return TileGrid::even(size(|a| a.0), size(|a| a.1), step).unwrap();
        }
        TileGrid::new(size(|a| a.0), size(|a| a.1), size(|a| a.2)).unwrap()
    })
}

fn blends() -> impl Strategy<Value = Blend> {
    prop_oneof![Just(Blend::Crop), (0..TAPERS.len()).prop_map(|i| Blend::Taper(TAPERS[i]))]
}

/// A score that depends on the tile and on the place in it, so that stitching shows.
fn score(tile: &Tile, channel: usize, offset: usize) -> f32 {
    let mixed = (tile.window.x * 31 + tile.window.y * 17 + tile.window.z * 7 + channel * 13 + offset * 3) % 101;
    mixed as f32 / 101.0
}

fn scores(tile: &Tile, channels: usize) -> Vec<f32> {
    let area = tile.window.area();
    (0..channels * area).map(|i| score(tile, i / area, i % area)).collect()
}

/// Feeds every tile that `run` says and returns the blocks.
fn stitch(grid: &TileGrid, channels: usize, blend: Blend, run: impl Fn(&Tile) -> bool) -> Vec<Block> {
    let mut mosaic = Mosaic::new(grid, channels, blend);
    let mut blocks = Vec::new();
    for tile in grid.tiles() {
        let scores = run(&tile).then(|| scores(&tile, channels));
        blocks.extend(mosaic.feed(&tile, scores.as_deref()).unwrap());
    }
    mosaic.finish().unwrap();
    blocks
}

/// Positions of a window in an array that holds all of `size`.
fn positions(size: Size, window: Window) -> impl Iterator<Item = usize> {
    (window.z..window.z + window.depth).flat_map(move |z| {
        (window.y..window.y + window.height)
            .flat_map(move |y| (window.x..window.x + window.width).map(move |x| (z * size.height + y) * size.width + x))
    })
}

/// All blocks in one array `(channels, depth, height, width)`; fails if a pixel is yielded twice or never.
fn assemble(size: Size, channels: usize, blocks: &[Block]) -> Vec<f32> {
    let mut out: Vec<Option<f32>> = vec![None; channels * size.area()];
    for block in blocks {
        for (channel, plane) in block.scores.chunks_exact(block.window.area()).enumerate() {
            for (position, score) in positions(size, block.window).zip(plane) {
                assert!(out[channel * size.area() + position].replace(*score).is_none(), "pixel {position} was yielded twice");
            }
        }
    }
    out.into_iter().map(|score| score.expect("every pixel is yielded")).collect()
}

proptest! {
    #[test]
    fn tiles_cover_every_pixel_and_cores_cover_it_once(grid in grids()) {
        let size = grid.size();
        let [mut covered, mut owned] = [vec![0; size.area()], vec![0; size.area()]];
        for tile in grid.tiles() {
            prop_assert!(Window::all(size).contains(tile.window));
            prop_assert!(tile.window.contains(tile.core));
            prop_assert_eq!(tile.window.size(), grid.tile_size());
            positions(size, tile.window).for_each(|p| covered[p] += 1);
            positions(size, tile.core).for_each(|p| owned[p] += 1);
        }
        prop_assert!(covered.iter().all(|n| *n > 0));
        prop_assert!(owned.iter().all(|n| *n == 1));
    }

    #[test]
    fn a_core_keeps_half_the_overlap_from_the_tiles_inner_edges(
        length in 20usize..200, tile in 4usize..19, overlap in 0usize..18,
    ) {
        let overlap = overlap.min(tile - 1);
        let grid = TileGrid::new(Size::plane(length, 1), Size::plane(tile, 1), Size { depth: 0, height: 0, width: overlap }).unwrap();
        for Tile { window, core, .. } in grid.tiles() {
            prop_assert!(window.x == 0 || core.x >= window.x + overlap / 2);
            prop_assert!(window.x + window.width == length || core.x + core.width + overlap / 2 <= window.x + window.width);
        }
    }

    #[test]
    fn streaming_equals_summing_everything(grid in grids(), blend in blends(), seed in any::<u64>()) {
        let (size, channels) = (grid.size(), 2);
        let run = |tile: &Tile| !(seed.rotate_left(tile.index as u32)).is_multiple_of(5);
        let got = assemble(size, channels, &stitch(&grid, channels, blend, run));
        let mut sums = vec![0.0; channels * size.area()];
        let mut weights = vec![0.0; size.area()];
        for tile in grid.tiles().filter(run) {
            let taper = match blend {
                Blend::Taper(taper) => taper.weights(tile.window.size()),
                Blend::Crop => positions(size, tile.window)
                    .map(|p| if positions(size, tile.core).any(|c| c == p) { 1.0 } else { 0.0 }).collect(),
            };
            for (offset, position) in positions(size, tile.window).enumerate() {
                weights[position] += taper[offset];
                for channel in 0..channels {
                    sums[channel * size.area() + position] += score(&tile, channel, offset) * taper[offset];
                }
            }
        }
        for (i, got) in got.iter().enumerate() {
            let want: f32 = sums[i] / weights[i % size.area()];
            prop_assert!(got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan()), "{} for {}", got, want);
        }
    }

    #[test]
    fn swaths_give_the_same_bits(grid in grids(), blend in blends(), columns in 1usize..20) {
        let whole = assemble(grid.size(), 2, &stitch(&grid, 2, blend, |_| true));
        let parts: Vec<Block> = grid.swaths(columns).iter().flat_map(|swath| stitch(swath, 2, blend, |_| true)).collect();
        let parts = assemble(grid.size(), 2, &parts);
        let equal = whole.iter().zip(&parts).all(|(a, b)| a.to_bits() == b.to_bits());
        prop_assert!(equal);
    }

    #[test]
    fn a_window_has_the_bits_of_the_whole(grid in grids(), blend in blends(), x in 0usize..40, y in 0usize..40, side in 1usize..20) {
        let size = grid.size();
        let window = Window::plane(x.min(size.width - 1), y.min(size.height - 1), side, side);
        let window = Window { depth: size.depth, ..window }.intersection(Window::all(size));
        let whole = assemble(size, 2, &stitch(&grid, 2, blend, |_| true));
        let part = stitch(&grid.owning(window), 2, blend, |_| true);
        prop_assert_eq!(part.iter().map(|block| block.window.area()).sum::<usize>(), window.area());
        for block in part {
            for (channel, plane) in block.scores.chunks_exact(block.window.area()).enumerate() {
                for (position, score) in positions(size, block.window).zip(plane) {
                    prop_assert_eq!(score.to_bits(), whole[channel * size.area() + position].to_bits());
                }
            }
        }
    }

    #[test]
    fn a_constant_returns_itself(grid in grids(), blend in blends(), constant in -4.0f32..4.0) {
        let mut mosaic = Mosaic::new(&grid, 1, blend);
        for tile in grid.tiles() {
            let block = mosaic.feed(&tile, Some(&vec![constant; tile.window.area()])).unwrap();
            for score in block.iter().flat_map(|block| &block.scores) {
                // Each tile that is summed may round once.
                let tolerance = (4 + grid.len()) as f32 * f32::EPSILON * constant.abs();
                prop_assert!((score - constant).abs() <= tolerance, "{} became {}", constant, score);
            }
        }
    }

    #[test]
    fn tapers_are_strictly_positive(depth in 1usize..6, height in 1usize..80, width in 1usize..300) {
        for taper in TAPERS {
            let weights = taper.weights(Size { depth, height, width });
            prop_assert!(weights.iter().all(|w| *w > 0.0 && w.is_finite()));
        }
    }
}

#[test]
fn memory_does_not_grow_with_the_height() {
    let bytes = |height| {
        let grid =
            TileGrid::new(Size::plane(2000, height), Size::plane(256, 256), Size { depth: 0, height: 64, width: 64 }).unwrap();
        Mosaic::bytes(&grid, 6, Blend::Taper(Taper::Hann))
    };
    // Both heights are a whole number of steps of 192, so that the last tile is not shifted.
    assert_eq!(bytes(256 + 5 * 192), bytes(256 + 5000 * 192));
}

#[test]
fn a_tile_out_of_turn_and_a_missing_tile_are_errors() {
    let grid = TileGrid::new(Size::plane(8, 4), Size::plane(4, 4), Size { depth: 0, height: 0, width: 0 }).unwrap();
    let mut mosaic = Mosaic::new(&grid, 1, Blend::Crop);
    let error = mosaic.feed(&grid.tile(1), None).unwrap_err();
    assert_eq!(error, Error::Order { expected: 0, got: 1, count: 2 });
    let error = mosaic.feed(&grid.tile(0), Some(&[0.0; 15])).unwrap_err();
    assert_eq!(error.to_string(), "expected 16 scores for window x 0 y 0 of 4 x 4, got 15");
    assert_eq!(mosaic.finish().unwrap_err(), Error::Unfinished { count: 2, fed: 0 });
}

#[test]
fn an_overlap_as_large_as_the_tile_is_an_error() {
    let error = TileGrid::new(Size::plane(9, 9), Size::plane(4, 4), Size { depth: 0, height: 4, width: 0 }).unwrap_err();
    assert_eq!(error, Error::Overlap { tile: 4, overlap: 4 });
    let error = TileGrid::new(Size::plane(0, 9), Size::plane(4, 4), Size { depth: 0, height: 0, width: 0 }).unwrap_err();
    assert_eq!(error.to_string(), "expected a raster with at least one pixel, got 0 x 9");
}
