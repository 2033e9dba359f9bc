//! AVX-512F: 16 lanes, and masks for what is narrower.
#![expect(unsafe_code, reason = "vector instructions need it")]
#![expect(clippy::inline_always, reason = "an operation must become one instruction in a function compiled for AVX-512")]

use std::arch::x86_64::{
    __m512, __mmask16, _CMP_LT_OQ, _mm512_add_ps, _mm512_cmp_ps_mask, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_mul_ps,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_storeu_ps,
};

use super::simd::{Job, Simd};

/// Proof that the CPU has AVX-512F: [`Avx512::detect`] is the only way to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// The unit, if the CPU has it.
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(()))
    }
}

/// The lanes below `len`, which is less than 16.
#[inline(always)]
fn mask(len: usize) -> __mmask16 {
    (1 << len) - 1
}

impl Simd for Avx512 {
    type Vector = __m512;
    const LANES: usize = 16;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: `self` proves that the CPU has AVX-512F.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> __m512 {
        if from.len() >= Self::LANES {
            // SAFETY: `self` proves that the CPU has AVX-512F; `from` has 16 values.
            unsafe { _mm512_loadu_ps(from.as_ptr()) }
        } else {
            // SAFETY: `self` proves that the CPU has AVX-512F; lanes beyond `from` are masked off, which reads nothing.
            unsafe { _mm512_maskz_loadu_ps(mask(from.len()), from.as_ptr()) }
        }
    }

    #[inline(always)]
    fn store(self, vector: __m512, to: &mut [f32]) {
        if to.len() >= Self::LANES {
            // SAFETY: `self` proves that the CPU has AVX-512F; `to` has room for 16 values.
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), vector) }
        } else {
            // SAFETY: `self` proves that the CPU has AVX-512F; lanes beyond `to` are masked off, which writes nothing.
            unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), mask(to.len()), vector) }
        }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has AVX-512F.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has AVX-512F.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn clamp(self, value: __m512, low: __m512, high: __m512) -> __m512 {
        // The second operand is what `max` and `min` return if either is NaN.
        // SAFETY: `self` proves that the CPU has AVX-512F.
        unsafe { _mm512_min_ps(high, _mm512_max_ps(low, value)) }
    }

    #[inline(always)]
    fn leak(self, value: __m512, slope: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has AVX-512F.
        unsafe {
            let negative = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(value, _mm512_setzero_ps());
            _mm512_mask_mul_ps(value, negative, value, slope)
        }
    }

    fn vectorize(self, job: impl Job) {
        #[target_feature(enable = "avx512f")]
        fn run(simd: Avx512, job: impl Job) {
            job.run(simd);
        }
        // SAFETY: `self` proves that the CPU has AVX-512F.
        unsafe { run(self, job) }
    }
}
