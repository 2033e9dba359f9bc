//! Operators without a window.

use candle_core::{Result, Tensor};

use crate::{Activation, Axes, PadFill, Padding};

/// The dimensions of depth, height and width in `(depth, channels, height, width)`.
pub(super) const SPATIAL: [usize; 3] = [0, 2, 3];

fn per_channel(values: &Tensor) -> Result<Tensor> {
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

pub(super) fn activation(x: &Tensor, activation: Activation) -> Result<Tensor> {
    let y = match activation {
        Activation::Relu => x.relu()?,
        Activation::LeakyRelu { slope } => (x.relu()? - (x.neg()?.relu()? * slope)?)?,
        Activation::Sigmoid => (x.neg()?.exp()? + 1.0)?.recip()?,
        Activation::Clip { min, max } => {
            let y = if let Some(min) = min { x.maximum(min)? } else { x.clone() };
            if let Some(max) = max { y.minimum(max)? } else { y }
        }
    };
    // Candle's maxima and minima lose NaN.
    x.ne(x)?.where_cond(x, &y)
}

pub(super) fn softmax(x: &Tensor) -> Result<Tensor> {
    let exp = x.broadcast_sub(&x.max_keepdim(1)?)?.exp()?;
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
                let block = |n: usize| -> Result<Tensor> {
                    let mut dims = x.dims().to_vec();
                    dims[dim] = n;
                    Tensor::full(value as f32, dims, x.device())
                };
                Tensor::cat(&[&block(before)?, &x, &block(after)?], dim)?
            }
            PadFill::Edge => select(&x, dim, (0..before).map(|_| 0).chain(0..len).chain((0..after).map(|_| len - 1)))?,
            // That there are enough positions was checked with the shapes.
            PadFill::Reflect => select(&x, dim, (1..=before).rev().chain(0..len).chain((len - 1 - after..len - 1).rev()))?,
        };
    }
    Ok(x)
}

/// The positions of one dimension, in a new order.
pub(super) fn select(x: &Tensor, dim: usize, positions: impl Iterator<Item = usize>) -> Result<Tensor> {
    let positions: Vec<u32> = positions.map(|p| p as u32).collect();
    x.index_select(&Tensor::new(positions, x.device())?, dim)
}
