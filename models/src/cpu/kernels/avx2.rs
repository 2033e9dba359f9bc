//! AVX2 with FMA: 8 lanes.
#![expect(unsafe_code, reason = "vector instructions need it")]
#![expect(clippy::inline_always, reason = "an operation must become one instruction in a function compiled for AVX2")]

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _CMP_LT_OQ, _CMP_UNORD_Q, _mm_loadu_si128, _mm_storeu_si128, _mm256_add_epi32, _mm256_add_ps,
    _mm256_and_si256, _mm256_blendv_ps, _mm256_castps_si256, _mm256_castsi256_ps, _mm256_castsi256_si128, _mm256_cmp_ps,
    _mm256_cvtepu16_epi32, _mm256_fmadd_ps, _mm256_fnmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_maskload_ps,
    _mm256_maskstore_ps, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_or_ps, _mm256_packus_epi32,
    _mm256_permute4x64_epi64, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_slli_epi32, _mm256_srli_epi32,
    _mm256_storeu_ps, _mm256_sub_ps,
};

use super::{
    bf16::Bf16,
    simd::{Job, Simd},
};

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
    type Pairs = __m256i;
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
    fn load_bf16(self, from: &[Bf16]) -> __m256 {
        let mut padded = [Bf16::default(); 8];
        let from = from.first_chunk().unwrap_or_else(|| {
            padded[..from.len()].copy_from_slice(from);
            &padded
        });
        // SAFETY: `self` proves that the CPU has AVX2; `from` has 8 values of 16 bits.
        unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(_mm_loadu_si128(from.as_ptr().cast())))) }
    }

    #[inline(always)]
    fn store_bf16(self, vector: __m256, to: &mut [Bf16]) {
        let rounded = round(self, vector);
        if let Some(to) = to.first_chunk_mut::<8>() {
            // SAFETY: `self` proves that the CPU has AVX2; `to` has room for 8 values of 16 bits.
            unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), rounded) }
        } else {
            let mut padded = [Bf16::default(); 8];
            // SAFETY: `self` proves that the CPU has AVX2; `padded` has room for 8 values of 16 bits.
            unsafe { _mm_storeu_si128(padded.as_mut_ptr().cast(), rounded) }
            to.copy_from_slice(&padded[..to.len()]);
        }
    }

    #[inline(always)]
    fn splat_pair(self, pair: [Bf16; 2]) -> __m256i {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { _mm256_set1_epi32(Bf16::pair(pair) as i32) }
    }

    #[inline(always)]
    fn load_pairs(self, from: &[[Bf16; 2]]) -> __m256i {
        let from = &from[..Self::LANES];
        // SAFETY: `self` proves that the CPU has AVX2; `from` has 8 pairs, and the load needs no alignment.
        unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has FMA.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn neg_mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: `self` proves that the CPU has FMA.
        unsafe { _mm256_fnmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn dot(self, a: __m256i, b: __m256i, c: __m256) -> __m256 {
        let [a, b] = [a, b].map(|pairs| widen(self, pairs));
        self.mul_add(a[0], b[0], self.mul_add(a[1], b[1], c))
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

/// See [`Bf16::new`].
#[inline(always)]
fn round(_proof: Avx2, vector: __m256) -> __m128i {
    // SAFETY: the first argument proves that the CPU has AVX2.
    unsafe {
        let bits = _mm256_castps_si256(vector);
        let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
        let rounded = _mm256_castsi256_ps(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))));
        let quiet = _mm256_or_ps(vector, _mm256_castsi256_ps(_mm256_set1_epi32(0x0040_0000)));
        let result = _mm256_blendv_ps(rounded, quiet, _mm256_cmp_ps::<_CMP_UNORD_Q>(vector, vector));
        let halves = _mm256_srli_epi32::<16>(_mm256_castps_si256(result));
        // Packing works on the two halves of the register apart; the permutation puts them together.
        _mm256_castsi256_si128(_mm256_permute4x64_epi64::<0b1000>(_mm256_packus_epi32(halves, halves)))
    }
}

/// The first values of all pairs, and the second ones.
#[inline(always)]
fn widen(_proof: Avx2, pairs: __m256i) -> [__m256; 2] {
    // SAFETY: the first argument proves that the CPU has AVX2.
    unsafe {
        let high = _mm256_and_si256(pairs, _mm256_set1_epi32(0xffff_0000_u32 as i32));
        [_mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs)), _mm256_castsi256_ps(high)]
    }
}
