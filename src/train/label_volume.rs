//! Labels in a volume.

use std::path::Path;

use swath_models::train::Targets;
use swath_tiling::{Size, Window};
use swath_volumes::{PlaneReader, VolumeOptions, VolumeSource};

use super::TrainError;
use super::label_raster::value_coding;
use super::recipe::Settings;
use crate::Result;
use crate::evaluate::{Coding, UnknownPixel, check_voxels};
use crate::source::Patch;
use crate::volume::{ScratchGrid, Volume};

/// Labels on the voxels of a volume as they are stored.
#[derive(Debug)]
pub(super) struct StoredLabels {
    source: Box<dyn VolumeSource>,
    frame: usize,
    coding: Coding,
}

impl StoredLabels {
    /// Looks at a label volume, and checks that it has the volume's voxels.
    pub(super) fn open(path: &Path, volume: &Volume, settings: &Settings) -> Result<Self> {
        let Settings { classes, ignore, .. } = settings;
        let source = swath_volumes::open(path, &VolumeOptions::default())?;
        let frame = source.profile().frame(None)?;
        check_voxels(source.profile(), volume.stored_profile())?;
        if let Some(class) = classes.iter().find(|class| !class.others && class.values.is_empty()) {
            let (expected, class) = ("`values`, as the labels are a volume", class.name.clone());
            return Err(TrainError::ClassUnreadable { path: path.into(), expected, class }.into());
        }
        Ok(Self { source, frame, coding: value_coding(classes, &ignore.values) })
    }

    /// A reader of planes, which is fastest if they are read in order.
    pub(super) fn reader(&self) -> Result<StoredLabelsReader<'_>> {
        Ok(StoredLabelsReader { labels: self, planes: self.source.reader(self.frame)? })
    }
}

/// Reads planes of labels as they are stored.
pub(super) struct StoredLabelsReader<'l> {
    labels: &'l StoredLabels,
    planes: Box<dyn PlaneReader>,
}

impl StoredLabelsReader<'_> {
    /// The classes of a plane, `(height, width)`: places in the recipe's list, or [`Targets::IGNORE`].
    pub(super) fn read(&mut self, z: usize) -> Result<Vec<u8>> {
        let profile = self.labels.source.profile();
        let pixels = self.planes.read(z..z + 1)?;
        let valid = pixels.iter().map(|value| !value.is_nan()).collect();
        let window = Window { z, ..Window::plane(0, 0, profile.size.x, profile.size.y) };
        let coding = &self.labels.coding;
        let places = coding.places(&Patch { window, pixels, valid, wanted: None }).map_err(|UnknownPixel { what, x, y }| {
            TrainError::UnknownVoxelLabel { path: profile.path.clone(), what, x, y, z, known: coding.known() }
        })?;
        // A recipe has at most 254 classes.
        Ok(places.into_iter().map(|place| u8::try_from(place).unwrap_or(Targets::IGNORE)).collect())
    }
}

/// Labels in a volume, also on the grid that the network sees.
#[derive(Debug)]
pub(super) struct LabelVolume {
    pub(super) stored: StoredLabels,
    grid: ScratchGrid,
}

impl LabelVolume {
    /// Reads all labels once: each voxel of the volume's grid gets that of the nearest stored one, in a file without a name on the disk of `scratch`.
    pub(super) fn new(stored: StoredLabels, volume: &Volume, scratch: &Path) -> Result<Self> {
        let lines = volume.lines();
        let size = Size { depth: lines.z.to, height: lines.y.to, width: lines.x.to };
        let mut grid = ScratchGrid::create(scratch, size, 1)?;
        let mut reader = stored.reader()?;
        let rows: Vec<usize> = (0..lines.y.to).map(|y| lines.y.nearest(y)).collect();
        let columns: Vec<usize> = (0..lines.x.to).map(|x| lines.x.nearest(x)).collect();
        let mut next = 0;
        // Planes that the grid passes over are read, too: what means nothing anywhere is an error.
        for z in 0..lines.z.from {
            let plane = reader.read(z)?;
            let lines_of = rows.iter().map(|y| &plane[y * lines.x.from..][..lines.x.from]);
            let near: Vec<u8> = lines_of.flat_map(|line| columns.iter().map(move |x| line[*x])).collect();
            while next < lines.z.to && lines.z.nearest(next) == z {
                grid.append(&near)?;
                next += 1;
            }
        }
        Ok(Self { stored, grid })
    }

    /// A reader for the calling thread.
    pub(super) fn reader(&self) -> LabelVolumeReader<'_> {
        LabelVolumeReader { grid: &self.grid, row: Vec::new() }
    }
}

/// Reads the labels of windows of the grid.
pub(super) struct LabelVolumeReader<'l> {
    grid: &'l ScratchGrid,
    row: Vec<u8>,
}

impl LabelVolumeReader<'_> {
    /// As [`LabelReader::read`](super::labels::LabelReader::read), `(depth, height, width)`.
    pub(super) fn read(&mut self, window: Window) -> Result<Vec<u8>> {
        let mut classes = Vec::with_capacity(window.area());
        for z in window.z..window.z + window.depth {
            for y in window.y..window.y + window.height {
                self.grid.read(z, y, window.x..window.x + window.width, &mut self.row)?;
                classes.extend_from_slice(&self.row);
            }
        }
        Ok(classes)
    }
}
