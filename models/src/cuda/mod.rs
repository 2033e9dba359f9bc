//! Running a graph on graphics processors, fast.
//!
//! The passes and the grouping of nodes are those of the CPU; values are in the order `(tile, depth, height, width, channels)`, the channels of a
//! pixel filled up to groups of eight. A convolution with its bias, residual and activation is one plan of cuDNN's graph API, the fastest of those
//! that it offers; what it refuses and all else are kernels of our own (`kernels/`), compiled by NVRTC at start. A [`Program`](program::Program) is
//! a list of launches over static buffers, recorded once and replayed for every batch. The libraries are looked for when they are needed: nothing
//! of them is linked.
//!
//! All that is asked of a card is [`Device`](device::Device); in the tests the processor stands in for it, and runs the same programs with the
//! kernels compiled as C++.

mod arguments;
mod blueprint;
mod candidates;
mod card;
mod compiler;
mod convolution_plan;
mod cudnn_planner;
mod descriptor;
mod device;
mod engine;
mod executor;
mod functions;
#[cfg(test)]
mod host;
mod kernel;
mod library;
mod parameters;
mod plan_store;
mod program;
mod resident;
#[cfg(test)]
mod stitch_tests;
#[cfg(test)]
mod tests;
mod turn;
#[cfg(test)]
mod without_a_card;

pub use executor::{Cuda, CudaDevices};
