//! The one-dimensional transforms of Winograd's F(m, 3): m outputs of a three-tap filter from m + 2 products (Lavin & Gray 2016, "Fast Algorithms
//! for Convolutional Neural Networks", arXiv 1509.09308; Toom-Cook with the points below).
#![expect(clippy::inline_always, reason = "the transforms must be compiled for the vector unit that runs them")]

use super::simd::Simd;

/// A transform on the way into the planes.
pub(super) trait Inward<const INPUTS: usize>: Copy + Send + Sync {
    /// `Bᵀ d`, or another matrix times `d`.
    fn input<S: Simd>(self, simd: S, d: [S::Vector; INPUTS]) -> [S::Vector; INPUTS];
}

/// The transforms for `OUTPUTS` outputs, from `INPUTS` inputs and as many products.
pub(super) trait Transform<const OUTPUTS: usize, const INPUTS: usize>: Inward<INPUTS> {
    /// `Aᵀ m`
    fn output<S: Simd>(self, simd: S, m: [S::Vector; INPUTS]) -> [S::Vector; OUTPUTS];

    /// `G g` in every lane
    fn filter<const LANES: usize>(self, g: [[f64; LANES]; 3]) -> [[f64; LANES]; INPUTS];
}

/// F(2, 3) with the points 0, ±1 and infinity.
#[derive(Clone, Copy, Debug)]
pub(super) struct F2;

/// F(4, 3). The textbook's points 0, ±1, ±2 and infinity would save two multiplications and lose three times the accuracy.
#[derive(Clone, Copy, Debug)]
pub(super) struct F4;

/// Interpolation happens at 0, ±`P`, ±`Q` and infinity.
const P: f32 = 0.625;
/// See [`P`].
const Q: f32 = 1.5;
const P2: f32 = P * P;
const Q2: f32 = Q * Q;

impl Inward<4> for F2 {
    #[inline(always)]
    fn input<S: Simd>(self, simd: S, d: [S::Vector; 4]) -> [S::Vector; 4] {
        [simd.sub(d[0], d[2]), simd.add(d[1], d[2]), simd.sub(d[2], d[1]), simd.sub(d[1], d[3])]
    }
}

impl Transform<2, 4> for F2 {
    #[inline(always)]
    fn output<S: Simd>(self, simd: S, m: [S::Vector; 4]) -> [S::Vector; 2] {
        [simd.add(simd.add(m[0], m[1]), m[2]), simd.sub(simd.sub(m[1], m[2]), m[3])]
    }

    #[inline(always)]
    fn filter<const LANES: usize>(self, g: [[f64; LANES]; 3]) -> [[f64; LANES]; 4] {
        let at = |sign: f64| each(|lane| (g[0][lane] + g[2][lane]) * 0.5 + sign * (g[1][lane] * 0.5));
        [g[0], at(1.0), at(-1.0), g[2]]
    }
}

impl Inward<6> for F4 {
    #[inline(always)]
    fn input<S: Simd>(self, simd: S, d: [S::Vector; 6]) -> [S::Vector; 6] {
        let (p, q, p2, q2) = (simd.splat(P), simd.splat(Q), simd.splat(P2), simd.splat(Q2));
        let (product, sum) = (simd.splat(P2 * Q2), simd.splat(P2 + Q2));
        let (p_even, p_odd) = (simd.neg_mul_add(q2, d[2], d[4]), simd.neg_mul_add(q2, d[1], d[3]));
        let (q_even, q_odd) = (simd.neg_mul_add(p2, d[2], d[4]), simd.neg_mul_add(p2, d[1], d[3]));
        [
            simd.mul_add(product, d[0], simd.neg_mul_add(sum, d[2], d[4])),
            simd.mul_add(p, p_odd, p_even),
            simd.neg_mul_add(p, p_odd, p_even),
            simd.mul_add(q, q_odd, q_even),
            simd.neg_mul_add(q, q_odd, q_even),
            simd.mul_add(product, d[1], simd.neg_mul_add(sum, d[3], d[5])),
        ]
    }
}

/// The transposes of the transforms of [`F4`], which lead the gradient of the outputs to that of the weights.
#[derive(Clone, Copy, Debug)]
pub(super) struct F4Transposed;

impl Inward<6> for F4Transposed {
    /// `A d`, where only the first four of `d` are outputs.
    #[inline(always)]
    fn input<S: Simd>(self, simd: S, d: [S::Vector; 6]) -> [S::Vector; 6] {
        let (p, q, p2, q2) = (simd.splat(P), simd.splat(Q), simd.splat(P2), simd.splat(Q2));
        let (p_even, p_odd) = (simd.mul_add(p2, d[2], d[0]), simd.mul_add(p2, d[3], d[1]));
        let (q_even, q_odd) = (simd.mul_add(q2, d[2], d[0]), simd.mul_add(q2, d[3], d[1]));
        [
            d[0],
            simd.mul_add(p, p_odd, p_even),
            simd.neg_mul_add(p, p_odd, p_even),
            simd.mul_add(q, q_odd, q_even),
            simd.neg_mul_add(q, q_odd, q_even),
            d[3],
        ]
    }
}

