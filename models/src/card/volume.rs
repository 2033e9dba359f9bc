//! What a network needs of volumes.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Rank, Result, Scaling};

/// What a network needs of volumes, and how its scores become labels on their voxels: `swath:volume`. Nothing of it is guessed: a card without it is
/// for scenes only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeInput {
    /// Where the network's depth, height and width point to; a planar network's depth is the axis across its slices.
    pub axes: VolumeAxes,
    /// Distances of voxels along depth, height and width that the network was trained for, in millimetres: the volume is resampled to them
    /// linearly. Without it, voxels are taken as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spacing: Option<[f64; 3]>,
    /// Height and width that every slice is resized to as a whole, for a planar network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// Neighbouring slices that a planar network takes as its bands, the labelled one in the middle; beyond the first and the last slice these are
    /// repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slices: Option<usize>,
    /// Depth, height and width of the tiles, where the user gives none: the patch that the network was trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tile: Option<[usize; 3]>,
    /// What is done to stored values (HU of CT) in this order, before they are resampled; `mlm:input[0].value_scaling` comes last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intensity: Vec<Intensity>,
    /// How labels come back to the volume's voxels, if it was resampled.
    #[serde(default, skip_serializing_if = "LabelResampling::is_default")]
    pub labels: LabelResampling,
}

/// One step from stored values to the network's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Intensity {
    /// The same for every volume.
    Fixed(Scaling),
    /// By the volume's own values, as the steps before left them.
    Measured(MeasuredScaling),
}

/// A scaling whose numbers are those of the whole volume.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum MeasuredScaling {
    /// `min(max(x, p), q)` with the volume's percentiles `p` and `q`, interpolated linearly between its sorted values (`numpy.percentile`).
    ClipPercentiles {
        /// Percentage of the lower bound, from 0.
        lower: f64,
        /// Percentage of the upper bound, to 100.
        upper: f64,
    },
    /// `(x - mean) / max(stddev, 1e-8)` with the volume's mean and standard deviation (of the population, as `numpy.std`).
    ZScoreVolume {
        /// Which voxels count.
        #[serde(default)]
        voxels: Voxels,
    },
}

/// Which voxels count for a volume's mean and deviation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Voxels {
    /// All of them.
    #[default]
    All,
    /// Those whose value is not 0; the others stay 0.
    Nonzero,
}

/// How labels come back to a volume's own voxels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelResampling {
    /// The network's scores are resampled linearly; a voxel gets the class of the largest.
    #[default]
    Scores,
    /// A voxel gets the label of the nearest one that the network saw.
    Nearest,
}

impl LabelResampling {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where the three axes of a network point to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum VolumeAxes {
    /// As the volume's first, second and third axis (`NIfTI`'s i, j, k), wherever those point to: `ijk`.
    Stored,
    /// Depth, height and width towards these sides of the patient, such as `SPL`.
    Towards([Side; 3]),
}

/// A side of the patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Side {
    Left,
    Right,
    Anterior,
    Posterior,
    Superior,
    Inferior,
}

impl Side {
    const ALL: [(char, Self); 6] = [
        ('L', Self::Left),
        ('R', Self::Right),
        ('A', Self::Anterior),
        ('P', Self::Posterior),
        ('S', Self::Superior),
        ('I', Self::Inferior),
    ];

    /// Its initial, as in `RAS`.
    #[must_use]
    pub fn letter(self) -> char {
        Self::ALL[self as usize].0
    }

    /// The side across.
    #[must_use]
    pub fn opposite(self) -> Self {
        Self::ALL[self as usize ^ 1].1
    }

    /// The side with this initial.
    #[must_use]
    pub fn from_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|(own, _)| *own == letter).map(|(_, side)| side)
    }
}

impl FromStr for VolumeAxes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "ijk" {
            return Ok(Self::Stored);
        }
        let sides: Option<Vec<Side>> = text.chars().map(Side::from_letter).collect();
        let sides = sides.and_then(|sides| <[Side; 3]>::try_from(sides).ok());
        let differ = |sides: &[Side; 3]| {
            let lines = sides.map(|side| side as usize / 2);
            (0..3).all(|line| lines.contains(&line))
        };
        sides.filter(differ).map(Self::Towards).ok_or_else(|| {
            format!("expected ijk, or one of L and R, one of A and P and one of S and I in any order, got `{text}`")
        })
    }
}

impl TryFrom<String> for VolumeAxes {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<VolumeAxes> for String {
    fn from(axes: VolumeAxes) -> Self {
        axes.to_string()
    }
}

impl fmt::Display for VolumeAxes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored => f.write_str("ijk"),
            Self::Towards(sides) => sides.iter().try_for_each(|side| write!(f, "{}", side.letter())),
        }
    }
}

/// What is wrong with a field.
pub(super) struct Wrong {
    /// Its name within `swath:volume`.
    pub(super) field: String,
    pub(super) expected: &'static str,
    pub(super) got: String,
}

impl Wrong {
    /// The error of a card, or of another file that says the same.
    pub(super) fn in_file(self, path: &Path) -> Error {
        let field = format!("swath:volume.{}", self.field);
        Error::Card { path: path.into(), field, expected: self.expected.into(), got: self.got }
    }
}

