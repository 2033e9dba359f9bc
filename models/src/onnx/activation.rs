//! Element-wise functions and softmax.

use super::arithmetic::{affine, per_channel};
use super::call::{Call, Parameter};
use super::draft::Draft;
use super::layout::{Axis, resolve};
use super::value::Feature;
use crate::{Activation, Op, Result, Slopes};

/// An element-wise function; the order of axes does not matter.
pub(super) fn activation(call: &Call<'_>, draft: &mut Draft, function: Activation) -> Result<Feature> {
    let x = call.feature(0)?;
    Ok(x.at(draft.push(call, Op::Activation(function), vec![x.node])?))
}

pub(super) fn leaky_relu(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    activation(call, draft, Activation::LeakyRelu { slope: f64::from(call.float("alpha", 0.01)) })
}

/// One slope for all channels, or one for each.
pub(super) fn prelu(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let x = call.feature(0)?;
    let slope: Parameter = call.parameter(1)?;
    let (slopes, weight) = match slope.values.as_slice() {
        [one] => (Slopes::Shared, vec![*one]),
        _ => (Slopes::PerChannel, per_channel(call, draft, x, slope)?),
    };
    let node = draft.push(call, Op::PRelu { slopes }, vec![x.node])?;
    draft.tensor(node, "weight", vec![weight.len()], weight);
    Ok(x.at(node))
}

/// `min(max(alpha x + beta, 0), 1)`; with PyTorch's numbers it is an operator of its own.
pub(super) fn hard_sigmoid(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let (alpha, beta) = (call.float("alpha", 0.2), call.float("beta", 0.5));
    if (alpha - 1.0 / 6.0).abs() <= f32::EPSILON / 6.0 && (beta - 0.5).abs() < f32::EPSILON {
        return activation(call, draft, Activation::HardSigmoid);
    }
    let x = call.feature(0)?;
    let channels = draft.channels(x.node);
    let line = affine(call, draft, x.node, vec![alpha; channels], vec![beta; channels])?;
    let clip = Activation::Clip { min: Some(0.0), max: Some(1.0) };
    Ok(x.at(draft.push(call, Op::Activation(clip), vec![line])?))
}

/// Bounds are attributes before version 11 and inputs since.
pub(super) fn clip(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let bound = |attribute: &str, input: usize| -> Result<Option<f64>> {
        let bound = match call.attribute(attribute) {
            Some(a) => Some(f64::from(a.f)),
            None => call.numbers(input)?.map(|n| n[0]),
        };
        // Unbounded is written as infinity or as the largest number.
        Ok(bound.filter(|b| b.abs() < f64::from(f32::MAX)))
    };
    let (min, max) = (bound("min", 1)?, bound("max", 2)?);
    activation(call, draft, Activation::Clip { min, max })
}

/// Before version 13 all axes from `axis` on are normalised together.
pub(super) fn softmax(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let x = call.feature(0)?;
    let rank = x.layout.axes().len();
    let axis = call.int("axis", if call.opset < 13 { 1 } else { -1 });
    let place = resolve(axis, rank).ok_or_else(|| call.refuse(format!("axis {axis} of {rank}")))?;
    let axes = if call.opset < 13 { &x.layout.axes()[place..] } else { &x.layout.axes()[place..=place] };
    if axes != [Axis::Channel] {
        return Err(call.refuse(format!("expected a softmax over the channels, got axis {axis} of {}", x.layout)));
    }
    Ok(x.at(draft.push(call, Op::Softmax, vec![x.node])?))
}
