//! Which views of a tile a network is run on.

use std::fmt;
use std::str::FromStr;

use super::symmetry::{Mirror, Order, Symmetry};

/// Views of a tile whose scores are averaged: `flips`, `hflip`, `d4` or `mirrors`, and `scales=A,B,..`, joined by `+`; each turn at each scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Augmentation {
    turns: Turns,
    /// Relative to the tile; one of them at least.
    scales: Vec<f64>,
}

/// How a tile is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turns {
    None,
    /// As it is, and left and right exchanged.
    Sideways,
    /// Mirrored along one axis, both, and none.
    Flips,
    /// By all right angles, mirrored and not.
    Square,
    /// Mirrored along every choice of depth, height and width, as nnU-Net does.
    Mirrors,
}

/// One view of a tile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct View {
    pub(super) symmetry: Symmetry,
    pub(super) scale: f64,
}

impl Augmentation {
    /// The smallest and the largest scale: beyond them a network sees nothing that it knows.
    const SCALES: (f64, f64) = (0.1, 10.0);

    /// The tile as it is, and nothing else.
    #[must_use]
    pub fn none() -> Self {
        Self { turns: Turns::None, scales: vec![1.0] }
    }

    /// Whether a network is run on the tile as it is, and nothing else.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::none()
    }

    /// How often a network is run for a tile.
    #[must_use]
    pub fn views(&self) -> usize {
        self.all().count()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = View> + '_ {
        let turns = |scale: f64| self.turns.symmetries().map(move |symmetry| View { symmetry, scale });
        self.scales.iter().copied().flat_map(turns)
    }

    pub(super) fn scales(&self) -> &[f64] {
        &self.scales
    }

    /// Whether tiles are resized.
    pub(super) fn resizes(&self) -> bool {
        self.scales.iter().any(|scale| (scale - 1.0).abs() > f64::EPSILON)
    }

    pub(super) fn mirrors(&self) -> bool {
        self.turns != Turns::None
    }

    pub(super) fn mirrors_depth(&self) -> bool {
        self.turns == Turns::Mirrors
    }

    pub(super) fn exchanges(&self) -> bool {
        self.turns == Turns::Square
    }
}

impl Turns {
    fn symmetries(self) -> impl Iterator<Item = Symmetry> {
        let [no, yes] = [Mirror::No, Mirror::Yes];
        let flips = [(no, no), (no, yes), (yes, no), (yes, yes)];
        let (flips, slices, orders): (&[_], &[_], &[_]) = match self {
            Self::None => (&flips[..1], &[no], &[Order::Kept]),
            Self::Sideways => (&flips[..2], &[no], &[Order::Kept]),
            Self::Flips => (&flips, &[no], &[Order::Kept]),
            Self::Square => (&flips, &[no], &[Order::Kept, Order::Exchanged]),
            Self::Mirrors => (&flips, &[no, yes], &[Order::Kept]),
        };
        let turns = orders.iter().flat_map(|axes| slices.iter().map(move |slices| (*axes, *slices)));
        let all = turns.flat_map(|(axes, slices)| {
            flips.iter().map(move |(rows, columns)| Symmetry { slices, rows: *rows, columns: *columns, axes })
        });
        all.collect::<Vec<_>>().into_iter()
    }
}

impl FromStr for Augmentation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut augmentation = Self::none();
        let mut named = Vec::new();
        for part in text.split('+') {
            let (name, list) = part.split_once('=').map_or((part, None), |(name, list)| (name, Some(list)));
            let kind = if name == "scales" { "scales" } else { "turns" };
            if named.contains(&kind) {
                return Err(format!("expected {kind} once, got `{text}`"));
            }
            named.push(kind);
            match (name, list) {
                ("none", None) => {}
                ("hflip", None) => augmentation.turns = Turns::Sideways,
                ("flips", None) => augmentation.turns = Turns::Flips,
                ("d4", None) => augmentation.turns = Turns::Square,
                ("mirrors", None) => augmentation.turns = Turns::Mirrors,
                ("scales", Some(list)) => augmentation.scales = parse_scales(list)?,
                _ => return Err(format!("expected none, hflip, flips, d4, mirrors or scales=A,B,.., joined by +, got `{part}`")),
            }
        }
        Ok(augmentation)
    }
}

fn parse_scales(list: &str) -> Result<Vec<f64>, String> {
    let (smallest, largest) = Augmentation::SCALES;
    let scale = |text: &str| match text.parse::<f64>() {
        Ok(scale) if (smallest..=largest).contains(&scale) => Ok(scale),
        _ => Err(format!("expected scales from {smallest} to {largest}, got `{text}`")),
    };
    let scales = list.split(',').map(scale).collect::<Result<Vec<_>, _>>()?;
    match scales.iter().enumerate().find(|(place, scale)| scales[..*place].contains(scale)) {
        Some((_, twice)) => Err(format!("expected scales that differ, got {twice} twice")),
        None => Ok(scales),
    }
}

impl fmt::Display for Augmentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turns = match self.turns {
            Turns::None => None,
            Turns::Sideways => Some("hflip"),
            Turns::Flips => Some("flips"),
            Turns::Square => Some("d4"),
            Turns::Mirrors => Some("mirrors"),
        };
        let scales = self.scales.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        match (turns, self.scales == [1.0]) {
            (None, true) => f.write_str("none"),
            (Some(turns), true) => f.write_str(turns),
            (None, false) => write!(f, "scales={scales}"),
            (Some(turns), false) => write!(f, "{turns}+scales={scales}"),
        }
    }
}
