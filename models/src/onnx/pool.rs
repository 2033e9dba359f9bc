//! Maximum and mean over sliding windows, what undoes the former, and the mean over everything.

use super::call::Call;
use super::draft::Draft;
use super::layout::{Axis, spatial};
use super::sliding::{Sliding, expect_channels_first};
use super::symbol::Symbol;
use super::value::{Feature, Maxima, Value};
use crate::{Axes, MaxUnpool, Op, Padding, Pool, PoolKind, Result};

/// The maxima, and where they are.
pub(super) fn max_pool(call: &Call<'_>, draft: &mut Draft) -> Result<Vec<Option<Value>>> {
    let Pooled { feature, pool } = pool(call, draft, PoolKind::Max)?;
    if call.wanted.get(1) == Some(&true) {
        call.require("storage_order", 0)?;
    }
    let of = call.feature(0)?.node;
    Ok(vec![Some(feature.into()), Some(Value::Maxima(Maxima { of, pool }))])
}

/// Undoes a pooling whose windows neither overlap nor reach beyond its input.
pub(super) fn max_unpool(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let x = call.feature(0)?;
    expect_channels_first(call, draft, x)?;
    let &Value::Maxima(Maxima { of, pool: Pool { kernel, stride, padding, .. } }) = call.value(1)? else {
        return Err(call.refuse("expected the indices of a MaxPool as input 1"));
    };
    let sliding = Sliding::read(call, draft.rank(), None)?;
    if (sliding.kernel, sliding.stride, sliding.padding(call, None)?) != (kernel, stride, padding) {
        return Err(call.refuse("expected the windows of the MaxPool whose indices these are"));
    }
    if !padding.is_zero() || kernel.zip(stride).into_array().iter().any(|(kernel, stride)| kernel > stride) {
        return Err(call.refuse("undoes a MaxPool with padding or with windows that overlap"));
    }
    match (call.symbols(2)?, draft.extent(of).zip(draft.extent(x.node))) {
        (Some(shape), _) => {
            let pooled: Vec<Symbol> = x.layout.axes().iter().map(|axis| draft.length(of, *axis)).collect();
            if shape != pooled {
                return Err(call.refuse("expected an output_shape that is the shape of what was pooled"));
            }
        }
        (None, Some((pooled, windows))) => {
            let covered = windows.zip(kernel.zip(stride)).map(|(windows, (kernel, stride))| (windows - 1) * stride + kernel);
            if covered != pooled {
                return Err(call.refuse("without output_shape, for an extent that the windows of the MaxPool do not cover"));
            }
        }
        (None, None) => return Err(call.refuse("without output_shape, for an input of free extent")),
    }
    Ok(x.at(draft.push(call, Op::MaxUnpool(MaxUnpool { kernel, stride }), vec![x.node, of])?))
}

pub(super) fn average_pool(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let kind = if call.int("count_include_pad", 0) == 0 { PoolKind::AverageInside } else { PoolKind::AverageWithPadding };
    Ok(pool(call, draft, kind)?.feature)
}

pub(super) fn global_average_pool(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let x = call.feature(0)?;
    expect_channels_first(call, draft, x)?;
    Ok(x.at(draft.push(call, Op::GlobalAveragePool, vec![x.node])?))
}

/// The mean over all positions, which stay as axes of length 1.
pub(super) fn reduce_mean(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let x = call.feature(0)?;
    let mut axes: Vec<Option<Axis>> =
        call.listed("axes", 1)?.unwrap_or_default().iter().map(|place| x.layout.axis(*place)).collect();
    axes.sort_unstable();
    if !axes.into_iter().eq(spatial(draft.rank()).map(Some)) || call.int("keepdims", 1) == 0 {
        return Err(call.refuse(format!("expected means over all of space with keepdims=1, of {}", x.layout)));
    }
    Ok(x.at(draft.push(call, Op::GlobalAveragePool, vec![x.node])?))
}

/// A pooling's result and parameters.
struct Pooled {
    feature: Feature,
    pool: Pool,
}

fn pool(call: &Call<'_>, draft: &mut Draft, kind: PoolKind) -> Result<Pooled> {
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
    Ok(Pooled { feature: x.at(draft.push(call, Op::Pool(pool), vec![x.node])?), pool })
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
