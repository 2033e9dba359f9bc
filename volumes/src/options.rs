//! How a volume is opened.

use std::path::PathBuf;

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
}

impl VolumeOptions {
    /// Of the DICOM series in a folder, the one with this `SeriesInstanceUID`.
    #[must_use]
    pub fn with_series(mut self, series: impl Into<String>) -> Self {
        self.series = Some(series.into());
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
