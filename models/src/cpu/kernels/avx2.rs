//! AVX2 with FMA: 8 lanes.
#![expect(unsafe_code, reason = "vector instructions need it")]
#![expect(clippy::inline_always, reason = "an operation must become one instruction in a function compiled for AVX2")]

use std::arch::x86_64::{
    __m256, __m256i, _CMP_LT_OQ, _mm256_add_ps, _mm256_blendv_ps, _mm256_cmp_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_maskload_ps, _mm256_maskstore_ps, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_storeu_ps,
};

use super::simd::{Job, Simd};

/// Proof that the CPU has AVX2 and FMA: [`Avx2::detect`] is the only way to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// The unit, if the CPU has it.
    pub(super) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

/// The lanes below `len`, which is at most 8.
#[inline(always)]
fn mask(_proof: Avx2, len: usize) -> __m256i {
    const ONES_THEN_ZEROS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    let lanes = &ONES_THEN_ZEROS[8 - len..][..8];
    // SAFETY: the argument proves that the CPU has AVX2; `lanes` has 8 values, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) }
}

impl Simd for Avx2 {
    type Vector = __m256;
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> __m256 {
        if from.len() >= Self::LANES {
            // SAFETY: `self` proves that the CPU has AVX2; `from` has 8 values.
            unsafe { _mm256_loadu_ps(from.as_ptr()) }
        } else {
            // SAFETY: `self` proves that the CPU has AVX2; lanes beyond `from` are masked off, which reads nothing.
            unsafe { _mm256_maskload_ps(from.as_ptr(), mask(self, from.len())) }
        }
    }

    #[inline(always)]
    fn store(self, vector: __m256, to: &mut [f32]) {
        if to.len() >= Self::LANES {
            // SAFETY: `self` proves that the CPU has AVX2; `to` has room for 8 values.
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), vector) }
        } else {
            // SAFETY: `self` proves that the CPU has AVX2; lanes beyond `to` are masked off, which writes nothing.
            unsafe { _mm256_maskstore_ps(to.as_mut_ptr(), mask(self, to.len()), vector) }
        }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has FMA.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn clamp(self, value: __m256, low: __m256, high: __m256) -> __m256 {
        // The second operand is what `max` and `min` return if either is NaN.
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { _mm256_min_ps(high, _mm256_max_ps(low, value)) }
    }

    #[inline(always)]
    fn leak(self, value: __m256, slope: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe {
            let negative = _mm256_cmp_ps::<_CMP_LT_OQ>(value, _mm256_setzero_ps());
            _mm256_blendv_ps(value, _mm256_mul_ps(value, slope), negative)
        }
    }

    fn vectorize(self, job: impl Job) {
        #[target_feature(enable = "avx2,fma")]
        fn run(simd: Avx2, job: impl Job) {
            job.run(simd);
        }
        // SAFETY: `self` proves that the CPU has AVX2 and FMA.
        unsafe { run(self, job) }
    }
}
