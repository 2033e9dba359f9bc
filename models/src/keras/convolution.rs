//! Convolutions and what scales channels.

use super::activation::activated;
use super::layer::{Layer, shared};
use crate::flaw::Sound;
use crate::{Axes, BatchNorm, Conv, ConvTranspose, NodeId, Op};

/// `Conv2D`: kernel `(height, width, in / groups, out)`.
pub(super) fn conv(mut layer: Layer<'_, '_>) -> Sound<NodeId> {
    let input = layer.input()?;
    let out = layer.size("filters", None)?;
    let groups = layer.size("groups", Some(1))?;
    let conv = window(&mut layer, input, out, groups)?;
    let node = layer.push("", Op::Conv(conv), vec![input])?;
    let fan_in = layer.draft.channels(input) / groups;
    let kernel = layer.take("kernel", &[conv.kernel.y, conv.kernel.x, fan_in, out])?;
    let shape = vec![out, fan_in, conv.kernel.y, conv.kernel.x];
    layer.draft.tensor(node, "weight", shape, transposed(&kernel, conv.kernel, [fan_in, out], Order::LastFirst));
    finish(layer, node, conv.bias, out)
}

/// `DepthwiseConv2D`: kernel `(height, width, in, multiplier)`; channel `c` gives those from `c * multiplier` on.
pub(super) fn depthwise(mut layer: Layer<'_, '_>) -> Sound<NodeId> {
    let input = layer.input()?;
    let channels = layer.draft.channels(input);
    let multiplier = layer.size("depth_multiplier", Some(1))?;
    let out = channels.saturating_mul(multiplier);
    let conv = window(&mut layer, input, out, channels)?;
    let node = layer.push("", Op::Conv(conv), vec![input])?;
    depthwise_weight(&mut layer, node, conv.kernel, [channels, multiplier], "kernel")?;
    finish(layer, node, conv.bias, out)
}

/// `SeparableConv2D`: a depthwise convolution, then a pointwise one with the bias.
pub(super) fn separable(mut layer: Layer<'_, '_>) -> Sound<NodeId> {
    let input = layer.input()?;
    let channels = layer.draft.channels(input);
    let (out, multiplier) = (layer.size("filters", None)?, layer.size("depth_multiplier", Some(1))?);
    let middle = channels.saturating_mul(multiplier);
    let conv = window(&mut layer, input, middle, channels)?;
    let depthwise = layer.push("depthwise", Op::Conv(Conv { bias: false, ..conv }), vec![input])?;
    depthwise_weight(&mut layer, depthwise, conv.kernel, [channels, multiplier], "depthwise_kernel")?;
    let pointwise = Conv { bias: conv.bias, ..Conv::square(out, 1) };
    let node = layer.push("pointwise", Op::Conv(pointwise), vec![depthwise])?;
    let kernel = layer.take("pointwise_kernel", &[1, 1, middle, out])?;
    let weight = transposed(&kernel, Axes::plane(1), [middle, out], Order::LastFirst);
    layer.draft.tensor(node, "weight", vec![out, middle, 1, 1], weight);
    finish(layer, node, conv.bias, out)
}

/// `Conv2DTranspose`: kernel `(height, width, out, in)`. With `same` padding, the output is stride times the input.
pub(super) fn transpose(mut layer: Layer<'_, '_>) -> Sound<NodeId> {
    let input = layer.input()?;
    let (out, channels) = (layer.size("filters", None)?, layer.draft.channels(input));
    channels_last(&layer)?;
    if let Some(padding) = layer.option("output_padding") {
        return Err(layer.refuse(format!("`output_padding` {padding} is not supported")).into());
    }
    let kernel = layer.plane("kernel_size", None)?;
    let stride = layer.plane("strides", Some(Axes::plane(1)))?;
    if layer.plane("dilation_rate", Some(Axes::plane(1)))? != Axes::plane(1) {
        return Err(layer.refuse("a dilation is not supported").into());
    }
    let sizes = kernel.zip(stride);
    let padding = match layer.text("padding", "valid")? {
        "valid" => Axes::default(),
        "same" => sizes.map(|(kernel, stride)| shared(kernel.saturating_sub(stride))),
        other => return Err(layer.refuse(format!("`padding`: expected valid or same, got {other}")).into()),
    };
    let bias = layer.flag("use_bias", true)?;
    let op = ConvTranspose {
        out_channels: out,
        kernel,
        stride,
        padding,
        // A kernel that is smaller than the stride leaves a rest at the end.
        output_padding: sizes.map(|(kernel, stride)| stride.saturating_sub(kernel)),
        dilation: Axes::plane(1),
        groups: 1,
        bias,
    };
    let node = layer.push("", Op::ConvTranspose(op), vec![input])?;
    let values = layer.take("kernel", &[kernel.y, kernel.x, out, channels])?;
    let weight = transposed(&values, kernel, [out, channels], Order::LastFirst);
    layer.draft.tensor(node, "weight", vec![channels, out, kernel.y, kernel.x], weight);
    finish(layer, node, bias, out)
}

