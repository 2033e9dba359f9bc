//! A convolution with what follows it, as a library may compute it.
#![expect(unsafe_code, reason = "plans read and write addresses")]

use std::fmt;

use super::arguments::Address;
use super::kernel::Stored;
use crate::{Activation, Axes, Extent, Padding, Precision, Result};

/// A convolution of all channels with what follows it: bias, residual, activation. Channels are multiples of 8.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ConvolutionShape {
    pub(super) precision: Precision,
    /// Tiles.
    pub(super) batch: usize,
    pub(super) in_channels: usize,
    pub(super) input: Extent,
    pub(super) out_channels: usize,
    pub(super) output: Extent,
    pub(super) kernel: Axes<usize>,
    pub(super) stride: Axes<usize>,
    pub(super) padding: Axes<Padding>,
    pub(super) dilation: Axes<usize>,
    /// Whether something is added to the result.
    pub(super) residual: bool,
    pub(super) activation: Option<Activation>,
}

impl ConvolutionShape {
    /// How its values are kept.
    pub(super) fn stored(&self) -> Stored {
        Stored::of(self.precision)
    }
}

/// What a plan reads and writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operands {
    pub(super) input: Address,
    /// (out channels, taps, in channels), as values are stored.
    pub(super) weights: Address,
    /// Of every output channel: `f32`.
    pub(super) bias: Address,
    pub(super) residual: Option<Address>,
    pub(super) output: Address,
    /// At least [`ConvolutionPlan::workspace`] bytes.
    pub(super) workspace: Address,
}

/// A way to compute a convolution on a card.
pub(super) trait ConvolutionPlan: Send + Sync + fmt::Debug {
    /// Bytes that it needs while it runs.
    fn workspace(&self) -> usize;

    /// Computes it, in the order of the kernels.
    ///
    /// # Safety
    /// The operands are memory of the card that the plan is for, as large as its shape says.
    unsafe fn run(&self, operands: &Operands) -> Result<()>;
}
