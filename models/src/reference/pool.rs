//! Sliding maxima and means, one axis after the other.

use candle_core::{Result, Tensor};

use super::ops::{SPATIAL, pad, select};
use crate::{PadFill, Pool, PoolKind};

pub(super) fn pool(x: &Tensor, p: &Pool) -> Result<Tensor> {
    match p.kind {
        PoolKind::Max => windows(&pad(x, p.padding, PadFill::Constant { value: f64::NEG_INFINITY })?, p, larger),
        PoolKind::AverageWithPadding => mean(x, p),
        PoolKind::AverageInside => mean(x, p)?.broadcast_div(&mean(&x.narrow(1, 0, 1)?.ones_like()?, p)?),
    }
}

/// The larger of two values, the first at a tie; NaN if one is.
fn larger(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    (a.ge(b)? + a.ne(a)?)?.where_cond(a, b)
}

/// The mean over each window, padding counted as zeros.
fn mean(x: &Tensor, p: &Pool) -> Result<Tensor> {
    let x = pad(x, p.padding, PadFill::Constant { value: 0.0 })?;
    windows(&x, p, |a, b| a + b)? / p.kernel.product() as f64
}

/// Joins the values of each window, in the order in which they lie.
fn windows(x: &Tensor, p: &Pool, join: impl Fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let mut x = x.clone();
    for ((dim, kernel), stride) in SPATIAL.into_iter().zip(p.kernel.into_array()).zip(p.stride.into_array()).rev() {
        if kernel == 1 && stride == 1 {
            continue;
        }
        let count = (x.dim(dim)? - kernel) / stride + 1;
        let tap = |tap: usize| select(&x, dim, (0..count).map(|at| at * stride + tap));
        let mut joined = tap(0)?;
        for later in 1..kernel {
            joined = join(&joined, &tap(later)?)?;
        }
        x = joined;
    }
    Ok(x)
}
