//! What computes gradients.

use super::{Batch, Parameters};
use crate::{Graph, Result};

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
    /// If the batch does not fit the network (the error names the node), or `loss` fails; `parameters` are then unchanged but for gradients and
    /// running statistics.
    fn pass(&mut self, parameters: &mut Parameters, input: &Batch, loss: &mut dyn FnMut(&Batch) -> Result<Batch>) -> Result<()>;
}
