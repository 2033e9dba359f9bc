//! Layers to nodes.

use std::collections::HashMap;

use serde_json::Value;

use super::config::{Config, LayerConfig};
use super::layer::Layer;
use super::tensors::Tensors;
use super::{activation, convolution, sampling};
use crate::flaw::Sound;
use crate::onnx::Draft;
use crate::{Axes, Error, Extent, Graph, NodeId, Op, PoolKind, Rank, Result, Weights};

/// The graph of a model's layers, called `name`, and its weights.
pub(super) fn build(name: &str, config: &Config, tensors: &mut Tensors<'_>) -> Sound<(Graph, Weights)> {
    let mut draft = None;
    let mut needs_extent = false;
    let mut nodes: HashMap<&str, NodeId> = HashMap::new();
    for layer in &config.layers {
        let node = if layer.class == "InputLayer" {
            if draft.is_some() {
                return Err(refuse(layer, "expected one input").into());
            }
            let (channels, extent) = input(layer)?;
            draft = Some(Draft::new(Rank::Planar, &layer.name, channels, extent)?);
            NodeId(0)
        } else {
            let find = |input: &String| {
                nodes
                    .get(input.as_str())
                    .copied()
                    .ok_or_else(|| refuse(layer, &format!("it reads `{input}`, which does not come before it")))
            };
            let inputs = layer.inputs.iter().map(find).collect::<Result<Vec<_>>>()?;
            let draft = draft.as_mut().ok_or_else(|| refuse(layer, "expected an input before it"))?;
            apply(Layer { config: layer, inputs, draft, tensors, needs_extent: &mut needs_extent })?
        };
        if nodes.insert(&layer.name, node).is_some() {
            return Err(refuse(layer, "expected a name of its own").into());
        }
    }
    let (Some(mut draft), Some(output)) = (draft, nodes.get(config.output.as_str())) else {
        return Err(Error::Unsuitable { reason: format!("no layer is called `{}`", config.output) }.into());
    };
    if !needs_extent {
        draft.free_extent();
    }
    Ok(draft.finish(name.into(), *output)?)
}

fn apply(mut layer: Layer<'_, '_>) -> Sound<NodeId> {
    match layer.config.class.as_str() {
        "Conv2D" => convolution::conv(layer),
        "DepthwiseConv2D" => convolution::depthwise(layer),
        "SeparableConv2D" => convolution::separable(layer),
        "Conv2DTranspose" => convolution::transpose(layer),
        "BatchNormalization" => convolution::batch_norm(layer),
        "Rescaling" => convolution::rescaling(layer),
        "Activation" => Ok(activation::activation(layer)?),
        "ReLU" => Ok(activation::relu(layer)?),
        "LeakyReLU" => Ok(activation::leaky_relu(layer)?),
        "Softmax" => Ok(activation::softmax(layer)?),
        "MaxPooling2D" => sampling::pool(layer, PoolKind::Max),
        "AveragePooling2D" => sampling::pool(layer, PoolKind::AverageInside),
        "GlobalAveragePooling2D" => sampling::global_average(layer),
        "UpSampling2D" => sampling::upsampling(layer),
        "ZeroPadding2D" => sampling::zero_padding(layer),
        // They do something in training only.
        "Dropout" | "SpatialDropout2D" | "AlphaDropout" | "GaussianDropout" | "GaussianNoise" | "ActivityRegularization" => {
            Ok(layer.input()?)
        }
        "Concatenate" => {
            layer.expect_channel_axis()?;
            let inputs = layer.inputs.clone();
            Ok(layer.push("", Op::Concat, inputs)?)
        }
        "Add" => folded(layer, &Op::Add),
        "Multiply" => folded(layer, &Op::Mul),
        other => Err(Error::UnsupportedOperator { node: layer.config.name.clone(), operator: other.into() }.into()),
    }
}

/// The first two inputs together, that and the third, and so on.
fn folded(mut layer: Layer<'_, '_>, op: &Op) -> Sound<NodeId> {
    let inputs = layer.inputs.clone();
    let [first, rest @ ..] = inputs.as_slice() else { return Err(layer.refuse("expected inputs").into()) };
    rest.iter().try_fold(*first, |sum, input| Ok(layer.push("", op.clone(), vec![sum, *input])?))
}

/// Channels and extent of the input, `(batch, height, width, channels)`; the extent is open if one of its axes is.
fn input(layer: &LayerConfig) -> Result<(usize, Option<Extent>)> {
    let shape = ["batch_input_shape", "batch_shape"].iter().find_map(|key| layer.options.get(*key)?.as_array());
    let number = |value: &Value| value.as_u64().filter(|number| (1..=1 << 24).contains(number)).map(|number| number as usize);
    match shape.map(Vec::as_slice) {
        Some([_batch, y, x, channels]) => {
            let channels = number(channels).ok_or_else(|| refuse(layer, "expected a fixed number of channels"))?;
            let extent = number(y).zip(number(x)).map(|(y, x)| Axes { z: 1, y, x });
            Ok((channels, extent))
        }
        _ => Err(refuse(layer, "expected an image of height, width and channels")),
    }
}

fn refuse(layer: &LayerConfig, reason: &str) -> Error {
    Error::UnsupportedUse { node: layer.name.clone(), operator: layer.class.clone(), reason: reason.into() }
}
