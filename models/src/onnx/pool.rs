//! Maximum and mean over sliding windows, and over everything.

use super::call::Call;
use super::draft::Draft;
use super::sliding::{Sliding, expect_channels_first};
use super::value::Feature;
use crate::{Axes, Op, Padding, Pool, PoolKind, Result};

pub(super) fn max_pool(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    pool(call, draft, PoolKind::Max)
}

pub(super) fn average_pool(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let kind = if call.int("count_include_pad", 0) == 0 { PoolKind::AverageInside } else { PoolKind::AverageWithPadding };
    pool(call, draft, kind)
}

pub(super) fn global_average_pool(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let x = call.feature(0)?;
    expect_channels_first(call, draft, x)?;
    Ok(x.at(draft.push(call, Op::GlobalAveragePool, vec![x.node])?))
}

fn pool(call: &Call<'_>, draft: &mut Draft, kind: PoolKind) -> Result<Feature> {
    let x = call.feature(0)?;
    expect_channels_first(call, draft, x)?;
    let sliding = Sliding::read(call, draft.rank(), None)?;
    if sliding.dilation != Axes::cube(1) {
        return Err(call.refuse("dilated windows"));
    }
    let mut padding = sliding.padding(call, draft.extent(x.node))?;
    if call.int("ceil_mode", 0) != 0 {
        padding = rounded_up(call, kind, &sliding, padding)?;
    }
    let pool = Pool { kind, kernel: sliding.kernel, stride: sliding.stride, padding };
    Ok(x.at(draft.push(call, Op::Pool(pool), vec![x.node])?))
}

/// Padding with which rounding down gives as many windows as rounding up does without it.
fn rounded_up(call: &Call<'_>, kind: PoolKind, sliding: &Sliding, padding: Axes<Padding>) -> Result<Axes<Padding>> {
    let axes = sliding.kernel.zip(sliding.stride.zip(padding));
    // ONNX drops a last window that begins beyond the input; here none can.
    if axes.into_array().iter().any(|(kernel, (stride, padding))| stride + padding.after > *kernel) {
        return Err(call.refuse("ceil_mode where a window may begin beyond the input"));
    }
    // These positions would be counted as zeros, but ONNX does not count them.
    if kind == PoolKind::AverageWithPadding && sliding.stride != Axes::cube(1) {
        return Err(call.refuse("ceil_mode with count_include_pad"));
    }
    Ok(sliding.stride.zip(padding).map(|(stride, Padding { before, after })| Padding { before, after: after + stride - 1 }))
}
