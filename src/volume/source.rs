//! A volume as a network sees it.

use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use gdal::raster::GdalDataType;
use swath_models::{Axes, Intensity, LabelResampling, Orientation, VolumeInput};
use swath_tiling::{Size, Window};
use swath_volumes::{Gaps, Missing, Origin, VolumeOptions, VolumeProfile, VolumeSource};

use super::files::VolumeFiles;
use super::intensity::Step;
use super::line::Line;
use super::measure::measure;
use super::orientation::orientation;
use super::planes::Planes;
use super::scratch_grid::ScratchGrid;
use crate::clocks::Clock;
use crate::source::{BandProfile, Patch, RasterProfile, RasterSource, WindowReader};
use crate::{Error, Georeference, Location, Result, Version};

/// How much farther apart along one axis voxels lie before scores are no longer interpolated along it, as in nnU-Net.
const ANISOTROPY: f64 = 3.0;

/// Which volume of a file or folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeChoice {
    /// Of the DICOM series of a folder, the one with this `SeriesInstanceUID`.
    pub series: Option<String>,
    /// Of a file with several volumes (4-D `NIfTI`), the one with this number, from 0.
    pub frame: Option<usize>,
    /// What is done about DICOM slices that are missing, or not equally far apart.
    pub gaps: Gaps,
    /// What is done about CT images without slope and intercept: what they store may be taken for Hounsfield units.
    pub hounsfield: Missing,
    /// What is done about several DICOM images that do not say where they lie: they may be taken for a stack.
    pub place: Missing,
}

/// A volume on the grid that a network sees: its values prepared, resampled to the network's spacing, in the order in which they are stored. Its
/// [`profile`](RasterSource::profile) is that of the grid; [`Volume::stored_profile`] that of the file.
#[derive(Debug)]
pub struct Volume {
    files: VolumeFiles,
    /// Which content the files had when they were looked at.
    version: Option<Version>,
    stored: Box<dyn VolumeSource>,
    frame: usize,
    gaps: Gaps,
    hounsfield: Missing,
    place: Missing,
    orientation: Orientation,
    /// From stored voxels to the grid's, along the volume's z, y and x.
    lines: Axes<Line>,
    intensity: Vec<Intensity>,
    /// The same with the numbers of this volume, once they are measured.
    steps: OnceLock<Vec<Step>>,
    /// Neighbouring slices that the network takes as bands.
    slices: usize,
    labels: LabelResampling,
    /// The axis, of z, y and x, along which scores come back from the nearest slice.
    coarse: Option<usize>,
    profile: RasterProfile,
    /// What readers have spent on preparing and resampling what they read.
    clocks: ReaderClocks,
    /// The grid's values, if they were prepared.
    prepared: Option<ScratchGrid>,
}

/// The time of readers beyond reading.
#[derive(Debug, Default)]
pub(super) struct ReaderClocks {
    pub(super) preparing: Clock,
    pub(super) resampling: Clock,
}

impl Volume {
    /// Looks at a volume; voxels are not read.
    ///
    /// # Errors
    /// If there is none, it is damaged, or the file has several and none is chosen.
    pub(crate) fn open(files: VolumeFiles, choice: &VolumeChoice, input: &VolumeInput) -> Result<Self> {
        let VolumeChoice { gaps, hounsfield, place, .. } = *choice;
        let mut options = VolumeOptions::default().with_gaps(gaps).with_hounsfield(hounsfield).with_place(place);
        if let Some(series) = &choice.series {
            options = options.with_series(series);
        }
        let stored = swath_volumes::open(files.path(), &options).map_err(|error| files.named(error.into()))?;
        let own = stored.profile();
        for warning in &own.warnings {
            tracing::warn!("{}: {warning}", files.location());
        }
        let frame = own.frame(choice.frame).map_err(|error| files.named(error.into()))?;
        let orientation = orientation(input.axes, own.affine.orientation())?;
        let mut coarse = None;
        let lengths = Axes { z: own.size.z, y: own.size.y, x: own.size.x };
        let lines = match (input.spacing, input.size) {
            (Some(wanted), _) => {
                let [x, y, z] = own.affine.spacing();
                let wanted = orientation.to_raster(Axes::from_array(wanted));
                coarse = coarse_axis(wanted.into_array()).or_else(|| coarse_axis([z, y, x]));
                let line = |(length, (spacing, wanted))| Line::respaced(length, spacing, wanted);
                lengths.zip(Axes { z, y, x }.zip(wanted)).map(line)
            }
            (None, Some([height, width])) => {
                let depth = orientation.to_network(lengths).z;
                let wanted = orientation.to_raster(Axes { z: depth, y: height, x: width });
                lengths.zip(wanted).map(|(from, to)| Line { from, to })
            }
            (None, None) => lengths.map(|from| Line { from, to: from }),
        };
        let size = Size { depth: lines.z.to, height: lines.y.to, width: lines.x.to };
        let band = BandProfile { description: None, colour: None, data_type: GdalDataType::Float32, nodata: None, bytes: 4 };
        let profile = RasterProfile {
            path: files.location().shown(),
            size,
            bands: vec![band],
            georeference: Georeference::default(),
            block: Size::plane(size.width, size.height),
            block_bytes: size.width * size.height * size_of::<f32>(),
            acquired: None,
        };
        let (slices, intensity, labels) = (input.slices.unwrap_or(1), input.intensity.clone(), input.labels);
        Ok(Self {
            version: files.version(stored.profile()),
            files,
            stored,
            frame,
            gaps,
            hounsfield,
            place,
            orientation,
            lines,
            intensity,
            steps: OnceLock::new(),
            slices,
            labels,
            coarse,
            profile,
            clocks: ReaderClocks::default(),
            prepared: None,
        })
    }

