//! What the kernels need of a vector unit.

use super::bf16::Bf16;

/// A vector unit that the machine has: a value of the type is the proof, so that its operations are safe to call.
///
/// All methods are `#[inline(always)]`: they become single instructions once they are inlined into [`Simd::vectorize`], which is compiled for the
/// unit. Hot code must run inside it.
pub(crate) trait Simd: Copy + Send + Sync {
    /// A register of [`Simd::LANES`] values.
    type Vector: Copy;
    /// A register with a pair of 16-bit values in each of [`Simd::LANES`] lanes.
    type Pairs: Copy;
    /// Values per register.
    const LANES: usize;

    /// `value` in every lane.
    fn splat(self, value: f32) -> Self::Vector;

    /// The first [`Simd::LANES`] values of `from`; zeros where it is shorter.
    fn load(self, from: &[f32]) -> Self::Vector;

    /// Stores the lanes that `to` has room for.
    fn store(self, vector: Self::Vector, to: &mut [f32]);

    /// The first [`Simd::LANES`] values of `from`, widened; zeros where it is shorter.
    fn load_bf16(self, from: &[Bf16]) -> Self::Vector;

    /// Stores the nearest 16-bit values of the lanes that `to` has room for; see [`Bf16::new`].
    fn store_bf16(self, vector: Self::Vector, to: &mut [Bf16]);

    /// `pair` in every lane.
    fn splat_pair(self, pair: [Bf16; 2]) -> Self::Pairs;

    /// The first [`Simd::LANES`] pairs of `from`, which has so many.
    fn load_pairs(self, from: &[[Bf16; 2]]) -> Self::Pairs;

    /// `a + b`
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a - b`
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a * b`
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a * b + c`, rounded once where the unit can.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;

    /// `c - a * b`, rounded once where the unit can.
    fn neg_mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;

    /// `a[0] * b[0] + (a[1] * b[1] + c)` in every lane.
    fn dot(self, a: Self::Pairs, b: Self::Pairs, c: Self::Vector) -> Self::Vector;

    /// `min(max(value, low), high)`; NaN stays NaN.
    fn clamp(self, value: Self::Vector, low: Self::Vector, high: Self::Vector) -> Self::Vector;

    /// `value` where it is not negative, `slope * value` elsewhere.
    fn leak(self, value: Self::Vector, slope: Self::Vector) -> Self::Vector;

    /// Runs `job` in a function compiled for this unit.
    fn vectorize(self, job: impl Job);
}

/// Something to run inside [`Simd::vectorize`].
pub(crate) trait Job {
    /// Does the work. Implementations are `#[inline(always)]`, or they would be compiled for the least machine of the target.
    fn run<S: Simd>(self, simd: S);
}
