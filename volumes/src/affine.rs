//! Where voxels lie.

use crate::{AxisCode, AxisCodes};

/// From voxel indices to millimetres: `[x, y, z] = matrix * [column, row, plane, 1]`, for the centre of a voxel. It can be inverted, and
/// all its numbers are finite; it may be oblique or sheared.
///
/// Unless said otherwise, millimetres count towards the patient's right, front and head (RAS, as in NIfTI).
///
/// ```
/// use swath_volumes::Affine;
///
/// let affine = Affine::new([[-2.0, 0.0, 0.0, 90.0], [0.0, 2.0, 0.0, -126.0], [0.0, 0.0, 3.0, -72.0]]).unwrap();
/// assert_eq!(affine.apply([1.0, 0.0, 0.0]), [88.0, -126.0, -72.0]);
/// assert_eq!(affine.orientation().to_string(), "LAS");
/// assert_eq!(affine.spacing(), [2.0, 2.0, 3.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    rows: [[f64; 4]; 3],
}

impl Affine {
    /// The affine with these first three rows; `None` if a number is not finite or the matrix cannot be inverted.
    #[must_use]
    pub fn new(rows: [[f64; 4]; 3]) -> Option<Self> {
        let finite = rows.iter().flatten().all(|value| value.is_finite());
        let affine = Self { rows };
        // Of unit columns: a small spacing is no reason to refuse.
        let spacing = affine.spacing();
        let units = rows.map(|row| [0, 1, 2].map(|axis| row[axis] / spacing[axis]));
        let invertible = determinant(&units).abs() > 1e-9;
        (finite && invertible).then_some(affine)
    }

    /// The four rows of the matrix; the last one is `[0, 0, 0, 1]`.
    #[must_use]
    pub fn matrix(&self) -> [[f64; 4]; 4] {
        let [x, y, z] = self.rows;
        [x, y, z, [0.0, 0.0, 0.0, 1.0]]
    }

    /// The first three rows of the matrix.
    #[must_use]
    pub fn rows(&self) -> [[f64; 4]; 3] {
        self.rows
    }

    /// A column of the matrix: the step from one voxel to the next along storage axis 0, 1 or 2, or the place of the first voxel for 3.
    ///
    /// # Panics
    /// If there is no such column.
    #[must_use]
    pub fn column(&self, column: usize) -> [f64; 3] {
        self.rows.map(|row| row[column])
    }

    /// Where a voxel's centre is.
    #[must_use]
    pub fn apply(&self, [x, y, z]: [f64; 3]) -> [f64; 3] {
        self.rows.map(|row| row[0] * x + row[1] * y + row[2] * z + row[3])
    }

    /// From millimetres to voxel indices.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let linear = self.rows.map(|row| [row[0], row[1], row[2]]);
        let inverse = inverted(&linear);
        let origin = self.column(3);
        Self { rows: inverse.map(|[a, b, c]| [a, b, c, -(a * origin[0] + b * origin[1] + c * origin[2])]) }
    }

    /// This affine after another one: from the other's indices, through what it maps them to, which are indices of this one.
    #[must_use]
    pub fn after(&self, first: &Self) -> Self {
        let first = first.matrix();
        let dot = |row: &[f64; 4], column: usize| (0..4).map(|k| row[k] * first[k][column]).sum();
        Self { rows: self.rows.map(|row| [0, 1, 2, 3].map(|column| dot(&row, column))) }
    }

    /// The same voxels in millimetres towards the patient's left, back (posterior) and head: LPS, as in DICOM and ITK. Also the way back.
    #[must_use]
    pub fn to_lps(&self) -> Self {
        let [x, y, z] = self.rows;
        Self { rows: [x.map(|v| -v), y.map(|v| -v), z] }
    }

    /// Distance between neighbouring voxels along each storage axis, in mm.
    #[must_use]
    pub fn spacing(&self) -> [f64; 3] {
        [0, 1, 2].map(|axis| {
            let [x, y, z] = self.column(axis);
            (x * x + y * y + z * z).sqrt()
        })
    }

    /// Distance between neighbouring planes of the third storage axis along their normal, in mm: less than the way from voxel to voxel where the
    /// volume is sheared.
    #[must_use]
    pub fn plane_distance(&self) -> f64 {
        let (x, y) = (self.column(0), self.column(1));
        let normal = [(1, 2), (2, 0), (0, 1)].map(|(u, v)| x[u] * y[v] - x[v] * y[u]);
        self.voxel_volume() / normal.iter().map(|part| part * part).sum::<f64>().sqrt()
    }

    /// Volume of a voxel in mm3.
    #[must_use]
    pub fn voxel_volume(&self) -> f64 {
        determinant(&self.rows.map(|row| [row[0], row[1], row[2]])).abs()
    }

    /// Whether the storage axes make a left-handed system, as a mirror image does.
    #[must_use]
    pub fn is_mirrored(&self) -> bool {
        determinant(&self.rows.map(|row| [row[0], row[1], row[2]])) < 0.0
    }

    /// The greatest cosine of the angle between two storage axes: 0 if they are perpendicular, more if the volume is sheared.
    #[must_use]
    pub fn shear(&self) -> f64 {
        let spacing = self.spacing();
        let cosine = |a: usize, b: usize| {
            let dot: f64 = self.rows.iter().map(|row| row[a] * row[b]).sum();
            (dot / (spacing[a] * spacing[b])).abs()
        };
        cosine(0, 1).max(cosine(0, 2)).max(cosine(1, 2))
    }

    /// Towards which side of the patient each storage axis goes, for the most part.
    ///
    /// As in nibabel (`io_orientation`): the rotation nearest to the unit columns, its axes named from the clearest to the least clear,
    /// each side pair once.
    #[must_use]
    pub fn orientation(&self) -> AxisCodes {
        let spacing = self.spacing();
        let mut rotation = nearest_rotation(self.rows.map(|row| [0, 1, 2].map(|axis| row[axis] / spacing[axis])));
        let mut axes = [0, 1, 2];
        let clearness = |axis: usize| rotation.iter().map(|row| row[axis] * row[axis]).fold(0.0, f64::max);
        axes.sort_by(|&a, &b| clearness(b).total_cmp(&clearness(a)));
        let mut codes = [AxisCode::Right; 3];
        for axis in axes {
            let mut side = 0;
            for candidate in 1..3 {
                if rotation[candidate][axis].abs() > rotation[side][axis].abs() {
                    side = candidate;
                }
            }
            codes[axis] = AxisCode::along(side, rotation[side][axis] >= 0.0);
            rotation[side] = [0.0; 3];
        }
        AxisCodes::new(codes).unwrap_or(AxisCodes::RAS)
    }
}

