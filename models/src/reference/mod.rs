//! The reference: an interpreter of graphs over candle tensors, forwards ([`Reference`]) and backwards ([`CandleAutograd`]).
//!
//! One node after the other, each as plainly as candle's operators allow, so that other executors can be held against it. Tensors are laid out
//! `(depth, channels, height, width)`: depth takes the place of candle's batch, so that a planar operation on a volume is one call and a
//! volumetric one a sum of planar ones. In training, the samples of a planar network take that place. All operators are made of those of candle
//! that have a gradient, on CUDA too.

mod autograd;
mod compute;
mod conv;
mod device;
mod encoding;
mod executor;
mod norm;
mod ops;
mod pool;
mod resize;
mod unpool;

pub use autograd::CandleAutograd;
pub use device::Device;
pub use executor::Reference;
