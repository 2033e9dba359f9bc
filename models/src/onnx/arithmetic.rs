//! Sums, differences, products and quotients of feature maps with one another and with constants.

use super::call::{Call, Parameter};
use super::draft::Draft;
use super::layout::Axis;
use super::value::{Feature, Value};
use crate::{NodeId, Op, Result};

/// Which arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
}

pub(super) fn arithmetic(call: &Call<'_>, draft: &mut Draft, which: Arithmetic) -> Result<Feature> {
    match (call.value(0)?, call.value(1)?) {
        (Value::Feature(a), Value::Feature(b)) => of_features(call, draft, which, a, b),
        (Value::Feature(x), _) => {
            let c = per_channel(call, draft, x, call.parameter(1)?)?;
            let (weight, bias) = match which {
                Arithmetic::Add => (vec![1.0; c.len()], c),
                Arithmetic::Sub => (vec![1.0; c.len()], c.into_iter().map(|v| -v).collect()),
                Arithmetic::Mul => (c.clone(), vec![0.0; c.len()]),
                Arithmetic::Div => (c.iter().map(|v| v.recip()).collect(), vec![0.0; c.len()]),
            };
            Ok(x.at(affine(call, draft, x.node, weight, bias)?))
        }
        (_, Value::Feature(x)) => {
            let c = per_channel(call, draft, x, call.parameter(0)?)?;
            let (weight, bias) = match which {
                Arithmetic::Add => (vec![1.0; c.len()], c),
                Arithmetic::Sub => (vec![-1.0; c.len()], c),
                Arithmetic::Mul => (c.clone(), vec![0.0; c.len()]),
                Arithmetic::Div => return Err(call.refuse("divides by values computed from the network's input")),
            };
            Ok(x.at(affine(call, draft, x.node, weight, bias)?))
        }
        _ => Err(call.refuse("arithmetic that is not supported on these constants or shapes")),
    }
}

fn of_features(call: &Call<'_>, draft: &mut Draft, which: Arithmetic, a: &Feature, b: &Feature) -> Result<Feature> {
    if a.layout != b.layout {
        return Err(call.refuse(format!("expected two inputs with the same axes, got {} and {}", a.layout, b.layout)));
    }
    let node = match which {
        Arithmetic::Add => draft.push(call, Op::Add, vec![a.node, b.node])?,
        Arithmetic::Mul => draft.push(call, Op::Mul, vec![a.node, b.node])?,
        Arithmetic::Sub => {
            let channels = draft.channels(b.node);
            let negated = affine(call, draft, b.node, vec![-1.0; channels], vec![0.0; channels])?;
            draft.push(call, Op::Add, vec![a.node, negated])?
        }
        Arithmetic::Div => return Err(call.refuse("divides by values computed from the network's input")),
    };
    Ok(a.at(node))
}

/// `x * weight + bias`, channel by channel.
pub(super) fn affine(call: &Call<'_>, draft: &mut Draft, x: NodeId, weight: Vec<f32>, bias: Vec<f32>) -> Result<NodeId> {
    let channels = weight.len();
    call.spend(2 * channels)?;
    let node = draft.push(call, Op::Affine, vec![x])?;
    draft.tensor(node, "weight", vec![channels], weight);
    draft.tensor(node, "bias", vec![channels], bias);
    Ok(node)
}

/// A constant as one value for each channel of `x`. Its axes line up with the last ones of `x`, as in numpy.
pub(super) fn per_channel(call: &Call<'_>, draft: &Draft, x: &Feature, parameter: Parameter) -> Result<Vec<f32>> {
    let channels = draft.channels(x.node);
    let Parameter { dims, values } = parameter;
    let axes = x.layout.axes();
    let lined_up = axes.len().checked_sub(dims.len()).is_some_and(|skip| {
        axes[skip..].iter().zip(&dims).all(|(axis, length)| *length == 1 || (*axis == Axis::Channel && *length == channels))
    });
    match values.as_slice() {
        [one] if lined_up => Ok(vec![*one; channels]),
        _ if lined_up => Ok(values),
        _ => {
            Err(call
                .refuse(format!("expected one value per channel of {} channels in {}, got shape {dims:?}", channels, x.layout)))
        }
    }
}
