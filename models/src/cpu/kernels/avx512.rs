//! AVX-512F: 16 lanes, and masks for what is narrower; with or without instructions for 16-bit floating point.
#![expect(unsafe_code, reason = "vector instructions need it")]
#![expect(clippy::inline_always, reason = "an operation must become one instruction in a function compiled for AVX-512")]

use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512bh, __m512i, __mmask16, _CMP_LT_OQ, _CMP_UNORD_Q, _mm256_loadu_si256, _mm256_storeu_si256,
    _mm512_add_epi32, _mm512_add_ps, _mm512_and_si512, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cmp_ps_mask,
    _mm512_cvtepi32_epi16, _mm512_cvtepu16_epi32, _mm512_cvtneps_pbh, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_mul_ps, _mm512_mask_or_epi32, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
    _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_slli_epi32,
    _mm512_srli_epi32, _mm512_storeu_ps, _mm512_sub_ps,
};

use super::{
    bf16::Bf16,
    simd::{Job, Simd},
};

/// Proof that the CPU has AVX-512F, and AVX-512 BF16 where `BF16`: [`Avx512::detect`] is the only way to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Avx512<const BF16: bool>(());

impl<const BF16: bool> Avx512<BF16> {
    /// The unit, if the CPU has it.
    pub(super) fn detect() -> Option<Self> {
        let bf16 = !BF16 || is_x86_feature_detected!("avx512bf16");
        (is_x86_feature_detected!("avx512f") && bf16).then_some(Self(()))
    }
}

/// The lanes below `len`, which is less than 16.
#[inline(always)]
fn mask(len: usize) -> __mmask16 {
    (1 << len) - 1
}

impl<const BF16: bool> Simd for Avx512<BF16> {
    type Vector = __m512;
    type Pairs = __m512i;
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
    fn load_bf16(self, from: &[Bf16]) -> __m512 {
        let mut padded = [Bf16::default(); 16];
        let from = from.first_chunk().unwrap_or_else(|| {
            padded[..from.len()].copy_from_slice(from);
            &padded
        });
        // SAFETY: `self` proves that the CPU has AVX-512F, and with it AVX; `from` has 16 values of 16 bits.
        unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(from.as_ptr().cast())))) }
    }

    #[inline(always)]
    fn store_bf16(self, vector: __m512, to: &mut [Bf16]) {
        let rounded = round(self, vector);
        if let Some(to) = to.first_chunk_mut::<16>() {
            // SAFETY: `self` proves that the CPU has AVX-512F, and with it AVX; `to` has room for 16 values of 16 bits.
            unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), rounded) }
        } else {
            let mut padded = [Bf16::default(); 16];
            // SAFETY: `self` proves that the CPU has AVX-512F, and with it AVX; `padded` has room for 16 values of 16 bits.
            unsafe { _mm256_storeu_si256(padded.as_mut_ptr().cast(), rounded) }
            to.copy_from_slice(&padded[..to.len()]);
        }
    }

    #[inline(always)]
    fn splat_pair(self, pair: [Bf16; 2]) -> __m512i {
        // SAFETY: `self` proves that the CPU has AVX-512F.
        unsafe { _mm512_set1_epi32(Bf16::pair(pair) as i32) }
    }

    #[inline(always)]
    fn load_pairs(self, from: &[[Bf16; 2]]) -> __m512i {
        let from = &from[..Self::LANES];
        // SAFETY: `self` proves that the CPU has AVX-512F; `from` has 16 pairs.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has AVX-512F.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has AVX-512F.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has AVX-512F.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has AVX-512F.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn neg_mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: `self` proves that the CPU has AVX-512F.
        unsafe { _mm512_fnmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn dot(self, a: __m512i, b: __m512i, c: __m512) -> __m512 {
        if BF16 {
            // SAFETY: `self` proves that the CPU has AVX-512 BF16; both types are 512 bits, of which every pattern is 32 values of 16 bits.
            unsafe {
                _mm512_dpbf16_ps(c, std::mem::transmute::<__m512i, __m512bh>(a), std::mem::transmute::<__m512i, __m512bh>(b))
            }
        } else {
            let [a, b] = [a, b].map(|pairs| widen(self, pairs));
            self.mul_add(a[0], b[0], self.mul_add(a[1], b[1], c))
        }
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
        fn run<const BF16: bool>(simd: Avx512<BF16>, job: impl Job) {
            job.run(simd);
        }
        #[target_feature(enable = "avx512f,avx512bf16")]
        fn run_bf16<const BF16: bool>(simd: Avx512<BF16>, job: impl Job) {
            job.run(simd);
        }
        if BF16 {
            // SAFETY: `self` proves that the CPU has AVX-512F and AVX-512 BF16.
            unsafe { run_bf16(self, job) }
        } else {
            // SAFETY: `self` proves that the CPU has AVX-512F.
            unsafe { run(self, job) }
        }
    }
}

/// See [`Bf16::new`]; the instruction takes numbers too small to be normal for zero.
#[inline(always)]
fn round<const BF16: bool>(_proof: Avx512<BF16>, vector: __m512) -> __m256i {
    if BF16 {
        // SAFETY: the first argument proves that the CPU has AVX-512 BF16; both types are 256 bits.
        return unsafe { std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(vector)) };
    }
    // SAFETY: the first argument proves that the CPU has AVX-512F.
    unsafe {
        let bits = _mm512_castps_si512(vector);
        let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
        let rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
        let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(vector, vector);
        let result = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x0040_0000));
        _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(result))
    }
}

/// The first values of all pairs, and the second ones.
#[inline(always)]
fn widen<const BF16: bool>(_proof: Avx512<BF16>, pairs: __m512i) -> [__m512; 2] {
    // SAFETY: the first argument proves that the CPU has AVX-512F.
    unsafe {
        let high = _mm512_and_si512(pairs, _mm512_set1_epi32(0xffff_0000_u32 as i32));
        [_mm512_castsi512_ps(_mm512_slli_epi32::<16>(pairs)), _mm512_castsi512_ps(high)]
    }
}
