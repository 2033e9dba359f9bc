//! Where the voxels of a NIfTI file lie.

use std::path::Path;

use super::NiftiVersion;
use super::fields::Field;
use super::header::NiftiHeader;
use crate::{Affine, Error, Result, VolumeSize, Warning};

impl NiftiHeader {
    /// From voxel indices to RAS millimetres: the sform if it has a code, else the qform if that has one, else one made up of the
    /// voxels' size (methods 3, 2 and 1 of `nifti1.h`; the last as in nibabel).
    pub(crate) fn affine(&self, path: &Path, size: VolumeSize, warnings: &mut Vec<Warning>) -> Result<Affine> {
        // The lowest three bits of `xyzt_units`: 1 is metres, 2 millimetres, 3 micrometres.
        match self.field(Field::Units) as u32 & 7 {
            1 => warnings.push(Warning::Unit { unit: "metres" }),
            3 => warnings.push(Warning::Unit { unit: "micrometres" }),
            _ => {}
        }
        let (field, rows) = if self.has_code(Field::SformCode) {
            ("sform", [0, 1, 2].map(|row| [0, 1, 2, 3].map(|column| self.field(Field::Srow(row, column)))))
        } else if self.has_code(Field::QformCode) {
            ("qform", self.qform(path)?)
        } else {
            warnings.push(Warning::NoOrientation);
            ("pixdim", self.made_up(size))
        };
        Affine::new(rows).ok_or_else(|| {
            let expected = "finite numbers that can be inverted";
            Error::Field { path: path.into(), field, expected, got: format!("{rows:?}") }
        })
    }

    /// Codes that the standard does not have count as 0.
    fn has_code(&self, field: Field) -> bool {
        (1.0..=5.0).contains(&self.field(field))
    }

    /// Size of a voxel. As in nibabel, signs are dropped and 0 counts as 1.
    fn spacing(&self) -> [f64; 3] {
        [1, 2, 3].map(|axis| match self.field(Field::Pixdim(axis)).abs() {
            0.0 => 1.0,
            length => length,
        })
    }

    /// The rotation of the quaternion, the voxels' size, and the offset: method 2 of `nifti1.h`.
    fn qform(&self, path: &Path) -> Result<[[f64; 4]; 3]> {
        let vector = [0, 1, 2].map(|axis| self.field(Field::Quatern(axis)));
        let rest = 1.0 - vector.iter().map(|part| part * part).sum::<f64>();
        let threshold = match self.version() {
            NiftiVersion::One => 3.0 * f64::from(f32::EPSILON),
            NiftiVersion::Two => 3.0 * f64::EPSILON,
        };
        let scalar = if rest.abs() < threshold {
            0.0
        } else if rest > 0.0 {
            rest.sqrt()
        } else {
            let expected = "a quaternion no longer than 1";
            return Err(Error::Field { path: path.into(), field: "qform", expected, got: format!("{vector:?}") });
        };
        let rotation = rotation(scalar, vector);
        let spacing = self.spacing();
        let side = match self.field(Field::Pixdim(0)) {
            -1.0 => -1.0,
            _ => 1.0,
        };
        Ok([0, 1, 2].map(|row| {
            let [x, y, z] = [0, 1, 2].map(|axis| rotation[row][axis] * spacing[axis]);
            [x, y, z * side, self.field(Field::Qoffset(row))]
        }))
    }

    /// The voxels' size, with the middle of the volume at 0 and x towards the left.
    fn made_up(&self, size: VolumeSize) -> [[f64; 4]; 3] {
        let [x, y, z] = self.spacing();
        let middle = [size.x, size.y, size.z].map(|length| (length as f64 - 1.0) / 2.0);
        [[-x, 0.0, 0.0, x * middle[0]], [0.0, y, 0.0, -y * middle[1]], [0.0, 0.0, z, -z * middle[2]]]
    }
}

/// The rotation of a quaternion.
fn rotation(a: f64, [b, c, d]: [f64; 3]) -> [[f64; 3]; 3] {
    let scale = 2.0 / (a * a + b * b + c * c + d * d);
    [
        [1.0 - scale * (c * c + d * d), scale * (b * c - a * d), scale * (b * d + a * c)],
        [scale * (b * c + a * d), 1.0 - scale * (b * b + d * d), scale * (c * d - a * b)],
        [scale * (b * d - a * c), scale * (c * d + a * b), 1.0 - scale * (b * b + c * c)],
    ]
}