/// `BatchNormalization` with its moving statistics; without `scale` the factor is 1, without `center` the summand 0.
pub(super) fn batch_norm(mut layer: Layer<'_, '_>) -> Sound<NodeId> {
    let input = layer.input()?;
    layer.expect_channel_axis()?;
    let channels = layer.draft.channels(input);
    let epsilon = layer.number("epsilon", 1e-3)?;
    let node = layer.push("", Op::BatchNorm(BatchNorm { epsilon }), vec![input])?;
    layer.tensors.count(2 * channels)?;
    let gamma = if layer.flag("scale", true)? { layer.take("gamma", &[channels])? } else { vec![1.0; channels] };
    let beta = if layer.flag("center", true)? { layer.take("beta", &[channels])? } else { vec![0.0; channels] };
    let (mean, variance) = (layer.take("moving_mean", &[channels])?, layer.take("moving_variance", &[channels])?);
    for (part, values) in [("weight", gamma), ("bias", beta), ("running_mean", mean), ("running_var", variance)] {
        layer.draft.tensor(node, part, vec![channels], values);
    }
    Ok(node)
}

/// `Rescaling`: `x * scale + offset`.
pub(super) fn rescaling(mut layer: Layer<'_, '_>) -> Sound<NodeId> {
    let input = layer.input()?;
    let channels = layer.draft.channels(input);
    layer.tensors.count(2 * channels)?;
    let node = layer.push("", Op::Affine, vec![input])?;
    for (part, key, default) in [("weight", "scale", None), ("bias", "offset", Some(0.0))] {
        let value = layer.option(key).map(|value| serde_json::from_value::<OneOrEach>(value.clone()));
        let values = match (value, default) {
            (Some(Ok(OneOrEach::One(value))), _) => vec![value; channels],
            (Some(Ok(OneOrEach::Each(values))), _) if values.len() == channels => values,
            (None, Some(default)) => vec![default; channels],
            _ => return Err(layer.refuse(format!("`{key}`: expected a number, or one for each of {channels} channels")).into()),
        };
        layer.draft.tensor(node, part, vec![channels], values);
    }
    Ok(node)
}

/// One value for all channels, or one for each.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum OneOrEach {
    One(f32),
    Each(Vec<f32>),
}

/// The convolution that a layer's options tell.
fn window(layer: &mut Layer<'_, '_>, input: NodeId, out_channels: usize, groups: usize) -> Sound<Conv> {
    channels_last(layer)?;
    let kernel = layer.plane("kernel_size", None)?;
    let stride = layer.plane("strides", Some(Axes::plane(1)))?;
    let dilation = layer.plane("dilation_rate", Some(Axes::plane(1)))?;
    let padding = layer.padding(input, kernel.zip(dilation).map(|(kernel, dilation)| (kernel - 1) * dilation + 1), stride)?;
    Ok(Conv { out_channels, kernel, stride, padding, dilation, groups, bias: layer.flag("use_bias", true)? })
}

pub(super) fn channels_last(layer: &Layer<'_, '_>) -> Sound<()> {
    Ok(layer.expect("data_format", &"channels_last".into())?)
}

fn depthwise_weight(layer: &mut Layer<'_, '_>, node: NodeId, kernel: Axes<usize>, channels: [usize; 2], part: &str) -> Sound<()> {
    // `DepthwiseConv2D` has called it so, too.
    let other = if part == "kernel" { "depthwise_kernel" } else { part };
    let shape = [kernel.y, kernel.x, channels[0], channels[1]];
    let part = if layer.tensors.has(&layer.config.name, other) { other } else { part };
    let values = layer.take(part, &shape)?;
    let weight = transposed(&values, kernel, channels, Order::FirstFirst);
    layer.draft.tensor(node, "weight", vec![channels[0] * channels[1], 1, kernel.y, kernel.x], weight);
    Ok(())
}

/// Gives the node its bias, and puts the layer's activation behind it.
fn finish(mut layer: Layer<'_, '_>, node: NodeId, bias: bool, out: usize) -> Sound<NodeId> {
    if bias {
        let values = layer.take("bias", &[out])?;
        layer.draft.tensor(node, "bias", vec![out], values);
    }
    let activation = layer.text("activation", "linear")?.to_owned();
    Ok(activated(&mut layer, node, &activation)?)
}

/// Which of the last two axes of a kernel of Keras becomes the first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    FirstFirst,
    LastFirst,
}

/// A kernel of `(height, width, a, b)` as `(b, a, height, width)` or `(a, b, height, width)`.
fn transposed(values: &[f32], kernel: Axes<usize>, [a, b]: [usize; 2], order: Order) -> Vec<f32> {
    let plane = kernel.y * kernel.x;
    let (slow, fast) = if order == Order::LastFirst { (b, a) } else { (a, b) };
    let pairs = (0..slow).flat_map(|slow| (0..fast).map(move |fast| (slow, fast)));
    let place = |(slow, fast): (usize, usize)| if order == Order::LastFirst { fast * b + slow } else { slow * b + fast };
    pairs.flat_map(|pair| (0..plane).map(move |at| values[at * a * b + place(pair)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_change_their_axes() {
        // Height 1, width 2, a 2, b 3; the value is `100 * x + 10 * a + b`.
        let values = [0.0, 1.0, 2.0, 10.0, 11.0, 12.0, 100.0, 101.0, 102.0, 110.0, 111.0, 112.0];
        let kernel = Axes { z: 1, y: 1, x: 2 };
        let by_b = [0.0, 100.0, 10.0, 110.0, 1.0, 101.0, 11.0, 111.0, 2.0, 102.0, 12.0, 112.0];
        assert_eq!(transposed(&values, kernel, [2, 3], Order::LastFirst), by_b);
        let by_a = [0.0, 100.0, 1.0, 101.0, 2.0, 102.0, 10.0, 110.0, 11.0, 111.0, 12.0, 112.0];
        assert_eq!(transposed(&values, kernel, [2, 3], Order::FirstFirst), by_a);
    }
}
