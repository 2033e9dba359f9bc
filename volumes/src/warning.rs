//! What is odd about a volume that is read all the same.

use std::fmt;
use std::path::PathBuf;

/// What is odd about a volume that is read all the same. Each is for the log and the receipt.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// A NIfTI `scl_slope` that is not finite; it counts as 1, without an intercept, as in nibabel.
    Slope {
        /// The slope in the header.
        slope: f64,
    },
    /// Headers that do not say where the volume lies. Of a NIfTI file its middle is then at 0 and x goes towards the left, as in nibabel; of
    /// DICOM images the first pixel is at 0, rows go towards the left and columns towards the back.
    NoOrientation,
    /// A NIfTI header whose lengths are not in millimetres; they are taken for such, as in nibabel.
    Unit {
        /// The lengths' unit: "metres" or "micrometres".
        unit: &'static str,
    },
    /// Files of a folder that are no part of the volume.
    LeftOut {
        /// What they are: "no DICOM file", "a localizer", ...
        what: &'static str,
        /// How many.
        count: usize,
        /// One of them.
        example: PathBuf,
    },
    /// DICOM instances that are in a folder twice; the first file counts.
    Twice {
        /// The file that is left out.
        path: PathBuf,
        /// The file with the same `SOPInstanceUID`.
        same: PathBuf,
    },
    /// DICOM images whose numbers do not follow their places; places count.
    Numbering {
        /// An image.
        path: PathBuf,
        /// The next one by its place.
        next: PathBuf,
    },
    /// DICOM slices whose distances differ, but by no more than 0.1 mm and a quarter of the distance; their mean counts.
    Uneven {
        /// The least distance, in mm.
        least: f64,
        /// The greatest distance, in mm.
        greatest: f64,
    },
    /// Planes that are made up between DICOM slices, as was asked for.
    MadeUp {
        /// How many.
        planes: usize,
    },
    /// A stack of DICOM slices that leans (gantry tilt): the affine is sheared.
    Tilt {
        /// The angle between the stack's direction and the slices' normal, in degrees.
        degrees: f64,
    },
    /// A single DICOM slice, whose extent across its plane is the distance or thickness that its header says.
    OneSlice {
        /// The attribute: `SpacingBetweenSlices`, `SliceThickness`, or "nothing" where it counts as 1 mm.
        attribute: &'static str,
    },
    /// CT images whose values cannot be Hounsfield units: none of them is negative.
    NotHounsfield,
    /// Images in which white is low (`MONOCHROME1`); values are as they are stored.
    Inverted,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slope { slope } => write!(f, "scl_slope is {slope}: values are taken as they are stored"),
            Self::NoOrientation => f.write_str("the headers do not say where the volume lies: its place is made up"),
            Self::Unit { unit } => write!(f, "the header's lengths are in {unit}: they are taken for millimetres"),
            Self::LeftOut { what, count: 1, example } => write!(f, "{} is left out: it is {what}", example.display()),
            Self::LeftOut { what, count, example } => {
                write!(f, "{count} files are left out, among them {}: each is {what}", example.display())
            }
            Self::Twice { path, same } => {
                write!(f, "{} is left out: it is the same instance as {}", path.display(), same.display())
            }
            Self::Numbering { path, next } => {
                write!(f, "InstanceNumber does not follow the slices' places: {} lies before {}", path.display(), next.display())
            }
            Self::Uneven { least, greatest } => write!(f, "slices are {least:.3} to {greatest:.3} mm apart: their mean is taken"),
            Self::MadeUp { planes } => write!(f, "{planes} planes are interpolated between slices"),
            Self::Tilt { degrees } => write!(f, "the stack leans by {degrees:.3} degrees (gantry tilt): its affine is sheared"),
            Self::OneSlice { attribute } => write!(f, "there is one slice only: how thick it is follows from {attribute}"),
            Self::NotHounsfield => f.write_str("CT values cannot be negative here: they are not Hounsfield units"),
            Self::Inverted => f.write_str("white is low in these images (MONOCHROME1): values are taken as they are stored"),
        }
    }
}
