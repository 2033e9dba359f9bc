//! DICOM images that make a volume.

use std::path::PathBuf;

/// DICOM images that make a volume: what they are, and which of them is which plane.
#[derive(Clone, Debug)]
pub struct DicomSeries {
    /// `StudyInstanceUID`.
    pub study: String,
    /// `SeriesInstanceUID`.
    pub series: String,
    /// `SeriesDescription`.
    pub description: Option<String>,
    /// `Modality`: `CT`, `MR`, ...
    pub modality: String,
    /// `FrameOfReferenceUID`.
    pub frame_of_reference: Option<String>,
    /// Where the planes of each frame of the volume (each time) come from, in storage order.
    pub planes: Vec<Vec<DicomPlane>>,
}

/// The image of a plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DicomPlane {
    /// The file.
    pub path: PathBuf,
    /// `SOPClassUID`.
    pub class: String,
    /// `SOPInstanceUID`.
    pub instance: String,
    /// The frame of a multi-frame file, counted from 0; `None` if the file has one image.
    pub frame: Option<usize>,
}
