//! What MONAI and nnU-Net stitch of tiles whose scores depend on the place in the tile, as `golden/make_stitching.py` writes it.
#![expect(clippy::unwrap_used, reason = "a test may")]

use half::f16;
use serde_json::Value;
use swath_tiling::{Blend, Mosaic, Size, Taper, TileGrid, Window};

/// One image that a peer stitched.
struct Case {
    what: String,
    image: Size,
    window: Size,
    channels: usize,
    /// MONAI's share of a window that neighbours share; nnU-Net has none.
    overlap: Option<f64>,
    blend: Blend,
    /// `(channels, depth, height, width)`
    expected: Vec<f32>,
}

impl Case {
    fn read(peer: &str) -> Vec<Self> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/stitching.json");
        let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let case = |case: &Value| Self {
            what: format!("{peer} {} in {} {}", case["image"], case["window"], case["mode"]),
            image: size(&case["image"]),
            window: size(&case["window"]),
            channels: case["channels"].as_u64().unwrap() as usize,
            overlap: case["overlap"].as_f64(),
            blend: match case["mode"].as_str() {
                Some("constant") => Blend::Taper(Taper::Flat),
                Some("gaussian") => Blend::Taper(Taper::MonaiGaussian),
                _ => Blend::Taper(Taper::NnunetGaussian),
            },
            expected: serde_json::from_value(case["scores"].clone()).unwrap(),
        };
        let cases: Vec<Self> = golden[peer].as_array().unwrap().iter().map(case).collect();
        assert!(cases.len() >= 6, "{} cases", cases.len());
        cases
    }

    /// The image with zeros around it where it is smaller than the window: half of them before it, the odd one after it.
    fn padded(&self) -> (Size, Window) {
        let [image, window] = [self.image, self.window];
        let size = Size {
            depth: image.depth.max(window.depth),
            height: image.height.max(window.height),
            width: image.width.max(window.width),
        };
        let (z, y, x) = (size.depth - image.depth, size.height - image.height, size.width - image.width);
        let inner = Window { z: z / 2, y: y / 2, x: x / 2, depth: image.depth, height: image.height, width: image.width };
        (size, inner)
    }

    /// MONAI's interval is truncated, and no less than a pixel; nnU-Net's windows start no more than half of one apart.
    fn grid(&self, size: Size) -> TileGrid {
        let Size { depth, height, width } = self.window;
        let Some(overlap) = self.overlap else {
            return TileGrid::even(size, self.window, [depth, height, width].map(|len| len as f64 / 2.0)).unwrap();
        };
        let shared = |len: usize| len - ((len as f64 * (1.0 - overlap)) as usize).max(1);
        TileGrid::new(size, self.window, Size { depth: shared(depth), height: shared(height), width: shared(width) }).unwrap()
    }

    /// The padded image `(depth, height, width)`.
    fn pixels(size: Size, inner: Window) -> Vec<f32> {
        let mut pixels = vec![0.0; size.area()];
        for (at, position) in positions(size, inner).enumerate() {
            pixels[position] = (37 * at % 101) as f32 / 101.0 + 0.25;
        }
        pixels
    }

    fn predict(&self, tile: &[f32]) -> Vec<f32> {
        let score = |channel: usize, (at, x): (usize, &f32)| x * (1.0 + (13 * at % 17) as f32 / 17.0 + channel as f32 / 4.0);
        (0..self.channels).flat_map(|channel| tile.iter().enumerate().map(move |pixel| score(channel, pixel))).collect()
    }

    /// What `stitch` makes of all tiles, without the padding.
    fn run(&self, mut stitch: impl FnMut(&TileGrid, &mut dyn FnMut(Window) -> Vec<f32>) -> Vec<f32>) -> Vec<f32> {
        let (size, inner) = self.padded();
        let pixels = Self::pixels(size, inner);
        let mut predict =
            |window: Window| self.predict(&positions(size, window).map(|position| pixels[position]).collect::<Vec<_>>());
        let all = stitch(&self.grid(size), &mut predict);
        let planes = all.chunks_exact(size.area());
        planes.flat_map(|plane| positions(size, inner).map(|position| plane[position])).collect()
    }

    /// The tiles fed to a mosaic.
    fn mosaic(&self) -> Vec<f32> {
        self.run(|grid, predict| {
            let area = grid.size().area();
            let mut mosaic = Mosaic::new(grid, self.channels, self.blend);
            let mut out = vec![f32::NAN; self.channels * area];
            for tile in grid.tiles() {
                let Some(block) = mosaic.feed(&tile, Some(&predict(tile.window))).unwrap() else { continue };
                for (channel, plane) in block.scores.chunks_exact(block.window.area()).enumerate() {
                    for (position, score) in positions(grid.size(), block.window).zip(plane) {
                        out[channel * area + position] = *score;
                    }
                }
            }
            mosaic.finish().unwrap();
            out
        })
    }

    /// The sum of weights of each score.
    fn weights(&self) -> Vec<f32> {
        let Blend::Taper(taper) = self.blend else { panic!("nnU-Net averages") };
        self.run(|grid, _| {
            let mut weights = vec![0.0; grid.size().area()];
            let map = taper.weights(grid.tile_size());
            for tile in grid.tiles() {
                positions(grid.size(), tile.window).zip(&map).for_each(|(position, weight)| weights[position] += weight);
            }
            weights.repeat(self.channels)
        })
    }

    /// The same tiles with every sum rounded to half precision, as nnU-Net keeps them.
    fn halves(&self) -> Vec<f32> {
        let Blend::Taper(taper) = self.blend else { panic!("nnU-Net averages") };
        self.run(|grid, predict| {
            let area = grid.size().area();
            let mut sums = vec![f16::ZERO; self.channels * area];
            let mut weights = vec![f16::ZERO; area];
            let map = taper.weights(grid.tile_size());
            for tile in grid.tiles() {
                let scores = predict(tile.window);
                for (at, position) in positions(grid.size(), tile.window).enumerate() {
                    weights[position] = f16::from_f32(weights[position].to_f32() + map[at]);
                    for channel in 0..self.channels {
                        let sum = &mut sums[channel * area + position];
                        *sum = f16::from_f32(sum.to_f32() + scores[channel * map.len() + at] * map[at]);
                    }
                }
            }
            let mean = |(at, sum): (usize, &f16)| f16::from_f32(sum.to_f32() / weights[at % area].to_f32()).to_f32();
            sums.iter().enumerate().map(mean).collect()
        })
    }
}

