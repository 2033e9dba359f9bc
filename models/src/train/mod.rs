//! Learning the weights of a graph from examples.
//!
//! [`Parameters`] hold every tensor of a graph with its gradient; an [`Autograd`] runs the graph on a [`Batch`] in training mode and adds up the
//! gradients.

mod autograd;
mod batch;
mod parameters;

pub use crate::cpu::{FusedAutograd, Timing, Timings};
pub use autograd::Autograd;
pub use batch::Batch;
pub use parameters::{Parameter, ParameterKind, Parameters};
