//! Convolutions in `f32` on dense `(depth, height, width, channels)` arrays, for whatever vector unit the machine has.
//!
//! A [`Convolution`] chooses once, from its parameters alone, how it is computed: directly (a sum of shifted matrix products, one code path for
//! all kernels, strides, dilations and ranks) or per channel (depthwise). The kernels are written once over [`simd::Simd`],
//! the operations of a vector unit; `avx512.rs`, `avx2.rs` and `portable.rs` supply them.
//!
//! Every output value is one chain of fused multiply-adds in an order that the layer alone fixes. How the pixels are dealt to threads, how large
//! the tile is and where in it a pixel lies change no bit of the result.

mod aligned;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod convolution;
mod depthwise;
mod direct;
mod epilogue;
mod isa;
mod portable;
mod product;
mod rows;
mod scratch;
mod simd;
mod sums;
#[cfg(test)]
mod tests;
mod window;

pub(crate) use convolution::Convolution;
pub(crate) use epilogue::Epilogue;
pub(crate) use isa::Isa;
