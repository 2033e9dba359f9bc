//! Convolutions on `(depth, height, width, channels)` arrays, for whatever vector unit the machine has.
//!
//! A [`Convolution`] chooses once, before any tile is seen, how it is computed: directly (a sum of shifted matrix products, one code path for
//! all kernels, strides, dilations and ranks), per channel (depthwise), or by Winograd's algorithm. The kernels are written once over
//! [`simd::Simd`], the operations of a vector unit, which `avx512.rs`, `avx2.rs` and `portable.rs` supply, and over [`element::Element`], what values
//! between layers are kept as: `f32`, or [`bf16::Bf16`] whose products are summed in `f32`.
//!
//! Computed directly or per channel, every value is one chain of multiply-adds in an order that the layer alone fixes: how pixels are dealt to
//! threads, the size of the tile and a pixel's place in it change no bit. By Winograd's algorithm, which computes pixels in blocks, threads change no
//! bit, but a pixel's place in the tile does.

mod aligned;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod bf16;
mod blocks;
mod convolution;
mod depthwise;
mod direct;
mod element;
mod epilogue;
mod isa;
mod pixels;
mod portable;
mod product;
mod rows;
mod scratch;
mod shared;
mod simd;
mod sums;
#[cfg(test)]
mod tests;
mod transform;
mod weight_gradient;
mod weight_products;
mod window;
mod winograd;
mod winograd_gradient;

pub(crate) use bf16::Bf16;
pub(crate) use convolution::{Conditions, Convolution, Maps};
pub(crate) use element::Element;
pub(crate) use epilogue::Epilogue;
pub(crate) use isa::Isa;
pub(crate) use pixels::{Pixels, PixelsMut};
pub(crate) use scratch::{Held, Scratch};
pub(crate) use weight_gradient::WeightGradient;
