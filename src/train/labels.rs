//! What the pixels of a scene are.

use std::path::Path;

use gdal::{Dataset, DatasetOptions, GdalOpenFlags};
use swath_models::train::Targets;
use swath_tiling::Window;

use super::label_raster::{LabelRaster, LabelRasterReader};
use super::label_vectors::{LabelVectors, LabelVectorsReader};
use super::label_volume::{LabelVolume, LabelVolumeReader};
use super::paths::SceneFiles;
use super::recipe::Settings;
use crate::Result;
use crate::source::RasterProfile;

/// Stored pixels that are read at once to be reduced, unless one pixel takes more.
const PIXELS: usize = 4 << 20;

/// The labels of a scene: a raster on its pixels, or vectors; those of a volume.
#[derive(Debug)]
pub(super) enum Labels {
    Raster(Box<LabelRaster>),
    Vectors(Box<LabelVectors>),
    Volume(Box<LabelVolume>),
}

impl Labels {
    /// Looks at the labels of a scene, and checks that they lie on it.
    pub(super) fn open(files: &SceneFiles, scene: &RasterProfile, settings: &Settings) -> Result<Self> {
        if is_raster(&files.labels) {
            LabelRaster::open(&files.labels, scene, settings).map(|raster| Self::Raster(Box::new(raster)))
        } else {
            LabelVectors::open(&files.labels, files.layer.as_deref(), scene, settings)
                .map(|vectors| Self::Vectors(Box::new(vectors)))
        }
    }

    /// These, if they are vectors.
    pub(super) fn vectors(&self) -> Option<&LabelVectors> {
        match self {
            Self::Raster(_) | Self::Volume(_) => None,
            Self::Vectors(labels) => Some(labels),
        }
    }

    /// A reader for the calling thread.
    pub(super) fn reader(&self) -> Result<LabelReader<'_>> {
        match self {
            Self::Raster(labels) => labels.reader().map(LabelReader::Raster),
            Self::Vectors(labels) => labels.reader().map(LabelReader::Vectors),
            Self::Volume(labels) => Ok(LabelReader::Volume(labels.reader())),
        }
    }
}

/// Reads the labels of windows.
pub(super) enum LabelReader<'l> {
    Raster(LabelRasterReader<'l>),
    Vectors(LabelVectorsReader<'l>),
    Volume(LabelVolumeReader<'l>),
}

impl LabelReader<'_> {
    /// The classes of a window in stored pixels, of a volume on its grid, `(depth, height, width)`: places in the recipe's list, or [`Targets::IGNORE`].
    pub(super) fn read(&mut self, window: Window) -> Result<Vec<u8>> {
        match self {
            Self::Raster(reader) => reader.read(window),
            Self::Vectors(reader) => reader.read(window),
            Self::Volume(reader) => reader.read(window),
        }
    }

    /// The classes of a window in which `factor` x `factor` stored pixels become one, which has the class of most of them; at a tie the later one.
    pub(super) fn read_reduced(&mut self, window: Window, factor: usize) -> Result<Vec<u8>> {
        if factor == 1 {
            return self.read(window);
        }
        let columns = (PIXELS / factor.pow(2)).min(window.width).max(1);
        let rows = (PIXELS / (columns * factor.pow(2))).max(1);
        let mut classes = vec![Targets::IGNORE; window.area()];
        for y in (0..window.height).step_by(rows) {
            for x in (0..window.width).step_by(columns) {
                let part = Window::plane(x, y, columns.min(window.width - x), rows.min(window.height - y));
                let modes = self.modes(Window { x: window.x + x, y: window.y + y, ..part }, factor)?;
                for (row, modes) in modes.chunks_exact(part.width).enumerate() {
                    classes[(y + row) * window.width + x..][..part.width].copy_from_slice(modes);
                }
            }
        }
        Ok(classes)
    }

    /// As [`LabelReader::read_reduced`], with all stored pixels at once.
    fn modes(&mut self, Window { x, y, width, height, .. }: Window, factor: usize) -> Result<Vec<u8>> {
        let stored = self.read(Window::plane(x * factor, y * factor, width * factor, height * factor))?;
        let mut cell = Vec::with_capacity(factor.pow(2));
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
    use super::super::testing::Workplace;
    use super::*;
    use crate::source::{BandRequest, RasterSource as _, Scene};

    #[test]
    fn the_majority_wins_and_a_tie_goes_to_the_later_class() {
        assert_eq!(most_frequent(&mut [0, 1, 0, 0]), 0);
        assert_eq!(most_frequent(&mut [0, 1, 1, 0]), 1);
        assert_eq!(most_frequent(&mut [255, 1, 1, 255]), 1);
        assert_eq!(most_frequent(&mut [255, 0, 255, 255]), 255);
    }

    #[test]
    fn what_is_read_in_parts_is_as_if_read_at_once() {
        let workplace = Workplace::new();
        let value = |x: usize, y: usize| u8::from((x / 70 + y / 50).is_multiple_of(3));
        for name in ["scene.tif", "labels.tif"] {
            workplace.raster(name, [2600, 2400], value);
        }
        let settings = workplace.recipe(&[["scene.tif", "labels.tif"]], "crop = 32\nsamples = 1", "").settings;
        let path = |name: &str| workplace.path(name);
        let files = SceneFiles { name: "scene".into(), image: path("scene.tif"), labels: path("labels.tif"), layer: None };
        let scene = Scene::open(&files.image, &[BandRequest::Number(1)]).unwrap();
        let labels = Labels::open(&files, scene.profile(), &settings).unwrap();
        let mut reader = labels.reader().unwrap();
        // More than are read at once: in rows of 26 x 24 pixels, and in single ones.
        for factor in [100, 1200] {
            let window = Window::plane(0, 0, 2600 / factor, 2400 / factor);
            assert!(window.area() * factor.pow(2) > PIXELS);
            assert_eq!(reader.read_reduced(window, factor).unwrap(), reader.modes(window, factor).unwrap());
        }
    }
}
