//! Running a graph on a CPU, fast.
//!
//! The passes make the graph smaller ([`crate::passes`]); weights are packed once (`layer`); for each input extent a [`program`](program::Program)
//! says which nodes are computed together and where their values are kept; `ops` and `kernels` compute. Values are in the order
//! `(depth, height, width, channels)`, those of parts of a concatenated value in their places there. One tile is computed by all threads of the
//! current rayon pool; a value is computed by one of them, in an order that depends on nothing but the network, so that its bits do not depend on
//! the number of threads.

mod arena;
mod autograd;
mod buffers;
mod engine;
mod fused;
mod fusion;
mod kernels;
mod layer;
mod ops;
mod placement;
mod program;
mod step;
mod views;

pub use autograd::{FusedAutograd, Timing, Timings};
pub use fused::Fused;
#[cfg(feature = "cuda")]
pub(crate) use fusion::{Fusion, Group};
pub(crate) use ops::exp;
#[cfg(feature = "cuda")]
pub(crate) use ops::{Last, Positions};
#[cfg(feature = "cuda")]
pub(crate) use placement::{Demand, Placement};
#[cfg(feature = "cuda")]
pub(crate) use views::View;
