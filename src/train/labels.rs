//! What the pixels of a scene are.

use std::path::Path;

use gdal::{Dataset, DatasetOptions, GdalOpenFlags};
use swath_models::train::Targets;
use swath_tiling::Window;

use super::label_raster::{LabelRaster, LabelRasterReader};
use super::label_vectors::{LabelVectors, LabelVectorsReader};
use super::paths::SceneFiles;
use super::recipe::Settings;
use crate::Result;
use crate::source::RasterProfile;

/// The labels of a scene: a raster on its pixels, or vectors.
#[derive(Debug)]
pub(super) enum Labels {
    Raster(LabelRaster),
    Vectors(LabelVectors),
}

impl Labels {
    /// Looks at the labels of a scene, and checks that they lie on it.
    pub(super) fn open(files: &SceneFiles, scene: &RasterProfile, settings: &Settings) -> Result<Self> {
        if is_raster(&files.labels) {
            LabelRaster::open(&files.labels, scene, settings).map(Self::Raster)
        } else {
            LabelVectors::open(&files.labels, files.layer.as_deref(), scene, settings).map(Self::Vectors)
        }
    }

    /// A reader for the calling thread.
    pub(super) fn reader(&self) -> Result<LabelReader<'_>> {
        match self {
            Self::Raster(labels) => labels.reader().map(LabelReader::Raster),
            Self::Vectors(labels) => labels.reader().map(LabelReader::Vectors),
        }
    }
}

/// Reads the labels of windows.
pub(super) enum LabelReader<'l> {
    Raster(LabelRasterReader<'l>),
    Vectors(LabelVectorsReader<'l>),
}

impl LabelReader<'_> {
    /// The classes of a window in stored pixels, `(height, width)`: places in the recipe's list, or [`Targets::IGNORE`].
    pub(super) fn read(&mut self, window: Window) -> Result<Vec<u8>> {
        match self {
            Self::Raster(reader) => reader.read(window),
            Self::Vectors(reader) => reader.read(window),
        }
    }

    /// The classes of a window in which `factor` x `factor` stored pixels become one, which has the class of most of them; at a tie the later one.
    pub(super) fn read_reduced(&mut self, window: Window, factor: usize) -> Result<Vec<u8>> {
        let Window { x, y, width, height, .. } = window;
        let stored = self.read(Window::plane(x * factor, y * factor, width * factor, height * factor))?;
        if factor == 1 {
            return Ok(stored);
        }
        let mut cell = Vec::with_capacity(factor * factor);
        let cells = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
        let mode = |(row, column)| {
            cell.clear();
            for line in row * factor..(row + 1) * factor {
                cell.extend_from_slice(&stored[line * width * factor + column * factor..][..factor]);
            }
            most_frequent(&mut cell)
        };
        Ok(cells.map(mode).collect())
    }
}

/// The value that is there most often; at a tie the largest class.
fn most_frequent(values: &mut [u8]) -> u8 {
    values.sort_unstable();
    let runs = values.chunk_by(|a, b| a == b);
    // What does not count loses a tie, though its number is the largest.
    let rank = |run: &&[u8]| (run.len(), if run[0] == Targets::IGNORE { 0 } else { 1 + u16::from(run[0]) });
    runs.max_by_key(rank).map_or(Targets::IGNORE, |run| run[0])
}

/// Whether GDAL reads a file as a raster.
fn is_raster(path: &Path) -> bool {
    let options = DatasetOptions {
        open_flags: GdalOpenFlags::GDAL_OF_READONLY | GdalOpenFlags::GDAL_OF_RASTER,
        ..DatasetOptions::default()
    };
    Dataset::open_ex(path, options).is_ok_and(|dataset| dataset.raster_count() > 0)
}

#[cfg(test)]
mod tests {
    use super::most_frequent;

    #[test]
    fn the_majority_wins_and_a_tie_goes_to_the_later_class() {
        assert_eq!(most_frequent(&mut [0, 1, 0, 0]), 0);
        assert_eq!(most_frequent(&mut [0, 1, 1, 0]), 1);
        assert_eq!(most_frequent(&mut [255, 1, 1, 255]), 1);
        assert_eq!(most_frequent(&mut [255, 0, 255, 255]), 255);
    }
}
