//! One value per spatial axis.

use serde::{Deserialize, Serialize};

/// One value per spatial axis, slowest first. Planar networks keep `z` at its neutral value (1 for sizes and strides, 0 for padding).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Axes<T> {
    /// Along depth.
    pub z: T,
    /// Along height.
    pub y: T,
    /// Along width.
    pub x: T,
}

impl<T> Axes<T> {
    /// Applies `f` to the value of every axis.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Axes<U> {
        Axes { z: f(self.z), y: f(self.y), x: f(self.x) }
    }

    /// Pairs the values of two triples axis by axis.
    pub fn zip<U>(self, other: Axes<U>) -> Axes<(T, U)> {
        Axes { z: (self.z, other.z), y: (self.y, other.y), x: (self.x, other.x) }
    }

    /// The three values, slowest axis first.
    pub fn into_array(self) -> [T; 3] {
        [self.z, self.y, self.x]
    }

    /// From three values, slowest axis first.
    pub fn from_array([z, y, x]: [T; 3]) -> Self {
        Self { z, y, x }
    }
}

impl Axes<usize> {
    /// The same value in the plane, 1 along depth.
    #[must_use]
    pub fn plane(value: usize) -> Self {
        Self { z: 1, y: value, x: value }
    }

    /// The same value along all three axes.
    #[must_use]
    pub fn cube(value: usize) -> Self {
        Self { z: value, y: value, x: value }
    }

    /// The product of the three values.
    #[must_use]
    pub fn product(self) -> usize {
        self.z * self.y * self.x
    }
}

/// How many positions are added on either side of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Padding {
    /// Positions added before the first one.
    pub before: usize,
    /// Positions added after the last one.
    pub after: usize,
}

impl Padding {
    /// The same number on both sides.
    #[must_use]
    pub fn both(value: usize) -> Self {
        Self { before: value, after: value }
    }

    /// Before and after together.
    #[must_use]
    pub fn total(self) -> usize {
        self.before + self.after
    }
}

impl Axes<Padding> {
    /// The same padding on both sides in the plane, none along depth.
    #[must_use]
    pub fn plane_padding(value: usize) -> Self {
        Self { z: Padding::default(), y: Padding::both(value), x: Padding::both(value) }
    }

    /// Whether nothing is added anywhere.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}
