//! Positions along one axis of two grids that cover the same ground.

/// One axis of a volume, and the same axis with another number of voxels: both cover the same length, and the centre of voxel `i` of `to` lies at
/// `(i + 1/2) from / to - 1/2` of the voxels of `from`, as `skimage.transform.resize` and nnU-Net have it. Beyond the outer centres the outer voxels
/// go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Voxels that there are.
    pub(crate) from: usize,
    /// Voxels that are wanted.
    pub(crate) to: usize,
}

/// The two voxels between which a position lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Taps {
    pub(super) low: usize,
    pub(super) high: usize,
    /// How much the higher one counts, 0 to 1.
    pub(super) weight: f32,
}

impl Line {
    /// As many voxels as there are, at another distance: rounded half to even, and at least one.
    pub(super) fn respaced(from: usize, spacing: f64, wanted: f64) -> Self {
        Self { from, to: ((spacing / wanted * from as f64).round_ties_even() as usize).max(1) }
    }

    /// The way back.
    pub(super) fn reversed(self) -> Self {
        Self { from: self.to, to: self.from }
    }

    /// Whether nothing changes.
    pub(super) fn is_same(self) -> bool {
        self.from == self.to
    }

    /// Where a wanted voxel lies.
    pub(super) fn taps(self, at: usize) -> Taps {
        let place = (at as f64 + 0.5) * self.from as f64 / self.to as f64 - 0.5;
        let place = place.clamp(0.0, (self.from - 1) as f64);
        let low = place.floor() as usize;
        let weight = (place - low as f64) as f32;
        // What does not count is not looked at: it may be no number.
        Taps { low, high: if weight > 0.0 { low + 1 } else { low }, weight }
    }

    /// The nearest voxel that there is; of two, the later one.
    pub(crate) fn nearest(self, at: usize) -> usize {
        // The centre in halves of a wanted voxel: whole numbers throughout.
        ((2 * at + 1) * self.from / (2 * self.to)).min(self.from - 1)
    }

    /// The nearest voxel of each wanted one, as taps.
    pub(super) fn all_nearest(self) -> Vec<Taps> {
        (0..self.to).map(|at| self.nearest(at)).map(|at| Taps { low: at, high: at, weight: 0.0 }).collect()
    }

    /// The taps of all wanted voxels.
    pub(super) fn all(self) -> Vec<Taps> {
        (0..self.to).map(|at| self.taps(at)).collect()
    }
}

/// A plane `(height, width)` with other numbers of rows and columns, by linear interpolation.
pub(super) fn resize(out: &mut [f32], plane: &[f32], rows: &[Taps], columns: &[Taps], width: usize) {
    let mut line = vec![0.0; width];
    for (out, Taps { low, high, weight }) in out.chunks_exact_mut(columns.len()).zip(rows) {
        let [low, high] = [low, high].map(|row| &plane[row * width..(row + 1) * width]);
        mix(&mut line, low, high, *weight);
        for (out, Taps { low, high, weight }) in out.iter_mut().zip(columns) {
            *out = line[*low] + weight * (line[*high] - line[*low]);
        }
    }
}

/// `low + weight (high - low)`, value by value.
pub(super) fn mix(out: &mut [f32], low: &[f32], high: &[f32], weight: f32) {
    if weight == 0.0 {
        return out.copy_from_slice(low);
    }
    for ((out, low), high) in out.iter_mut().zip(low).zip(high) {
        *out = low + weight * (high - low);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_grids_cover_the_same_length() {
        let line = Line { from: 3, to: 6 };
        let places: Vec<f32> = line.all().iter().map(|taps| taps.low as f32 + taps.weight).collect();
        assert_eq!(places, [0.0, 0.25, 0.75, 1.25, 1.75, 2.0]);
        assert_eq!((0..6).map(|at| line.nearest(at)).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2]);
        let line = line.reversed();
        let places: Vec<f32> = line.all().iter().map(|taps| taps.low as f32 + taps.weight).collect();
        assert_eq!(places, [0.5, 2.5, 4.5]);
        assert_eq!(Line { from: 1, to: 4 }.all(), [Taps { low: 0, high: 0, weight: 0.0 }; 4]);
    }

    #[test]
    fn lengths_are_rounded_half_to_even() {
        assert_eq!(Line::respaced(5, 1.5, 3.0).to, 2);
        assert_eq!(Line::respaced(7, 1.5, 3.0).to, 4);
        assert_eq!(Line::respaced(1, 0.1, 3.0).to, 1);
    }
}
