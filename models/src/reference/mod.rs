//! The reference executor: an interpreter of graphs over candle tensors.
//!
//! One node after the other, each as plainly as candle's operators allow, so that other executors can be held against it. Tensors are laid out
//! `(depth, channels, height, width)`: depth takes the place of candle's batch, so that a planar operation on a volume is one call and a
//! volumetric one a sum of planar ones.

mod conv;
mod executor;
mod ops;
mod pool;
mod resize;

pub use executor::Reference;
