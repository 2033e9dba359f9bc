//! DICOM images that make a volume.

use std::path::PathBuf;

use crate::Gaps;

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
    /// The directions of rows and of columns in LPS, and the distances of rows and of columns in mm; `None` if the images do not say.
    pub orientation: Option<DicomOrientation>,
    /// Where the planes of each frame of the volume (each time) come from, in storage order; `None` if there is no slice and the plane is
    /// interpolated.
    pub planes: Vec<Vec<Option<DicomPlane>>>,
    /// What was done about slices that are missing or unevenly spaced.
    pub gaps: Gaps,
}

/// The image of a plane.
#[derive(Clone, Debug, PartialEq)]
pub struct DicomPlane {
    /// The file.
    pub path: PathBuf,
    /// `SOPClassUID`.
    pub class: String,
    /// `SOPInstanceUID`.
    pub instance: String,
    /// The frame of a multi-frame file, counted from 0; `None` if the file has one image.
    pub frame: Option<usize>,
    /// `ImagePositionPatient`: the centre of its first pixel, in LPS millimetres.
    pub position: Option<[f64; 3]>,
}

/// How the planes of a series lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DicomOrientation {
    /// `ImageOrientationPatient`, first half: the direction of a row, towards later columns.
    pub row: [f64; 3],
    /// `ImageOrientationPatient`, second half: the direction of a column, towards later rows.
    pub column: [f64; 3],
    /// `PixelSpacing`: the distance of rows, then of columns.
    pub spacing: [f64; 2],
}
