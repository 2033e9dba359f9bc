//! What values between layers are kept as.
#![expect(clippy::inline_always, reason = "part of the kernels")]

use std::fmt::Debug;
use std::sync::Mutex;

use super::{aligned::Aligned, bf16::Bf16, simd::Simd};

/// A number that a value between layers is kept as. All arithmetic is that of `f32`.
pub(crate) trait Element: Copy + Debug + Default + Send + Sync + 'static {
    /// Input channels that one instruction multiplies with their weights.
    const CHANNELS: usize;
    /// Whether a part of a sum can wait in an output without being rounded.
    const HOLDS_SUMS: bool;

    /// The weights of so many input channels for one output channel.
    type Weights: Copy + Debug + Default + Send + Sync + 'static;

    /// Factors of a multiplication in every lane.
    type Factors<S: Simd>: Copy;

    /// The nearest element.
    fn new(value: f32) -> Self;

    /// The element as a number.
    fn to_f32(self) -> f32;

    /// The weights of at most [`Element::CHANNELS`] input channels; those of missing ones are zero.
    fn weights(channels: &[f32]) -> Self::Weights;

    /// The first elements of `from`, one per lane; zeros where it is shorter.
    fn load<S: Simd>(simd: S, from: &[Self]) -> S::Vector;

    /// Stores the lanes that `to` has room for.
    fn store<S: Simd>(simd: S, vector: S::Vector, to: &mut [Self]);

    /// At most [`Element::CHANNELS`] channels in every lane; missing ones are zero.
    fn splat<S: Simd>(simd: S, channels: &[Self]) -> Self::Factors<S>;

    /// The weights of one output channel per lane.
    fn load_weights<S: Simd>(simd: S, weights: &[Self::Weights]) -> Self::Factors<S>;

    /// The sum and the products of channels with their weights.
    fn mul_add<S: Simd>(simd: S, channels: Self::Factors<S>, weights: Self::Factors<S>, sum: S::Vector) -> S::Vector;

    /// Buffers of such elements that no layer uses at the moment.
    fn idle() -> &'static Mutex<Vec<Aligned<Self>>>;
}

impl Element for f32 {
    const CHANNELS: usize = 1;
    const HOLDS_SUMS: bool = true;
    type Weights = f32;
    type Factors<S: Simd> = S::Vector;

    #[inline(always)]
    fn new(value: f32) -> Self {
        value
    }

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }

    fn weights(channels: &[f32]) -> f32 {
        channels.first().copied().unwrap_or_default()
    }

    #[inline(always)]
    fn load<S: Simd>(simd: S, from: &[f32]) -> S::Vector {
        simd.load(from)
    }

    #[inline(always)]
    fn store<S: Simd>(simd: S, vector: S::Vector, to: &mut [f32]) {
        simd.store(vector, to);
    }

    #[inline(always)]
    fn splat<S: Simd>(simd: S, channels: &[f32]) -> S::Vector {
        simd.splat(channels[0])
    }

    #[inline(always)]
    fn load_weights<S: Simd>(simd: S, weights: &[f32]) -> S::Vector {
        simd.load(weights)
    }

    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, channels: S::Vector, weights: S::Vector, sum: S::Vector) -> S::Vector {
        simd.mul_add(channels, weights, sum)
    }

    fn idle() -> &'static Mutex<Vec<Aligned<f32>>> {
        static IDLE: Mutex<Vec<Aligned<f32>>> = Mutex::new(Vec::new());
        &IDLE
    }
}

impl Element for Bf16 {
    const CHANNELS: usize = 2;
    const HOLDS_SUMS: bool = false;
    type Weights = [Bf16; 2];
    type Factors<S: Simd> = S::Pairs;

    #[inline(always)]
    fn new(value: f32) -> Self {
        Bf16::new(value)
    }

    #[inline(always)]
    fn to_f32(self) -> f32 {
        Bf16::to_f32(self)
    }

    fn weights(channels: &[f32]) -> [Bf16; 2] {
        [0, 1].map(|channel| Bf16::new(channels.get(channel).copied().unwrap_or_default()))
    }

    #[inline(always)]
    fn load<S: Simd>(simd: S, from: &[Bf16]) -> S::Vector {
        simd.load_bf16(from)
    }

    #[inline(always)]
    fn store<S: Simd>(simd: S, vector: S::Vector, to: &mut [Bf16]) {
        simd.store_bf16(vector, to);
    }

    #[inline(always)]
    fn splat<S: Simd>(simd: S, channels: &[Bf16]) -> S::Pairs {
        simd.splat_pair([channels[0], channels.get(1).copied().unwrap_or_default()])
    }

    #[inline(always)]
    fn load_weights<S: Simd>(simd: S, weights: &[[Bf16; 2]]) -> S::Pairs {
        simd.load_pairs(weights)
    }

    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, channels: S::Pairs, weights: S::Pairs, sum: S::Vector) -> S::Vector {
        simd.dot(channels, weights, sum)
    }

    fn idle() -> &'static Mutex<Vec<Aligned<Bf16>>> {
        static IDLE: Mutex<Vec<Aligned<Bf16>>> = Mutex::new(Vec::new());
        &IDLE
    }
}
