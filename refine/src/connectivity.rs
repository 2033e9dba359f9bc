//! Which pixels are neighbours.

use serde::{Deserialize, Serialize};

/// Which pixels of equal label belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connectivity {
    /// Those that share a face: 4 neighbours in a plane, 6 in a volume.
    #[default]
    Faces,
    /// Those that share an edge: 8 neighbours in a plane, 18 in a volume.
    Edges,
    /// Those that share a corner: 8 neighbours in a plane, 26 in a volume.
    Corners,
}

/// An earlier row whose runs may be connected with those of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EarlierRow {
    /// Slices back.
    pub(crate) slices: usize,
    /// Row in that slice, relative to the row's own.
    pub(crate) y: isize,
    /// How many columns apart pixels may be: 0 or 1.
    pub(crate) columns: usize,
}

impl Connectivity {
    /// The earlier rows that a row has neighbours in.
    pub(crate) fn earlier_rows(self) -> &'static [EarlierRow] {
        const fn row(slices: usize, y: isize, columns: usize) -> EarlierRow {
            EarlierRow { slices, y, columns }
        }
        match self {
            Self::Faces => const { &[row(0, -1, 0), row(1, 0, 0)] },
            Self::Edges => const { &[row(0, -1, 1), row(1, 0, 1), row(1, -1, 0), row(1, 1, 0)] },
            Self::Corners => const { &[row(0, -1, 1), row(1, 0, 1), row(1, -1, 1), row(1, 1, 1)] },
        }
    }

    /// Whether pixels of a plane that share only a corner belong together.
    pub(crate) fn is_diagonal(self) -> bool {
        self != Self::Faces
    }
}
