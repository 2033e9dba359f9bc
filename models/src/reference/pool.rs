//! Sliding maxima and means.

use candle_core::{DType, Result, Tensor};

use super::ops::{pad, select};
use crate::{PadFill, Pool, PoolKind};

pub(super) fn pool(x: &Tensor, p: &Pool) -> Result<Tensor> {
    match p.kind {
        PoolKind::Max => {
            // Candle's maxima lose NaN, so where it is gets pooled beside the values.
            let nan = largest(&x.ne(x)?.to_dtype(DType::F32)?, p)?.gt(0.0)?;
            let largest = largest(x, p)?;
            nan.where_cond(&largest.affine(0.0, f64::NAN)?, &largest)
        }
        PoolKind::AverageWithPadding => mean(x, p),
        PoolKind::AverageInside => mean(x, p)?.broadcast_div(&mean(&x.narrow(1, 0, 1)?.ones_like()?, p)?),
    }
}

/// The largest value of each window, apart from NaN.
fn largest(x: &Tensor, p: &Pool) -> Result<Tensor> {
    let x = pad(x, p.padding, PadFill::Constant { value: f64::NEG_INFINITY })?;
    let x = x.max_pool2d_with_stride((p.kernel.y, p.kernel.x), (p.stride.y, p.stride.x))?;
    over_depth(&x, p, |a, b| a.maximum(b))
}

/// The mean over each window, padding counted as zeros.
fn mean(x: &Tensor, p: &Pool) -> Result<Tensor> {
    let x = pad(x, p.padding, PadFill::Constant { value: 0.0 })?;
    let x = x.avg_pool2d_with_stride((p.kernel.y, p.kernel.x), (p.stride.y, p.stride.x))?;
    over_depth(&x, p, |a, b| a + b)? / p.kernel.z as f64
}

/// Joins the slices of each window along depth.
fn over_depth(x: &Tensor, p: &Pool, join: impl Fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
    if p.kernel.z == 1 && p.stride.z == 1 {
        return Ok(x.clone());
    }
    let depth = (x.dim(0)? - p.kernel.z) / p.stride.z + 1;
    let slices = |tap: usize| select(x, 0, (0..depth).map(|z| z * p.stride.z + tap));
    let mut joined = slices(0)?;
    for tap in 1..p.kernel.z {
        joined = join(&joined, &slices(tap)?)?;
    }
    Ok(joined)
}
