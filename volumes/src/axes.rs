//! Sides of the patient.

use std::fmt;
use std::str::FromStr;

/// A side of the patient, towards which a storage axis goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AxisCode {
    /// `R`.
    Right,
    /// `L`.
    Left,
    /// `A`, the front.
    Anterior,
    /// `P`, the back.
    Posterior,
    /// `S`, the head.
    Superior,
    /// `I`, the feet.
    Inferior,
}

impl AxisCode {
    /// The positive or negative side of an axis of RAS space.
    pub(crate) fn along(axis: usize, positive: bool) -> Self {
        match (axis, positive) {
            (0, true) => Self::Right,
            (0, false) => Self::Left,
            (1, true) => Self::Anterior,
            (1, false) => Self::Posterior,
            (_, true) => Self::Superior,
            (_, false) => Self::Inferior,
        }
    }

    /// The axis of RAS space that it lies on: 0, 1 or 2.
    #[must_use]
    pub fn axis(self) -> usize {
        match self {
            Self::Right | Self::Left => 0,
            Self::Anterior | Self::Posterior => 1,
            Self::Superior | Self::Inferior => 2,
        }
    }

    /// Whether it is the positive side of its axis in RAS space.
    #[must_use]
    pub fn is_positive(self) -> bool {
        matches!(self, Self::Right | Self::Anterior | Self::Superior)
    }

    fn letter(self) -> char {
        match self {
            Self::Right => 'R',
            Self::Left => 'L',
            Self::Anterior => 'A',
            Self::Posterior => 'P',
            Self::Superior => 'S',
            Self::Inferior => 'I',
        }
    }
}

/// Towards which sides the storage axes x, y and z go; each pair of sides occurs once. Written as letters: `RAS`, `LPS`, `LIA`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AxisCodes {
    codes: [AxisCode; 3],
}

impl AxisCodes {
    /// Right, anterior, superior: the axes of NIfTI's space.
    pub const RAS: Self = Self { codes: [AxisCode::Right, AxisCode::Anterior, AxisCode::Superior] };
    /// Left, posterior, superior: the axes of DICOM's space.
    pub const LPS: Self = Self { codes: [AxisCode::Left, AxisCode::Posterior, AxisCode::Superior] };

    /// The sides of x, y and z; `None` if two lie on one axis.
    #[must_use]
    pub fn new(codes: [AxisCode; 3]) -> Option<Self> {
        let [x, y, z] = codes.map(AxisCode::axis);
        (x != y && y != z && x != z).then_some(Self { codes })
    }

    /// The sides of x, y and z.
    #[must_use]
    pub fn codes(self) -> [AxisCode; 3] {
        self.codes
    }
}

impl fmt::Display for AxisCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.codes.iter().try_for_each(|code| write!(f, "{}", code.letter()))
    }
}

/// A text that names no orientation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected three letters, one each of R or L, A or P, S or I, got `{text}`")]
pub struct AxisCodesError {
    text: String,
}

impl FromStr for AxisCodes {
    type Err = AxisCodesError;

    fn from_str(text: &str) -> Result<Self, AxisCodesError> {
        let code = |letter| match letter {
            'R' => Some(AxisCode::Right),
            'L' => Some(AxisCode::Left),
            'A' => Some(AxisCode::Anterior),
            'P' => Some(AxisCode::Posterior),
            'S' => Some(AxisCode::Superior),
            'I' => Some(AxisCode::Inferior),
            _ => None,
        };
        let codes: Option<Vec<AxisCode>> = text.chars().map(code).collect();
        let codes = codes.and_then(|codes| Self::new(codes.try_into().ok()?));
        codes.ok_or_else(|| AxisCodesError { text: text.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_lead_back() {
        for text in ["RAS", "LPS", "LIA", "SRP"] {
            assert_eq!(text.parse::<AxisCodes>().unwrap().to_string(), text);
        }
        for text in ["", "RA", "RAR", "RLS", "ras", "RASS"] {
            assert_eq!(text.parse::<AxisCodes>(), Err(AxisCodesError { text: text.into() }));
        }
    }
}
