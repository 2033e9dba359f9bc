//! Operators without a window.

use candle_core::{Result, Tensor};

use crate::{Activation, Axes, CropPlace, Extent, PadFill, Padding};

/// The dimensions of depth, height and width in `(depth, channels, height, width)`.
pub(super) const SPATIAL: [usize; 3] = [0, 2, 3];

/// One value per channel, to be broadcast.
pub(super) fn per_channel(values: &Tensor) -> Result<Tensor> {
    values.reshape((1, (), 1, 1))
}

pub(super) fn affine(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.broadcast_mul(&per_channel(weight)?)?.broadcast_add(&per_channel(bias)?)
}

/// `tensors`: weight, bias, running mean, running variance.
pub(super) fn batch_norm(x: &Tensor, tensors: &[Tensor], epsilon: f64) -> Result<Tensor> {
    let scale = tensors[0].div(&(&tensors[3] + epsilon)?.sqrt()?)?;
    let shift = tensors[1].sub(&tensors[2].mul(&scale)?)?;
    affine(x, &scale, &shift)
}

/// Where a function has a kink its slope is 0, as in PyTorch; NaN stays NaN.
pub(super) fn activation(x: &Tensor, activation: Activation) -> Result<Tensor> {
    let constant = |value: f64| x.zeros_like()? + value;
    match activation {
        Activation::Relu => x.le(0.0)?.where_cond(&constant(0.0)?, x),
        Activation::LeakyRelu { slope } => x.le(0.0)?.where_cond(&(x * slope)?, x),
        Activation::Sigmoid => {
            // Beyond this the exponential would overflow, and its slope be no number.
            let bounded = x.lt(-80.0)?.where_cond(&constant(-80.0)?, x)?;
            (bounded.neg()?.exp()? + 1.0)?.recip()
        }
        Activation::Clip { min, max } => {
            let mut y = x.clone();
            if let Some(min) = min {
                y = y.le(min)?.where_cond(&constant(min)?, &y)?;
            }
            if let Some(max) = max {
                y = y.ge(max)?.where_cond(&constant(max)?, &y)?;
            }
            Ok(y)
        }
        Activation::HardSigmoid => hard_sigmoid(x),
        Activation::HardSwish => x.mul(&hard_sigmoid(x)?),
        Activation::Silu => x.mul(&self::activation(x, Activation::Sigmoid)?),
    }
}

fn hard_sigmoid(x: &Tensor) -> Result<Tensor> {
    activation(&(x + 3.0)?, Activation::Clip { min: Some(0.0), max: Some(6.0) })? / 6.0
}

/// `weight`: one value, or one per channel.
pub(super) fn prelu(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    x.le(0.0)?.where_cond(&x.broadcast_mul(&per_channel(weight)?)?, x)
}

pub(super) fn softmax(x: &Tensor) -> Result<Tensor> {
    let exp = x.broadcast_sub(&x.max_keepdim(1)?.detach())?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(1)?)
}

/// More positions along each axis.
pub(super) fn pad(x: &Tensor, padding: Axes<Padding>, fill: PadFill) -> Result<Tensor> {
    let mut x = x.clone();
    for (dim, Padding { before, after }) in SPATIAL.into_iter().zip(padding.into_array()) {
        if before + after == 0 {
            continue;
        }
        let len = x.dim(dim)?;
        x = match fill {
            PadFill::Constant { value } => {
                let block = |n: usize| -> Result<Option<Tensor>> {
                    let mut dims = x.dims().to_vec();
                    dims[dim] = n;
                    (n > 0).then(|| Tensor::full(value, dims, x.device())?.to_dtype(x.dtype())).transpose()
                };
                let parts: Vec<Tensor> = [block(before)?, Some(x.clone()), block(after)?].into_iter().flatten().collect();
                Tensor::cat(&parts, dim)?
            }
            PadFill::Edge => select(&x, dim, (0..before).map(|_| 0).chain(0..len).chain((0..after).map(|_| len - 1)))?,
            // That there are enough positions was checked with the shapes.
            PadFill::Reflect => select(&x, dim, (1..=before).rev().chain(0..len).chain((len - 1 - after..len - 1).rev()))?,
        };
    }
    Ok(x)
}

/// A part of each axis.
pub(super) fn crop(x: &Tensor, place: CropPlace, extent: Extent) -> Result<Tensor> {
    let input = Axes { z: x.dim(0)?, y: x.dim(2)?, x: x.dim(3)? };
    let before = place.before(input, extent);
    let mut x = x.clone();
    for (dim, (before, length)) in SPATIAL.into_iter().zip(before.zip(extent).into_array()) {
        x = x.narrow(dim, before, length)?;
    }
    x.contiguous()
}

/// The positions of one dimension, in a new order.
pub(super) fn select(x: &Tensor, dim: usize, positions: impl Iterator<Item = usize>) -> Result<Tensor> {
    let positions: Vec<u32> = positions.map(|p| p as u32).collect();
    x.index_select(&Tensor::new(positions, x.device())?, dim)
}