    /// The same, read, prepared and resampled once, into a file without a name on the disk of `folder`: windows of it can be read in any order.
    ///
    /// # Errors
    /// If it cannot be read, or there is no room for it.
    pub(crate) fn prepared(mut self, folder: &Path) -> Result<Self> {
        let size = self.profile.size;
        let mut grid = ScratchGrid::create(folder, size, size_of::<f32>())?;
        let mut planes = Planes::new(&self)?;
        let mut bytes = Vec::new();
        for z in 0..size.depth {
            planes.make_ready(z..z + 1)?;
            bytes.clear();
            bytes.extend(planes.get(z).iter().flat_map(|value| value.to_le_bytes()));
            grid.append(&bytes)?;
        }
        drop(planes);
        self.prepared = Some(grid);
        Ok(self)
    }

    /// The volume's files.
    pub(super) fn files(&self) -> &VolumeFiles {
        &self.files
    }

    /// Which content they had when they were looked at; none if one could not be.
    pub(super) fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// The volume, as the user names it.
    #[must_use]
    pub fn location(&self) -> &Location {
        self.files.location()
    }

    /// What is known of the volume as it is stored.
    #[must_use]
    pub fn stored_profile(&self) -> &VolumeProfile {
        self.stored.profile()
    }

    /// Whether it came from DICOM images.
    pub(super) fn is_dicom(&self) -> bool {
        matches!(self.stored_profile().origin, Origin::Dicom(_))
    }

    /// The `SeriesInstanceUID` of DICOM images.
    pub(super) fn series(&self) -> Option<&str> {
        match &self.stored_profile().origin {
            Origin::Dicom(series) => Some(&series.series),
            _ => None,
        }
    }

    /// Whether the network sees other voxels than those that are stored.
    #[must_use]
    pub fn is_resampled(&self) -> bool {
        !self.lines.into_array().into_iter().all(Line::is_same)
    }

    /// How the network's axes lie in the volume.
    #[must_use]
    pub fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// How many voxels are stored.
    #[must_use]
    pub fn size(&self) -> Size {
        Size { depth: self.lines.z.from, height: self.lines.y.from, width: self.lines.x.from }
    }

    pub(crate) fn stored(&self) -> &dyn VolumeSource {
        self.stored.as_ref()
    }

    pub(crate) fn frame(&self) -> usize {
        self.frame
    }

    /// What was done about slices that are missing, as what says how labels were made has it.
    pub(super) fn gaps(&self) -> &'static str {
        match self.gaps {
            Gaps::Refuse => "refuse",
            Gaps::Fill => "fill",
            Gaps::Resample => "resample",
        }
    }

    /// Whether values of CT images without slope and intercept were taken for Hounsfield units.
    pub(super) fn assumes_hounsfield(&self) -> bool {
        self.hounsfield == Missing::Assume
    }

    /// Whether DICOM images that do not say where they lie were taken for a stack.
    pub(super) fn assumes_place(&self) -> bool {
        self.place == Missing::Assume
    }

    pub(crate) fn lines(&self) -> Axes<Line> {
        self.lines
    }

    pub(super) fn clocks(&self) -> &ReaderClocks {
        &self.clocks
    }

    pub(super) fn slices(&self) -> usize {
        self.slices
    }

    pub(super) fn labels(&self) -> LabelResampling {
        self.labels
    }

    /// The axis, of z, y and x, along which scores come back from the nearest slice.
    pub(super) fn coarse(&self) -> Option<usize> {
        self.coarse
    }

    /// What is done to stored values; measured when it is first asked for.
    pub(super) fn steps(&self) -> Result<&[Step]> {
        if let Some(steps) = self.steps.get() {
            return Ok(steps);
        }
        let steps = measure(self.stored(), self.frame, &self.intensity).map_err(|error| self.files.named(error))?;
        Ok(self.steps.get_or_init(|| steps))
    }
}

