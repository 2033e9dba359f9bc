//! What computes gradients.

use super::{Batch, Parameters};
use crate::{Graph, Result};

/// How far running statistics move towards those of a batch.
const MOMENTUM: f64 = 0.1;

/// Moves a running statistic towards that of a batch.
pub(crate) fn follow(running: &mut f32, batch: f64) {
    *running = ((1.0 - MOMENTUM) * f64::from(*running) + MOMENTUM * batch) as f32;
}

/// Computes the gradients of a network's parameters by reverse-mode differentiation.
pub trait Autograd: Send {
    /// The network.
    fn graph(&self) -> &Graph;

    /// Runs the network on a batch in training mode, asks `loss` for the loss's gradient with respect to the scores, and *adds* its gradient with
    /// respect to every parameter to those in `parameters`.
    ///
    /// In training mode a batch normalisation takes mean and variance from the batch, over samples and positions, and moves the running ones
    /// towards them (Ioffe & Szegedy 2015): `running = 0.9 * running + 0.1 * batch`, with the variance's unbiased estimate, as PyTorch does by
    /// default.
    ///
    /// # Errors
    /// If the input holds NaN or infinity (the error names the sample), or parameters or batch do not fit the network (the error names the tensor or
    /// the node): a normalisation needs more than one value per channel, [`FusedAutograd`](super::FusedAutograd) no negative slope of a leaky `ReLU`,
    /// and [`CandleAutograd`](super::CandleAutograd) one volume at a time. Or if `loss` fails. `parameters` are then unchanged but for running
    /// statistics, which a loss that fails comes too late for.
    fn pass(&mut self, parameters: &mut Parameters, input: &Batch, loss: &mut dyn FnMut(&Batch) -> Result<Batch>) -> Result<()>;
}
