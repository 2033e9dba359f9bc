//! Element-wise functions, softmax and batch normalisation.

use super::call::Call;
use super::draft::Draft;
use super::layout::{Axis, resolve};
use super::value::Feature;
use crate::{Activation, BatchNorm, Op, Result};

/// An element-wise function; the order of axes does not matter.
pub(super) fn activation(call: &Call<'_>, draft: &mut Draft, function: Activation) -> Result<Feature> {
    let x = call.feature(0)?;
    Ok(x.at(draft.push(call, Op::Activation(function), vec![x.node])?))
}

pub(super) fn leaky_relu(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    activation(call, draft, Activation::LeakyRelu { slope: f64::from(call.float("alpha", 0.01)) })
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

pub(super) fn batch_norm(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    call.require("training_mode", 0)?;
    call.require("spatial", 1)?;
    let x = call.feature(0)?;
    if x.layout.position(Axis::Channel) != Some(1) {
        return Err(call.refuse(format!("expected channels as the second axis, got {}", x.layout)));
    }
    let channels = draft.channels(x.node);
    let epsilon = f64::from(call.float("epsilon", 1e-5));
    let node = draft.push(call, Op::BatchNorm(BatchNorm { epsilon }), vec![x.node])?;
    for (input, part) in ["weight", "bias", "running_mean", "running_var"].into_iter().enumerate() {
        draft.tensor(node, part, vec![channels], call.vector(input + 1, channels)?);
    }
    Ok(x.at(node))
}
