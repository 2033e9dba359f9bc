//! What can go wrong with volumes.

use std::ops::Range;
use std::path::PathBuf;

/// A result whose error is this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with volumes. Each variant names the file, and the field or planes at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    File {
        /// "read", "write", ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is no volume.
    #[error("expected a NIfTI file, a DICOM file or a folder of these, got {found} in {}", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        found: String,
    },
    /// A field of a header that cannot be right.
    #[error("expected {expected} as {field} in {}, got {got}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The field's name in its standard.
        field: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// Fewer voxels than the header says.
    #[error("expected {expected} bytes of voxels in {}, got {}{got}", path.display(), if *bound { "at most " } else { "" })]
    Truncated {
        /// The file.
        path: PathBuf,
        /// As the header says.
        expected: u64,
        /// What there is.
        got: u64,
        /// Whether that is only the most that so short a compressed file can hold.
        bound: bool,
    },
    /// Damaged gzip data.
    #[error("expected gzip data in {}, got damage after {at} bytes of decompressed data", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// How much could be decompressed.
        at: u64,
        /// What is wrong.
        source: std::io::Error,
    },
    /// A volume of a 4-D file that is not there, or was not chosen.
    #[error("expected one of {frames} volumes to be chosen in {}, got {}", path.display(), got.map_or("no choice".into(), |got| format!("number {got}, counted from 0")))]
    Frame {
        /// The file.
        path: PathBuf,
        /// How many there are.
        frames: usize,
        /// The one asked for.
        got: Option<usize>,
    },
    /// Planes that are not there.
    #[error("expected planes within 0..{count} of {}, got {}..{}", path.display(), planes.start, planes.end)]
    Planes {
        /// The file or folder.
        path: PathBuf,
        /// How many there are.
        count: usize,
        /// What was asked for.
        planes: Range<usize>,
    },
    /// More or fewer labels, or probabilities, than a file is to have.
    #[error("expected {expected} values for {}, got {got}", path.display())]
    Values {
        /// The file that is written.
        path: PathBuf,
        /// How many it is to have.
        expected: u64,
        /// How many were given.
        got: u64,
    },
    /// A label that is no class's value.
    #[error("expected labels up to 255 for {}, got {label}", path.display())]
    Label {
        /// The file that is written.
        path: PathBuf,
        /// The label.
        label: u16,
        /// Why it does not fit.
        source: std::num::TryFromIntError,
    },
    /// A label that no class has.
    #[error("expected labels of the classes for {}, got {label}", path.display())]
    NoClass {
        /// The file that is written.
        path: PathBuf,
        /// The label.
        label: u16,
    },
    /// A volume on which no DICOM segmentation can be.
    #[error("expected {expected} for the DICOM segmentation {}, got {got}", path.display())]
    Segmentation {
        /// The file that is written.
        path: PathBuf,
        /// What it takes.
        expected: &'static str,
        /// What there is.
        got: String,
    },
    /// A DICOM file that is damaged.
    #[error("cannot parse {} as DICOM", path.display())]
    Dicom {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Compressed pixels that do not make up the frames.
    #[error("expected compressed pixels of {frames} frames in {}, got {got}", path.display())]
    Fragments {
        /// The file.
        path: PathBuf,
        /// How many frames there are.
        frames: usize,
        /// What there is.
        got: String,
    },
    /// Pixels that cannot be decoded.
    #[error("cannot decode frame {frame} of {}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// The frame, counted from 0.
        frame: usize,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A folder without an image that could be read.
    #[error("expected DICOM images in shades of grey in {}, got {found}", path.display())]
    NoImage {
        /// The folder or file.
        path: PathBuf,
        /// What there is.
        found: String,
    },
    /// A folder with several volumes.
    #[error("expected one volume in {}, got {}: {}", path.display(), volumes.len(), volumes.join("; "))]
    Several {
        /// The folder.
        path: PathBuf,
        /// Each volume: its series, how many images of which size, and one of its files.
        volumes: Vec<String>,
        /// The `SeriesInstanceUID` of each.
        series: Vec<String>,
    },
    /// Several DICOM images that do not say where they lie.
    #[error("expected the place of each image (ImagePositionPatient and ImageOrientationPatient), got none in {}", path.display())]
    NoPlace {
        /// The file.
        path: PathBuf,
    },
    /// A CT image without slope and intercept.
    #[error("expected RescaleSlope and RescaleIntercept, without which CT values are in no known unit, got none in {}", path.display())]
    NoUnit {
        /// The file.
        path: PathBuf,
    },
    /// An image with another one's identifier that is not the same image: its place or number is another.
    #[error("expected an SOPInstanceUID of its own for each image, got {uid} for {} and, elsewhere, {}", same.display(), path.display())]
    Identifier {
        /// The file.
        path: PathBuf,
        /// The file with the same identifier.
        same: PathBuf,
        /// The identifier.
        uid: String,
    },
    /// Slices with a gap between them.
    #[error(
        "expected slices {expected:.3} mm apart, got {got:.3} mm ({:.2} times as much) between {} and {}",
        got / expected,
        before.display(),
        after.display()
    )]
    Gap {
        /// The slice before the gap.
        before: PathBuf,
        /// The slice after it.
        after: PathBuf,
        /// What lies between most slices, in mm.
        expected: f64,
        /// What lies between these, in mm.
        got: f64,
    },
    /// Several slices in one place that nothing tells apart.
    #[error("expected one image at each place, got {}", files(paths))]
    Duplicates {
        /// The files.
        paths: Vec<PathBuf>,
    },
    /// A slice beside the line on which the others lie.
    #[error("expected {} on the line of the other slices, got {off:.3} mm beside it", path.display())]
    Beside {
        /// The file.
        path: PathBuf,
        /// How far, in mm.
        off: f64,
    },
}

fn files(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    names.join(", ")
}
