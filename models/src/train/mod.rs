//! Learning the weights of a graph from examples.
//!
//! [`Parameters`] hold every tensor of a graph with its gradient; an [`Autograd`] runs the graph on a [`Batch`] in training mode and adds up the
//! gradients of a [`Loss`] ([`FusedAutograd`] fast, [`CandleAutograd`] to hold it against, or on CUDA); an [`Optimizer`] changes the parameters
//! by them, at the rate of a [`Schedule`]. The first weights are [`initial_weights`], or those of another network by a [`Transfer`].

mod autograd;
mod batch;
mod finite;
mod initial;
mod loss;
mod optimizer;
mod parameters;
mod schedule;
mod setting;
mod targets;
mod transfer;

pub use crate::cpu::{FusedAutograd, Timing, Timings};
pub use crate::reference::{CandleAutograd, Device};
pub use autograd::Autograd;
pub(crate) use autograd::follow;
pub use batch::Batch;
pub use initial::initial_weights;
pub use loss::{CrossEntropy, Dice, Evaluated, Focal, Loss, Term};
pub use optimizer::{AdamW, Optimizer, OptimizerState, Rule, Sgd};
pub use parameters::{Parameter, ParameterKind, Parameters};
pub use schedule::{Decay, Schedule};
pub use targets::Targets;
pub use transfer::{Misshapen, Transfer};
