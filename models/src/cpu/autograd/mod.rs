//! Reverse-mode differentiation on a CPU, fast.
//!
//! For a batch's shape a [`tape`] says which nodes are computed together, where their values lie, and which of them the way back reads. Forward
//! goes through its steps in order, backward in reverse. All buffers come from a pool that is kept from pass to pass and go back to it as soon as
//! nothing reads them any more; gradients that are equal share one, and are written in place by the last that holds it. What each operator computes
//! is in a file of its own. Work is cut into pieces by shapes alone, and sums of pieces are made in their order, so that bits do not depend on the
//! number of threads.

mod backward;
mod broadcast;
mod buffer;
mod columns;
mod convolution;
mod element_wise;
mod encoding;
mod forward;
mod fused_autograd;
mod gradients;
mod group_norm;
mod l2_norm;
mod mask;
mod moments;
mod pool;
mod prelu;
mod scaling;
mod spread;
mod step;
mod tape;
#[cfg(test)]
mod tests;
mod timings;
mod transposed;
mod unpool;
mod values;
mod window;

pub use fused_autograd::FusedAutograd;
pub use timings::{Timing, Timings};
