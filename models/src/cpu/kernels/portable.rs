//! Plain Rust for any machine, in loops of fixed length that the compiler turns into whatever vectors the target has.
#![expect(clippy::inline_always, reason = "an operation on eight values must not become a call")]

use super::{
    bf16::Bf16,
    simd::{Job, Simd},
};

/// No vector unit in particular.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Portable;

const LANES: usize = 4;
type Vector = [f32; LANES];

/// `a * b + c`. Without an instruction for it, rounding once would cost a call of the C library per value.
#[inline(always)]
fn fused(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) { a.mul_add(b, c) } else { a * b + c }
}

#[inline(always)]
fn each(f: impl Fn(usize) -> f32) -> Vector {
    let mut result = [0.0; LANES];
    for (lane, value) in result.iter_mut().enumerate() {
        *value = f(lane);
    }
    result
}

impl Simd for Portable {
    type Vector = Vector;
    type Pairs = [[Bf16; 2]; LANES];
    const LANES: usize = LANES;

    #[inline(always)]
    fn splat(self, value: f32) -> Vector {
        [value; LANES]
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> Vector {
        if let Some(values) = from.first_chunk() {
            return *values;
        }
        let mut result = [0.0; LANES];
        result[..from.len()].copy_from_slice(from);
        result
    }

    #[inline(always)]
    fn store(self, vector: Vector, to: &mut [f32]) {
        if let Some(values) = to.first_chunk_mut() {
            *values = vector;
        } else {
            let len = to.len();
            to.copy_from_slice(&vector[..len]);
        }
    }

    #[inline(always)]
    fn load_bf16(self, from: &[Bf16]) -> Vector {
        each(|lane| from.get(lane).copied().unwrap_or_default().to_f32())
    }

    #[inline(always)]
    fn store_bf16(self, vector: Vector, to: &mut [Bf16]) {
        to.iter_mut().zip(vector).for_each(|(to, value)| *to = Bf16::new(value));
    }

    #[inline(always)]
    fn splat_pair(self, pair: [Bf16; 2]) -> Self::Pairs {
        [pair; LANES]
    }

    #[inline(always)]
    fn load_pairs(self, from: &[[Bf16; 2]]) -> Self::Pairs {
        let mut pairs = [[Bf16::default(); 2]; LANES];
        pairs.copy_from_slice(&from[..LANES]);
        pairs
    }

    #[inline(always)]
    fn add(self, a: Vector, b: Vector) -> Vector {
        each(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    fn sub(self, a: Vector, b: Vector) -> Vector {
        each(|lane| a[lane] - b[lane])
    }

    #[inline(always)]
    fn mul(self, a: Vector, b: Vector) -> Vector {
        each(|lane| a[lane] * b[lane])
    }

    #[inline(always)]
    fn mul_add(self, a: Vector, b: Vector, c: Vector) -> Vector {
        each(|lane| fused(a[lane], b[lane], c[lane]))
    }

    #[inline(always)]
    fn neg_mul_add(self, a: Vector, b: Vector, c: Vector) -> Vector {
        each(|lane| fused(-a[lane], b[lane], c[lane]))
    }

    #[inline(always)]
    fn dot(self, a: Self::Pairs, b: Self::Pairs, c: Vector) -> Vector {
        let of = |pairs: Self::Pairs, at: usize| each(|lane| pairs[lane][at].to_f32());
        self.mul_add(of(a, 0), of(b, 0), self.mul_add(of(a, 1), of(b, 1), c))
    }

    #[inline(always)]
    fn clamp(self, value: Vector, low: Vector, high: Vector) -> Vector {
        // Neither comparison holds for NaN.
        let above = each(|lane| if value[lane] < low[lane] { low[lane] } else { value[lane] });
        each(|lane| if above[lane] > high[lane] { high[lane] } else { above[lane] })
    }

    #[inline(always)]
    fn leak(self, value: Vector, slope: Vector) -> Vector {
        each(|lane| if value[lane] < 0.0 { value[lane] * slope[lane] } else { value[lane] })
    }

    fn vectorize(self, job: impl Job) {
        job.run(self);
    }
}
