//! Functions of single values, and of the channels of a position.

use super::layer::Layer;
use crate::{Activation, NodeId, Op, Result};

/// The layer's function of a node by its name in Keras; the node itself where it is `linear`.
pub(super) fn activated(layer: &mut Layer<'_, '_>, node: NodeId, name: &str) -> Result<NodeId> {
    let op = match name {
        "linear" => return Ok(node),
        "relu" => Op::Activation(Activation::Relu),
        "relu6" => Op::Activation(Activation::Clip { min: Some(0.0), max: Some(6.0) }),
        "sigmoid" => Op::Activation(Activation::Sigmoid),
        "softmax" => Op::Softmax,
        "leaky_relu" => Op::Activation(Activation::LeakyRelu { slope: 0.2 }),
        "swish" | "silu" => {
            let gate = layer.push("gate", Op::Activation(Activation::Sigmoid), vec![node])?;
            return layer.push(name, Op::Mul, vec![node, gate]);
        }
        other => return Err(layer.refuse(format!("the activation {other} is not supported"))),
    };
    layer.push(name, op, vec![node])
}

/// `Activation`.
pub(super) fn activation(mut layer: Layer<'_, '_>) -> Result<NodeId> {
    let input = layer.input()?;
    let name = layer.text("activation", "linear")?.to_owned();
    activated(&mut layer, input, &name)
}

/// `ReLU`, with its bounds.
pub(super) fn relu(mut layer: Layer<'_, '_>) -> Result<NodeId> {
    let input = layer.input()?;
    let (threshold, slope) = (layer.number("threshold", 0.0)?, layer.number("negative_slope", 0.0)?);
    let max = layer.option("max_value").map(|_| layer.number("max_value", 0.0)).transpose()?;
    if threshold != 0.0 || (slope != 0.0 && max.is_some()) {
        return Err(layer.refuse("a threshold, or a slope with a largest value, is not supported"));
    }
    let op = match max {
        None if slope == 0.0 => Activation::Relu,
        None => Activation::LeakyRelu { slope },
        Some(_) => Activation::Clip { min: Some(0.0), max },
    };
    layer.push("", Op::Activation(op), vec![input])
}

/// `LeakyReLU`, whose slope was called `alpha` before Keras 3.
pub(super) fn leaky_relu(mut layer: Layer<'_, '_>) -> Result<NodeId> {
    let input = layer.input()?;
    let slope = layer.number("negative_slope", layer.number("alpha", 0.3)?)?;
    layer.push("", Op::Activation(Activation::LeakyRelu { slope }), vec![input])
}

/// `Softmax` over the channels.
pub(super) fn softmax(mut layer: Layer<'_, '_>) -> Result<NodeId> {
    let input = layer.input()?;
    layer.expect_channel_axis()?;
    layer.push("", Op::Softmax, vec![input])
}
