//! What is odd about a volume that is read all the same.

use std::fmt;

/// What is odd about a volume that is read all the same. Each is for the log and the receipt.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// A NIfTI `scl_slope` that is not finite; it counts as 1, without an intercept, as in nibabel.
    Slope {
        /// The slope in the header.
        slope: f64,
    },
    /// A NIfTI header without sform and qform: the place is made up, with the volume's middle at 0 and x towards the left, as in nibabel.
    NoOrientation,
    /// A NIfTI header whose lengths are not in millimetres; they are taken for such, as in nibabel.
    Unit {
        /// The lengths' unit: "metres" or "micrometres".
        unit: &'static str,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slope { slope } => write!(f, "scl_slope is {slope}: values are taken as they are stored"),
            Self::NoOrientation => f.write_str("the header has neither sform nor qform: where the volume lies is made up"),
            Self::Unit { unit } => write!(f, "the header's lengths are in {unit}: they are taken for millimetres"),
        }
    }
}
