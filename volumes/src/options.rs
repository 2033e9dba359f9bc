//! How a volume is opened.

use std::path::PathBuf;

/// What is done about DICOM slices that are missing, or not equally far apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Gaps {
    /// They are an error.
    #[default]
    Refuse,
    /// Where slices are missing, planes are made up by linear interpolation between the slices beside them. What is no gap of whole
    /// slices is an error.
    Fill,
    /// All planes are interpolated linearly at equal distances between the first and the last slice; a slice at such a place is taken as it is.
    Resample,
}

/// What is done about what DICOM headers have to say, and do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Missing {
    /// It is an error.
    #[default]
    Refuse,
    /// It is assumed.
    Assume,
}

/// How a volume is opened.
///
/// ```
/// use swath_volumes::VolumeOptions;
///
/// let options = VolumeOptions::default().with_series("1.2.840.113619.2.1");
/// ```
#[derive(Clone, Debug, Default)]
pub struct VolumeOptions {
    pub(crate) series: Option<String>,
    pub(crate) scratch: Option<PathBuf>,
    pub(crate) gaps: Gaps,
    pub(crate) hounsfield: Missing,
    pub(crate) place: Missing,
}

impl VolumeOptions {
    /// Of the DICOM series in a folder, the one with this `SeriesInstanceUID`.
    #[must_use]
    pub fn with_series(mut self, series: impl Into<String>) -> Self {
        self.series = Some(series.into());
        self
    }

    /// What is done about DICOM slices that are missing, or not equally far apart; without it they are refused.
    #[must_use]
    pub fn with_gaps(mut self, gaps: Gaps) -> Self {
        self.gaps = gaps;
        self
    }

    /// What is done about CT images without slope and intercept. [Assumed](Missing::Assume) is that what they store are Hounsfield units;
    /// without it they are refused.
    #[must_use]
    pub fn with_hounsfield(mut self, missing: Missing) -> Self {
        self.hounsfield = missing;
        self
    }

    /// What is done about several DICOM images that do not say where they lie. [Assumed](Missing::Assume) is that they are a stack in the order
    /// of their numbers (`InstanceNumber`), or else of their files' names, the first pixel at 0, rows towards the left and columns towards the back,
    /// 1 mm apart where nothing else is said; without it they are refused.
    #[must_use]
    pub fn with_place(mut self, missing: Missing) -> Self {
        self.place = missing;
        self
    }

    /// A folder for scratch files. A `.nii.gz` is then decompressed once, when it is opened, into a file of the size of its voxels, which
    /// is removed when its source is dropped; planes can be read in any order, and damage is found before the first is. Without it planes
    /// are decompressed as they are read: in order it costs nothing, but going back starts again from the first byte.
    #[must_use]
    pub fn with_scratch(mut self, folder: impl Into<PathBuf>) -> Self {
        self.scratch = Some(folder.into());
        self
    }
}
