//! How many voxels a volume has.

use std::fmt;

/// How many voxels a volume has along its three storage axes; written `x x y x z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VolumeSize {
    /// Columns: the fastest axis, a plane's width.
    pub x: usize,
    /// Rows: a plane's height.
    pub y: usize,
    /// Planes: the slowest axis.
    pub z: usize,
}

impl VolumeSize {
    /// Voxels of a plane.
    #[must_use]
    pub fn plane(self) -> usize {
        self.x * self.y
    }

    /// Voxels of the volume.
    #[must_use]
    pub fn voxels(self) -> usize {
        self.plane() * self.z
    }
}

impl fmt::Display for VolumeSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {} x {}", self.x, self.y, self.z)
    }
}