/// The one axis along which voxels lie so far apart that nnU-Net interpolates no scores along it: the widest distance is more than three times the
/// narrowest, and no other axis has it (`determine_do_sep_z_and_axis`).
fn coarse_axis(spacing: [f64; 3]) -> Option<usize> {
    let widest = spacing.iter().copied().fold(0.0, f64::max);
    let narrowest = spacing.iter().copied().fold(f64::INFINITY, f64::min);
    let axes: Vec<usize> = (0..3).filter(|axis| spacing[*axis].total_cmp(&widest).is_eq()).collect();
    let [axis] = axes[..] else { return None };
    (widest > ANISOTROPY * narrowest).then_some(axis)
}

impl RasterSource for Volume {
    fn profile(&self) -> &RasterProfile {
        &self.profile
    }

    fn reader(&self) -> Result<Box<dyn WindowReader + '_>> {
        let rows = match &self.prepared {
            None => Rows::Planes(Planes::new(self).map_err(|error| self.files.named(error))?),
            Some(grid) => Rows::Prepared { grid, bytes: Vec::new(), row: Vec::new() },
        };
        Ok(Box::new(VolumeReader { volume: self, rows }))
    }
}

/// Reads tiles of a volume.
struct VolumeReader<'v> {
    volume: &'v Volume,
    rows: Rows<'v>,
}

/// Where the grid's rows come from.
enum Rows<'v> {
    /// The stored planes, as they are prepared.
    Planes(Planes<'v>),
    /// Those that were prepared, with the row that was read last.
    Prepared { grid: &'v ScratchGrid, bytes: Vec<u8>, row: Vec<f32> },
}

impl Rows<'_> {
    /// Makes the rows of planes ready.
    fn make_ready(&mut self, planes: Range<usize>) -> Result<()> {
        match self {
            Self::Planes(own) => own.make_ready(planes),
            Self::Prepared { .. } => Ok(()),
        }
    }

    /// A row of a plane that is ready.
    fn get(&mut self, z: usize, y: usize, width: usize) -> Result<&[f32]> {
        match self {
            Self::Planes(planes) => Ok(&planes.get(z)[y * width..][..width]),
            Self::Prepared { grid, bytes, row } => {
                grid.read(z, y, 0..width, bytes)?;
                row.clear();
                row.extend(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
                Ok(row)
            }
        }
    }
}

impl WindowReader for VolumeReader<'_> {
    fn read(&mut self, window: Window) -> Result<Patch> {
        let Self { volume, rows } = self;
        let size = volume.profile.size;
        let around = volume.slices / 2;
        let axis = volume.orientation.depth_axis();
        let beside = if axis == 0 { around } else { 0 };
        let planes = window.z.saturating_sub(beside)..(window.z + window.depth + beside).min(size.depth);
        rows.make_ready(planes).map_err(|error| volume.files.named(error))?;
        let area = window.area();
        let mut pixels = Vec::with_capacity(volume.slices * area);
        for band in 0..volume.slices {
            // How far along the slices' axis the band lies from the slice that is labelled.
            let offset = (band as isize - around as isize) * if volume.orientation.is_depth_flipped() { -1 } else { 1 };
            let shift = |own: usize, at: usize, length: usize| {
                if own == axis { at.saturating_add_signed(offset).min(length - 1) } else { at }
            };
            for z in window.z..window.z + window.depth {
                let z = shift(0, z, size.depth);
                for y in window.y..window.y + window.height {
                    let row = rows.get(z, shift(1, y, size.height), size.width)?;
                    if axis == 2 && offset != 0 {
                        pixels.extend((window.x..window.x + window.width).map(|x| row[shift(2, x, size.width)]));
                    } else {
                        pixels.extend_from_slice(&row[window.x..window.x + window.width]);
                    }
                }
            }
        }
        let mut valid = vec![true; area];
        for band in pixels.chunks_exact(area) {
            valid.iter_mut().zip(band).for_each(|(valid, value)| *valid &= value.is_finite());
        }
        Ok(Patch { window, pixels, valid, wanted: None })
    }
}

impl From<swath_volumes::Error> for Error {
    fn from(error: swath_volumes::Error) -> Self {
        Self::Volume(Box::new(error))
    }
}