fn determinant([a, b, c]: &[[f64; 3]; 3]) -> f64 {
    a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0])
}

/// The inverse, by cofactors.
fn inverted(matrix: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let determinant = determinant(matrix);
    let mut inverse = [[0.0; 3]; 3];
    for (row, values) in inverse.iter_mut().enumerate() {
        for (column, value) in values.iter_mut().enumerate() {
            let at = |i: usize, j: usize| matrix[(column + i) % 3][(row + j) % 3];
            *value = (at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1)) / determinant;
        }
    }
    inverse
}

/// The orthogonal factor of the polar decomposition, by Newton's iteration `X <- (X + X^-T) / 2` (Higham 1986), which converges
/// quadratically for every matrix that can be inverted.
fn nearest_rotation(mut matrix: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    for _ in 0..64 {
        let inverse = inverted(&matrix);
        let mut change: f64 = 0.0;
        for row in 0..3 {
            for column in 0..3 {
                let next = f64::midpoint(matrix[row][column], inverse[column][row]);
                change = change.max((next - matrix[row][column]).abs());
                matrix[row][column] = next;
            }
        }
        if change < 1e-14 {
            break;
        }
    }
    matrix
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn affine() -> impl Strategy<Value = Affine> {
        prop::array::uniform3(prop::array::uniform4(-50.0..50.0_f64)).prop_filter_map("not invertible", |rows| {
            let affine = Affine::new(rows)?;
            (affine.voxel_volume() > 1.0).then_some(affine)
        })
    }

    proptest! {
        #[test]
        fn the_inverse_leads_back(affine in affine(), place in prop::array::uniform3(-9.0..9.0_f64)) {
            let back = affine.inverse().apply(affine.apply(place));
            let both = affine.inverse().after(&affine).apply(place);
            for axis in 0..3 {
                prop_assert!((back[axis] - place[axis]).abs() < 1e-6 && (both[axis] - place[axis]).abs() < 1e-6);
            }
        }

        #[test]
        fn lps_is_its_own_way_back(affine in affine()) {
            prop_assert_eq!(affine.to_lps().to_lps(), affine);
            let ([x, y, z], lps) = (affine.apply([1.0, 2.0, 3.0]), affine.to_lps().apply([1.0, 2.0, 3.0]));
            prop_assert!((lps[0] + x).abs() < 1e-9 && (lps[1] + y).abs() < 1e-9 && (lps[2] - z).abs() < 1e-9);
        }

        #[test]
        fn every_orientation_names_each_pair_once(affine in affine()) {
            let mut sides = affine.orientation().codes().map(AxisCode::axis);
            sides.sort_unstable();
            prop_assert_eq!(sides, [0, 1, 2]);
        }
    }

    #[test]
    fn what_cannot_be_inverted_is_none() {
        assert_eq!(Affine::new([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]), None);
        assert_eq!(Affine::new([[1.0, 0.0, 0.0, f64::NAN], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]), None);
        assert!(Affine::new([[1e-5, 0.0, 0.0, 0.0], [0.0, 1e-5, 0.0, 0.0], [0.0, 0.0, 1e-5, 0.0]]).is_some());
    }
}
