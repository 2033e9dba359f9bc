//! The one-dimensional transforms of Winograd's F(4, 3): four outputs of a three-tap filter from six products (Lavin & Gray 2016, "Fast Algorithms
//! for Convolutional Neural Networks"; Toom-Cook with the points below).
//!
//! The textbook's points 0, ±1, ±2 and infinity would save two multiplications and lose three times the accuracy.
#![expect(clippy::inline_always, reason = "the transforms must be compiled for the vector unit that runs them")]

use super::simd::Simd;

/// Outputs per transform.
pub(super) const OUTPUTS: usize = 4;
/// Inputs per transform, and products.
pub(super) const INPUTS: usize = OUTPUTS + 2;

/// Interpolation happens at 0, ±`P`, ±`Q` and infinity.
const P: f32 = 0.625;
/// See [`P`].
const Q: f32 = 1.5;
const P2: f32 = P * P;
const Q2: f32 = Q * Q;

/// `Bᵀ d`
#[inline(always)]
pub(super) fn input<S: Simd>(simd: S, d: [S::Vector; INPUTS]) -> [S::Vector; INPUTS] {
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

/// `Aᵀ m`
#[inline(always)]
pub(super) fn output<S: Simd>(simd: S, m: [S::Vector; INPUTS]) -> [S::Vector; OUTPUTS] {
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

/// `G g`
pub(super) fn filter(g: [f64; 3]) -> [f64; INPUTS] {
    let (p, q) = (f64::from(P), f64::from(Q));
    let at = |x: f64, norm: f64| (g[0] + x * g[1] + x * x * g[2]) / norm;
    let (p_norm, q_norm) = (2.0 * p * p * (p * p - q * q), 2.0 * q * q * (q * q - p * p));
    [at(0.0, p * p * q * q), at(p, p_norm), at(-p, p_norm), at(q, q_norm), at(-q, q_norm), g[2]]
}

#[cfg(test)]
mod tests {
    use super::{super::portable::Portable, INPUTS, OUTPUTS, filter, input, output};

    #[test]
    fn the_transforms_together_are_a_filter() {
        let (data, taps) = ([0.3_f32, -1.0, 0.7, 0.2, -0.4, 0.9], [0.5, -0.25, 1.5]);
        let transformed = input(Portable, data.map(|value| [value; 4]));
        let filter = filter(taps);
        let products: [[f32; 4]; INPUTS] =
            std::array::from_fn(|i| transformed[i].map(|value| (f64::from(value) * filter[i]) as f32));
        for (at, got) in output(Portable, products).into_iter().enumerate().take(OUTPUTS) {
            let expected: f64 = (0..3).map(|tap| f64::from(data[at + tap]) * taps[tap]).sum();
            assert!((f64::from(got[0]) - expected).abs() < 1e-6, "{at}: expected {expected}, got {}", got[0]);
        }
    }
}