impl F4Transposed {
    /// `Gᵀ u` in every lane
    #[inline(always)]
    pub(super) fn filter<const LANES: usize>(u: [[f64; LANES]; 6]) -> [[f64; LANES]; 3] {
        let (p, q) = (f64::from(P), f64::from(Q));
        let norms = [p * p * q * q, 2.0 * p * p * (p * p - q * q), 2.0 * q * q * (q * q - p * p)].map(|norm| 1.0 / norm);
        let pair =
            |at: usize, norm: f64, sign: f64| -> [f64; LANES] { each(|lane| (u[at][lane] + sign * u[at + 1][lane]) * norm) };
        let (p_sum, p_difference) = (pair(1, norms[1], 1.0), pair(1, norms[1], -1.0));
        let (q_sum, q_difference) = (pair(3, norms[2], 1.0), pair(3, norms[2], -1.0));
        [
            each(|lane| u[0][lane] * norms[0] + p_sum[lane] + q_sum[lane]),
            each(|lane| p * p_difference[lane] + q * q_difference[lane]),
            each(|lane| p * p * p_sum[lane] + q * q * q_sum[lane] + u[5][lane]),
        ]
    }
}

impl Transform<4, 6> for F4 {
    #[inline(always)]
    fn output<S: Simd>(self, simd: S, m: [S::Vector; 6]) -> [S::Vector; 4] {
        let (p, q, p2, q2) = (simd.splat(P), simd.splat(Q), simd.splat(P2), simd.splat(Q2));
        let (p3, q3) = (simd.splat(P2 * P), simd.splat(Q2 * Q));
        let (p_sum, p_difference) = (simd.add(m[1], m[2]), simd.sub(m[1], m[2]));
        let (q_sum, q_difference) = (simd.add(m[3], m[4]), simd.sub(m[3], m[4]));
        [
            simd.add(simd.add(m[0], p_sum), q_sum),
            simd.mul_add(q, q_difference, simd.mul(p, p_difference)),
            simd.mul_add(q2, q_sum, simd.mul(p2, p_sum)),
            simd.mul_add(q3, q_difference, simd.mul_add(p3, p_difference, m[5])),
        ]
    }

    #[inline(always)]
    fn filter<const LANES: usize>(self, g: [[f64; LANES]; 3]) -> [[f64; LANES]; 6] {
        let (p, q) = (f64::from(P), f64::from(Q));
        let at = |x: f64, norm: f64| each(|lane| (g[0][lane] + x * g[1][lane] + x * x * g[2][lane]) / norm);
        let (p_norm, q_norm) = (2.0 * p * p * (p * p - q * q), 2.0 * q * q * (q * q - p * p));
        [at(0.0, p * p * q * q), at(p, p_norm), at(-p, p_norm), at(q, q_norm), at(-q, q_norm), g[2]]
    }
}

/// A value for every lane.
#[inline(always)]
fn each<const LANES: usize>(f: impl Fn(usize) -> f64) -> [f64; LANES] {
    let mut result = [0.0; LANES];
    for (lane, value) in result.iter_mut().enumerate() {
        *value = f(lane);
    }
    result
}

/// Rows become columns.
#[inline(always)]
pub(super) fn transpose<V: Copy, const ROWS: usize, const COLUMNS: usize>(from: &[[V; COLUMNS]; ROWS]) -> [[V; ROWS]; COLUMNS] {
    let mut to = [[from[0][0]; ROWS]; COLUMNS];
    for (y, row) in from.iter().enumerate() {
        for (x, &value) in row.iter().enumerate() {
            to[x][y] = value;
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::{super::portable::Portable, F2, F4, Transform};

    fn check<const OUTPUTS: usize, const INPUTS: usize>(transform: impl Transform<OUTPUTS, INPUTS>) {
        let (data, taps) = ([0.3_f32, -1.0, 0.7, 0.2, -0.4, 0.9], [0.5, -0.25, 1.5]);
        let transformed = transform.input(Portable, std::array::from_fn(|i| [data[i]; 4]));
        let filter = transform.filter(taps.map(|tap| [tap])).map(|[value]| value);
        let products: [[f32; 4]; INPUTS] =
            std::array::from_fn(|i| transformed[i].map(|value| (f64::from(value) * filter[i]) as f32));
        for (at, got) in transform.output(Portable, products).into_iter().enumerate() {
            let expected: f64 = (0..3).map(|tap| f64::from(data[at + tap]) * taps[tap]).sum();
            assert!((f64::from(got[0]) - expected).abs() < 1e-6, "{at}: expected {expected}, got {}", got[0]);
        }
    }

    #[test]
    fn the_transforms_together_are_a_filter() {
        check(F2);
        check(F4);
    }
}
