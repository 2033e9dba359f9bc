//! Keys of a lattice's vertices.

use super::vertices::{COORDINATES, Key};

/// How vertices of a lattice are told apart.
///
/// All coordinates of a vertex have the same remainder when they are divided by one more than there are dimensions. A key holds this remainder and,
/// of all coordinates but the last one, which follows, the quotients: counted from the least of them, so that the limit is how far points are from
/// each other, not where they are.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    dimensions: Key,
    /// The quotient of each coordinate that is 0 in keys.
    least: [i64; COORDINATES],
    /// What a key changes by where a coordinate's quotient does by 1; 0 for the last one.
    units: [Key; COORDINATES + 1],
    /// The same for all of them together.
    all: Key,
}

/// Of the remainder, which is at most [`COORDINATES`].
const REMAINDER_BITS: u32 = 4;

/// Most bits of a quotient: as many as its arithmetic has.
const MOST_BITS: u32 = 62;

/// Where a point is divided by as much, the quotients of the vertices around it are at most so much lower or higher, and so are those of their neighbours:
/// one half for rounding, and one each for rounding the other way, the vertex's remainder, and the step to a neighbour.
const MARGIN: i64 = 4;

impl Keys {
    /// Keys for all points whose coordinates on the lattice are from the first to the second of these; none if that is too far.
    pub(super) fn new(dimensions: usize, elevated: &[[f64; 2]]) -> Option<Self> {
        let bits = Self::bits(dimensions);
        let mut least = [0; COORDINATES];
        for (least, range) in least.iter_mut().zip(&elevated[..dimensions]) {
            let [lowest, highest] = range.map(|at| at / (dimensions + 1) as f64);
            *least = lowest.floor() as i64 - MARGIN;
            if highest.ceil() as i64 + MARGIN - *least >= 1 << bits {
                return None;
            }
        }
        let mut units = [0; COORDINATES + 1];
        units.iter_mut().take(dimensions).enumerate().for_each(|(i, unit)| *unit = 1 << (REMAINDER_BITS + bits * i as u32));
        Some(Self { dimensions: dimensions as Key, least, units, all: units.iter().sum() })
    }

    /// How far apart points may be in each of the lattice's coordinates, wherever they are.
    pub(super) fn most_apart(dimensions: usize) -> f64 {
        // Beside the margin, one for rounding down, one for rounding up, and one since the last number of so many bits is one less.
        ((1_i64 << Self::bits(dimensions)) - 2 * MARGIN - 3) as f64 * (dimensions + 1) as f64
    }

    fn bits(dimensions: usize) -> u32 {
        ((Key::BITS - REMAINDER_BITS) / dimensions as u32).min(MOST_BITS)
    }

    /// The key of a vertex without remainder that has these quotients.
    pub(super) fn of(&self, quotients: &[i64]) -> Key {
        let parts = quotients.iter().zip(&self.least).zip(&self.units);
        parts.map(|((quotient, least), unit)| (quotient - least) as Key * unit).sum()
    }

    /// The next vertex along an axis: there, the axis' own coordinate is as many lower as there are dimensions, and all others are one higher.
    pub(super) fn forwards(&self, key: Key, axis: usize) -> Key {
        if Self::remainder(key) < self.dimensions {
            key + 1 - self.units[axis]
        } else {
            key - self.dimensions + self.all - self.units[axis]
        }
    }

    /// The vertex before along an axis.
    pub(super) fn backwards(&self, key: Key, axis: usize) -> Key {
        if Self::remainder(key) > 0 { key - 1 + self.units[axis] } else { key + self.dimensions + self.units[axis] - self.all }
    }

    fn remainder(key: Key) -> Key {
        key & ((1 << REMAINDER_BITS) - 1)
    }
}