fn size(extent: &Value) -> Size {
    match serde_json::from_value::<Vec<usize>>(extent.clone()).unwrap()[..] {
        [height, width] => Size { depth: 1, height, width },
        [depth, height, width] => Size { depth, height, width },
        _ => panic!("expected two or three axes, got {extent}"),
    }
}

/// Positions of a window in an array that holds all of `size`.
fn positions(size: Size, window: Window) -> impl Iterator<Item = usize> {
    (window.z..window.z + window.depth).flat_map(move |z| {
        (window.y..window.y + window.height)
            .flat_map(move |y| (window.x..window.x + window.width).map(move |x| (z * size.height + y) * size.width + x))
    })
}

/// The largest difference, relative to what is expected.
fn difference(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    let difference = |(got, expected): (&f32, &f32)| (got - expected).abs() / expected.abs();
    got.iter().zip(expected).map(difference).fold(0.0, |most, d| if d > most || d.is_nan() { d } else { most })
}

#[test]
fn a_mosaic_is_monais_sliding_window() {
    for case in Case::read("monai") {
        let difference = difference(&case.mosaic(), &case.expected);
        assert!(difference <= 1e-6, "{}: {difference}", case.what);
    }
}

#[test]
fn sums_in_half_precision_are_nnunets_bit_for_bit() {
    for case in Case::read("nnunet") {
        assert_eq!(case.halves(), case.expected, "{}", case.what);
    }
}

/// nnU-Net rounds each sum to eleven bits, and to fewer where a weight is below 2^-14, as in the corners; Swath does not.
#[test]
fn a_mosaic_is_nnunets_sliding_window_but_for_its_rounding() {
    for case in Case::read("nnunet") {
        let (ours, weights) = (case.mosaic(), case.weights());
        assert_eq!(ours.len(), case.expected.len());
        for ((ours, expected), weight) in ours.iter().zip(&case.expected).zip(weights) {
            // Eight tiles cover a voxel, each of which is rounded in the sum and in the sum of weights.
            let least = 8.0 * 2f32.powi(-25) / weight;
            let tolerance = 16.0 / 2048.0 * expected + least * (1.0 + expected);
            assert!((ours - expected).abs() <= tolerance, "{}: {ours} for {expected}", case.what);
        }
    }
}
