//! The generated scene.

use std::ops::Range;

use rayon::prelude::*;

use super::canvas::Canvas;
use super::land::Land;
use super::noise::mix;
use super::spectrum::Painter;

/// Number of bands: red, green, blue and near infrared.
pub(super) const BANDS: usize = 4;
/// Rows drawn at once by one thread.
const BLOCK: usize = 128;

/// A generated aerial scene with known truth: fields, meadows, woods, waters, roads and villages at 1 m a pixel.
///
/// Every pixel is a pure function of the seed and of its place, so rows can be drawn in any order and a scene of any size needs little
/// memory. The bytes are the same on every machine: only integer hashes and exactly rounded float operations are used.
///
/// ```
/// use swath::demo::DemoScene;
///
/// let scene = DemoScene::new(1, 64);
/// let rows = scene.rows(10..20);
/// assert_eq!(rows.image.len(), 4 * 10 * 64);
/// assert!(rows.labels.iter().all(|&label| label < 6));
/// ```
#[derive(Debug)]
pub struct DemoScene {
    seed: u64,
    size: usize,
    land: Land,
    painter: Painter,
}

/// Some rows of a [`DemoScene`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SceneRows {
    /// Red, green, blue and near infrared, `(bands, height, width)`.
    pub image: Vec<u8>,
    /// The true labels of [`classes`](super::classes), `(height, width)`.
    pub labels: Vec<u8>,
}

impl DemoScene {
    /// Plans the scene of a seed, `size` pixels wide and high. Nothing is drawn yet.
    #[must_use]
    pub fn new(seed: u64, size: usize) -> Self {
        let land = Land::new(seed, size);
        Self { seed, size, land, painter: Painter::new(mix(seed ^ 0x5EED)) }
    }

    /// Width and height in pixels.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Draws some rows, in parallel.
    #[must_use]
    pub fn rows(&self, rows: Range<usize>) -> SceneRows {
        let width = self.size;
        let blocks: Vec<Range<usize>> = rows.clone().step_by(BLOCK).map(|start| start..(start + BLOCK).min(rows.end)).collect();
        let drawn: Vec<_> = blocks
            .into_par_iter()
            .map(|block| {
                let strip = self.land.strip(Canvas::extent(&block));
                Canvas::draw(&strip, &self.painter, mix(self.seed), block, width)
            })
            .collect();
        let mut image = Vec::with_capacity(BANDS * rows.len() * width);
        for band in 0..BANDS {
            image.extend(drawn.iter().flat_map(|d| d.image.iter().map(move |pixel| pixel[band])));
        }
        SceneRows { image, labels: drawn.into_iter().flat_map(|d| d.labels).collect() }
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::super::classes;
    use super::*;

    #[test]
    fn the_seed_decides_every_byte() {
        let draw = |seed| DemoScene::new(seed, 300).rows(0..300);
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7).labels, draw(8).labels);
        assert_ne!(draw(7).image, draw(8).image);
    }

    #[test]
    fn the_bytes_are_the_same_on_every_machine() {
        let rows = DemoScene::new(1, 400).rows(0..400);
        let digest = Sha256::new().chain_update(&rows.image).chain_update(&rows.labels).finalize();
        assert_eq!(digest[..8], [221, 162, 237, 148, 175, 30, 162, 135]);
    }

    #[test]
    fn rows_do_not_depend_on_how_they_are_asked_for() {
        let (size, width) = (700, 700);
        let scene = DemoScene::new(2, size);
        let all = scene.rows(0..size);
        for rows in [0..1, 0..100, 100..101, 127..129, 120..400, 650..700, 30..30] {
            let some = scene.rows(rows.clone());
            assert_eq!(some.labels, all.labels[rows.start * width..rows.end * width]);
            for band in 0..BANDS {
                let [start, end] = [rows.start, rows.end].map(|row| (band * size + row) * width);
                let len = rows.len() * width;
                assert!(some.image[band * len..(band + 1) * len] == all.image[start..end], "band {band} of rows {rows:?}");
            }
        }
    }

    #[test]
    fn no_class_is_rare() {
        for seed in 0..12 {
            let labels = DemoScene::new(seed, 1024).rows(0..1024).labels;
            for class in classes() {
                let pixels: u32 = labels.iter().map(|&label| u32::from(label == class.value)).sum();
                let share = f64::from(pixels) / labels.len() as f64;
                assert!(share >= 0.02, "seed {seed}: {} covers {:.1} %", class.name, 100.0 * share);
            }
            assert!(labels.iter().all(|&label| usize::from(label) < classes().len()));
        }
    }
}
