//! What the kernels need of a vector unit.

/// A vector unit that the machine has: a value of the type is the proof, so that its operations are safe to call.
///
/// All methods are `#[inline(always)]`: they become single instructions once they are inlined into [`Simd::vectorize`], which is compiled for the
/// unit. Hot code must run inside it.
pub(super) trait Simd: Copy + Send + Sync {
    /// A register of [`Simd::LANES`] values.
    type Vector: Copy;
    /// Values per register.
    const LANES: usize;

    /// `value` in every lane.
    fn splat(self, value: f32) -> Self::Vector;

    /// The first [`Simd::LANES`] values of `from`; zeros where it is shorter.
    fn load(self, from: &[f32]) -> Self::Vector;

    /// Stores the lanes that `to` has room for.
    fn store(self, vector: Self::Vector, to: &mut [f32]);

    /// `a + b`
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a * b + c`, rounded once where the unit can.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;

    /// `min(max(value, low), high)`; NaN stays NaN.
    fn clamp(self, value: Self::Vector, low: Self::Vector, high: Self::Vector) -> Self::Vector;

    /// `value` where it is not negative, `slope * value` elsewhere.
    fn leak(self, value: Self::Vector, slope: Self::Vector) -> Self::Vector;

    /// Runs `job` in a function compiled for this unit.
    fn vectorize(self, job: impl Job);
}

/// Something to run inside [`Simd::vectorize`].
pub(super) trait Job {
    /// Does the work. Implementations are `#[inline(always)]`, or they would be compiled for the least machine of the target.
    fn run<S: Simd>(self, simd: S);
}
