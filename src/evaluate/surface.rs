//! How far apart two surfaces of labelled voxels are.

/// How far it is from every voxel of a box to the nearest of some, squared: exactly, axis by axis (Felzenszwalb and Huttenlocher 2012, "Distance
/// transforms of sampled functions"). `spacing` is that along depth, height and width.
fn squared_distances(size: [usize; 3], spacing: [f64; 3], to: &[usize]) -> Vec<f32> {
    let mut squares = vec![f32::INFINITY; size.iter().product()];
    for at in to {
        squares[*at] = 0.0;
    }
    let strides = [size[1] * size[2], size[2], 1];
    for axis in 0..3 {
        let (length, stride) = (size[axis], strides[axis]);
        let mut line = Envelope::new(length, spacing[axis].powi(2));
        // Every line starts where the axis is at 0.
        for start in (0..squares.len()).filter(|at| at / stride % length == 0) {
            line.transform(&mut squares, start, stride);
        }
    }
    squares
}

/// The lower envelope of parabolas, one over each voxel of a line.
struct Envelope {
    /// The square of the voxels' distance.
    scale: f64,
    values: Vec<f64>,
    /// Places of the parabolas that are lowest somewhere, from left to right.
    lowest: Vec<usize>,
    /// From where on each of them is.
    from: Vec<f64>,
}

impl Envelope {
    fn new(length: usize, scale: f64) -> Self {
        Self { scale, values: vec![0.0; length], lowest: Vec::with_capacity(length), from: Vec::with_capacity(length) }
    }

    fn transform(&mut self, squares: &mut [f32], start: usize, stride: usize) {
        let Self { scale, values, lowest, from } = self;
        lowest.clear();
        from.clear();
        for (at, value) in values.iter_mut().enumerate() {
            *value = f64::from(squares[start + at * stride]);
        }
        let square = |at: usize| (at * at) as f64 * *scale;
        for at in (0..values.len()).filter(|at| values[*at].is_finite()) {
            // Where this parabola becomes the lowest one.
            let mut begins = f64::NEG_INFINITY;
            while let (Some(last), Some(first)) = (lowest.last().copied(), from.last().copied()) {
                let meets = (values[at] + square(at) - values[last] - square(last)) / (2.0 * *scale * (at - last) as f64);
                if meets > first {
                    begins = meets;
                    break;
                }
                lowest.pop();
                from.pop();
            }
            lowest.push(at);
            from.push(begins);
        }
        if lowest.is_empty() {
            return;
        }
        let mut parabola = 0;
        for at in 0..values.len() {
            while from.get(parabola + 1).is_some_and(|begins| *begins < at as f64) {
                parabola += 1;
            }
            let own = lowest[parabola];
            squares[start + at * stride] = (values[own] + square(at.abs_diff(own))) as f32;
        }
    }
}

/// Distances from each voxel of one surface to the nearest one of another, in the unit of `spacing`, from the smallest to the largest; infinite where
/// the other has none.
pub(super) fn distances(size: [usize; 3], spacing: [f64; 3], from: &[usize], to: &[usize]) -> Vec<f32> {
    let squares = squared_distances(size, spacing, to);
    let mut distances: Vec<f32> = from.iter().map(|at| squares[*at].sqrt()).collect();
    distances.sort_unstable_by(f32::total_cmp);
    distances
}

/// A quantile of sorted numbers, interpolated linearly between two of them; none of no numbers.
pub(super) fn quantile(sorted: &[f32], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (f64::from(sorted[place.floor() as usize]), f64::from(sorted[place.ceil() as usize]));
    // Infinity times 0 is no number.
    Some(if low.total_cmp(&high).is_eq() { low } else { low + (high - low) * place.fract() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn distances_are_those_to_the_nearest(
            size in prop::array::uniform3(1usize..7),
            spacing in prop::array::uniform3(0.3..4.0_f64),
            seeds in prop::collection::vec(0usize..400, 1..6),
        ) {
            let area: usize = size.iter().product();
            let to: Vec<usize> = seeds.into_iter().map(|seed| seed % area).collect();
            let place = |at: usize| [at / size[2] / size[1], at / size[2] % size[1], at % size[2]];
            let distance = |a: usize, b: usize| {
                let (a, b) = (place(a), place(b));
                (0..3).map(|axis| (a[axis].abs_diff(b[axis]) as f64 * spacing[axis]).powi(2)).sum::<f64>()
            };
            for (at, got) in squared_distances(size, spacing, &to).into_iter().enumerate() {
                let nearest = to.iter().map(|to| distance(at, *to)).fold(f64::INFINITY, f64::min);
                prop_assert!((f64::from(got) - nearest).abs() <= 1e-5 * nearest, "{got} for {nearest}");
            }
        }
    }

    #[test]
    fn quantiles_lie_between() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), Some(3.0));
        assert_eq!(quantile(&[f32::INFINITY; 3], 0.95), Some(f64::INFINITY));
    }
}