impl VolumeInput {
    /// What it needs where nothing has to be prepared.
    #[must_use]
    pub fn new(axes: VolumeAxes) -> Self {
        let (spacing, size, slices, tile) = (None, None, None, None);
        Self { axes, spacing, size, slices, tile, intensity: Vec::new(), labels: LabelResampling::default() }
    }

    /// Checks that it can be computed with, and suits a network of so many bands and this rank.
    ///
    /// # Errors
    /// Names the field, and `path` as the file that it is from.
    pub fn validate(&self, bands: usize, rank: Rank, path: &Path) -> Result<()> {
        self.check(bands).and_then(|()| self.check_rank(rank)).map_err(|wrong| wrong.in_file(path))
    }

    /// Whether its numbers can be computed with, for a network of `bands` bands.
    pub(super) fn check(&self, bands: usize) -> Result<(), Wrong> {
        let wrong = |field: &str, expected, got: String| Err(Wrong { field: field.into(), expected, got });
        if let Some(spacing) = self.spacing.filter(|spacing| !spacing.iter().all(|mm| mm.is_finite() && *mm > 0.0)) {
            return wrong("spacing", "three distances above 0", format!("{spacing:?}"));
        }
        if let Some(size) = self.size.filter(|size| size.contains(&0)) {
            return wrong("size", "a height and width of at least 1", format!("{size:?}"));
        }
        if self.size.is_some() && self.spacing.is_some() {
            return wrong("size", "a size or a spacing", "both".into());
        }
        if let Some(tile) = self.tile.filter(|tile| tile.contains(&0)) {
            return wrong("tile", "sides of at least 1", format!("{tile:?}"));
        }
        let slices = self.slices.unwrap_or(1);
        if slices.is_multiple_of(2) {
            return wrong("slices", "an odd number, so that one is in the middle", slices.to_string());
        }
        if slices != bands {
            return wrong("slices", "as many as the network has bands, 1 by default", format!("{slices} for {bands} bands"));
        }
        for (place, step) in self.intensity.iter().enumerate() {
            let field = format!("intensity[{place}]");
            match step {
                Intensity::Fixed(scaling) => {
                    scaling.checked().map_err(|(expected, got)| Wrong { field, expected, got })?;
                }
                Intensity::Measured(MeasuredScaling::ClipPercentiles { lower, upper }) => {
                    if !(*lower >= 0.0 && lower < upper && *upper <= 100.0) {
                        return wrong(&field, "0 <= lower < upper <= 100", format!("{lower} and {upper}"));
                    }
                }
                Intensity::Measured(MeasuredScaling::ZScoreVolume { .. }) => {}
            }
        }
        Ok(())
    }

    /// Whether it suits a network of this rank.
    pub(super) fn check_rank(&self, rank: Rank) -> Result<(), Wrong> {
        let wrong = |field: &str, expected, got: String| Err(Wrong { field: field.into(), expected, got });
        match (rank, self.size, self.slices, self.tile) {
            (Rank::Volumetric, Some(_), _, _) => wrong("size", "none for a network that takes volumes", "a size".into()),
            (Rank::Volumetric, _, Some(slices), _) if slices > 1 => {
                wrong("slices", "none for a network that takes volumes", slices.to_string())
            }
            (Rank::Planar, _, _, Some([depth, ..])) if depth != 1 => {
                wrong("tile", "a depth of 1 for a network that takes slices", depth.to_string())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_name_each_line_once() {
        for text in ["RAS", "LIA", "SPL", "ijk"] {
            assert_eq!(text.parse::<VolumeAxes>().unwrap().to_string(), text);
        }
        for text in ["RLS", "RA", "RASA", "ras", "", "kji"] {
            assert!(text.parse::<VolumeAxes>().unwrap_err().contains(text));
        }
        assert_eq!(Side::Left.opposite(), Side::Right);
        assert_eq!(Side::Inferior.opposite(), Side::Superior);
    }

    #[test]
    fn steps_are_read_by_their_type() {
        let text = r#"{ "axes": "LPS", "spacing": [1.5, 1.5, 1.5], "intensity": [
            { "type": "clip", "minimum": -1000, "maximum": 400 },
            { "type": "clip-percentiles", "lower": 0.5, "upper": 99.5 },
            { "type": "z-score-volume", "voxels": "nonzero" } ] }"#;
        let volume: VolumeInput = serde_json::from_str(text).unwrap();
        let z_score = MeasuredScaling::ZScoreVolume { voxels: Voxels::Nonzero };
        assert_eq!(volume.intensity[0], Intensity::Fixed(Scaling::Clip { minimum: -1000.0, maximum: 400.0 }));
        assert_eq!(volume.intensity[2], Intensity::Measured(z_score));
        assert_eq!(serde_json::from_str::<VolumeInput>(&serde_json::to_string(&volume).unwrap()).unwrap(), volume);
        assert!(volume.check(1).is_ok());
        assert_eq!(volume.check(3).unwrap_err().field, "slices");
        assert!(serde_json::from_str::<VolumeInput>(r#"{ "axes": "LPS", "spacings": [1, 1, 1] }"#).is_err());
    }
}
