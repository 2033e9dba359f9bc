//! Layers that change the extent without learned values.

use serde_json::Value;

use super::convolution::channels_last;
use super::layer::Layer;
use crate::flaw::Sound;
use crate::{Axes, Coordinates, Interpolation, NodeId, Op, PadFill, Padding, Pool, PoolKind, Resize, ResizeTo};

/// `MaxPooling2D` and `AveragePooling2D`; a mean takes only what lies inside.
pub(super) fn pool(mut layer: Layer<'_, '_>, kind: PoolKind) -> Sound<NodeId> {
    let input = layer.input()?;
    channels_last(&layer)?;
    let kernel = layer.plane("pool_size", Some(Axes::plane(2)))?;
    let stride = layer.plane("strides", Some(kernel))?;
    let padding = layer.padding(input, kernel, stride)?;
    Ok(layer.push("", Op::Pool(Pool { kind, kernel, stride, padding }), vec![input])?)
}

/// `GlobalAveragePooling2D` that keeps its axes.
pub(super) fn global_average(mut layer: Layer<'_, '_>) -> Sound<NodeId> {
    let input = layer.input()?;
    channels_last(&layer)?;
    if !layer.flag("keepdims", false)? {
        return Err(layer.refuse("without `keepdims` its output is no image").into());
    }
    Ok(layer.push("", Op::GlobalAveragePool, vec![input])?)
}

/// `UpSampling2D`: values are repeated, or interpolated with half-pixel coordinates.
pub(super) fn upsampling(mut layer: Layer<'_, '_>) -> Sound<NodeId> {
    let input = layer.input()?;
    channels_last(&layer)?;
    let factor = layer.plane("size", Some(Axes::plane(2)))?.map(|factor| factor as f64);
    let (interpolation, coordinates) = match layer.text("interpolation", "nearest")? {
        "nearest" => (Interpolation::NearestFloor, Coordinates::Asymmetric),
        "bilinear" => (Interpolation::Linear, Coordinates::HalfPixel),
        other => return Err(layer.refuse(format!("the interpolation {other} is not supported")).into()),
    };
    Ok(layer.push("", Op::Resize(Resize { interpolation, coordinates, to: ResizeTo::Factor { factor } }), vec![input])?)
}

/// `ZeroPadding2D`: one number, one for each axis, or two for each.
pub(super) fn zero_padding(mut layer: Layer<'_, '_>) -> Sound<NodeId> {
    let input = layer.input()?;
    channels_last(&layer)?;
    let unlike = || layer.refuse("`padding`: expected numbers before and after each axis");
    let number = |value: &Value| value.as_u64().filter(|number| *number < 1 << 16).map(|number| number as usize);
    let axis = |value: &Value| match value {
        Value::Array(pair) => match pair.as_slice() {
            [before, after] => Some(Padding { before: number(before)?, after: number(after)? }),
            _ => None,
        },
        both => number(both).map(Padding::both),
    };
    let one = Value::from(1);
    let padding = match layer.option("padding").unwrap_or(&one) {
        Value::Array(axes) => match axes.as_slice() {
            [y, x] => axis(y).zip(axis(x)),
            _ => None,
        },
        both => axis(both).map(|both| (both, both)),
    };
    let (y, x) = padding.ok_or_else(unlike)?;
    let op = Op::Pad { padding: Axes { z: Padding::default(), y, x }, fill: PadFill::Constant { value: 0.0 } };
    Ok(layer.push("", op, vec![input])?)
}
