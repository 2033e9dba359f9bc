//! Residuals from codewords.

use candle_core::{D, Result, Tensor};

use crate::Rank;

/// `codewords`: `(codewords, channels)`, `scale`: `(codewords)`.
pub(super) fn encode(x: &Tensor, rank: Rank, codewords: &Tensor, scale: &Tensor) -> Result<Tensor> {
    let channels = x.dim(1)?;
    // (samples, positions, 1, channels)
    let x = x.permute((0, 2, 3, 1))?.contiguous()?;
    let samples = if rank == Rank::Planar { x.dim(0)? } else { 1 };
    let x = x.reshape((samples, (), 1, channels))?;
    let residuals = x.broadcast_sub(&codewords.unsqueeze(0)?.unsqueeze(0)?)?;
    let scaled = residuals.sqr()?.sum(D::Minus1)?.broadcast_mul(scale)?;
    let exp = scaled.broadcast_sub(&scaled.max_keepdim(D::Minus1)?.detach())?.exp()?;
    let weights = exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)?;
    residuals.broadcast_mul(&weights.unsqueeze(D::Minus1)?)?.sum(1)?.unsqueeze(2)
}
