//! Normalisations by what a value itself holds.

use candle_core::{D, Result, Tensor};

use super::ops::{affine, per_channel};
use crate::Rank;

/// By the mean and variance over all positions and the channels of each group, then by a weight and a bias per channel, if there are some.
pub(super) fn normalise(x: &Tensor, rank: Rank, groups: usize, epsilon: f64, tensors: &[Tensor]) -> Result<Tensor> {
    // Channels before depth, so that what belongs together lies together; in a planar network each slice is a sample of its own.
    let x = if rank == Rank::Volumetric { x.transpose(0, 1)?.unsqueeze(0)?.contiguous()? } else { x.clone() };
    let grouped = x.reshape((x.dim(0)?, groups, ()))?;
    let centred = grouped.broadcast_sub(&grouped.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let normal = centred.broadcast_div(&(variance + epsilon)?.sqrt()?)?.reshape(x.shape())?;
    let normal = if rank == Rank::Volumetric { normal.squeeze(0)?.transpose(0, 1)?.contiguous()? } else { normal };
    match tensors {
        [weight, bias] => affine(&normal, weight, bias),
        _ => Ok(normal),
    }
}

/// By the length of the vector of channels at each position.
pub(super) fn l2(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    let length = (x.sqr()?.sum_keepdim(1)? + epsilon)?.sqrt()?;
    x.broadcast_div(&length)?.broadcast_mul(&per_channel(weight)?)
}
