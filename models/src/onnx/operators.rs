//! Which operator is read by what.

use super::activation::{activation, clip, hard_sigmoid, leaky_relu, prelu, softmax};
use super::arithmetic::{Arithmetic, arithmetic};
use super::call::Call;
use super::channels::{concat, gather, slice, split};
use super::conv::{conv, conv_transpose};
use super::draft::Draft;
use super::evaluate::{evaluate, shape};
use super::norm::{batch_norm, group_norm, instance_norm, norm_of_groups};
use super::pad::pad;
use super::pool::{average_pool, global_average_pool, max_pool, max_unpool, reduce_mean};
use super::reshape::{from_groups, reshape, squeeze, to_groups, transpose, unsqueeze};
use super::resize::{resize, upsample};
use super::stack::{stack, stacked, sum};
use super::value::{Feature, Value};
use crate::{Activation, Result};

/// The values of a node's outputs, the first ones at least.
pub(super) fn apply(call: &Call<'_>, draft: &mut Draft) -> Result<Vec<Option<Value>>> {
    if !matches!(call.node.domain.as_str(), "" | "ai.onnx") {
        return Err(call.unknown());
    }
    let is_computed = |value: &Value| matches!(value, Value::Feature(_) | Value::Groups(_) | Value::Stack(_));
    let shapes_only = !call.inputs.iter().flatten().any(is_computed);
    if shapes_only && let Some(value) = evaluate(call)? {
        return Ok(vec![Some(value)]);
    }
    let feature = match call.operator() {
        "Concat" if matches!(call.value(0)?, Value::Stack(_)) => return Ok(vec![Some(stacked(call)?)]),
        "InstanceNormalization" if let Value::Groups(groups) = call.value(0)? => {
            return Ok(vec![Some(Value::Groups(norm_of_groups(call, draft, groups)?))]);
        }
        "Reshape" if let Value::Groups(groups) = call.value(0)? => from_groups(call, draft, groups),
        "Reshape" if let Some(groups) = to_groups(call, draft)? => return Ok(vec![Some(Value::Groups(groups))]),
        "Unsqueeze" if let Some(stack) = stack(call)? => return Ok(vec![Some(stack)]),
        "Add" => arithmetic(call, draft, Arithmetic::Add),
        "AveragePool" => average_pool(call, draft),
        "BatchNormalization" => batch_norm(call, draft),
        "Cast" => cast(call),
        "Clip" => clip(call, draft),
        "Concat" => concat(call, draft),
        "Conv" => conv(call, draft),
        "ConvTranspose" => conv_transpose(call, draft),
        "Div" => arithmetic(call, draft, Arithmetic::Div),
        "Dropout" => dropout(call),
        "Gather" => gather(call, draft),
        "GlobalAveragePool" => global_average_pool(call, draft),
        "GroupNormalization" => group_norm(call, draft),
        "HardSigmoid" => hard_sigmoid(call, draft),
        "HardSwish" => activation(call, draft, Activation::HardSwish),
        "Identity" => call.feature(0).cloned(),
        "InstanceNormalization" => instance_norm(call, draft),
        "LeakyRelu" => leaky_relu(call, draft),
        "MaxPool" => return max_pool(call, draft),
        "MaxUnpool" => max_unpool(call, draft),
        "Mul" => arithmetic(call, draft, Arithmetic::Mul),
        "PRelu" => prelu(call, draft),
        "Pad" => pad(call, draft),
        "ReduceMean" => reduce_mean(call, draft),
        "ReduceSum" => sum(call, draft),
        "Relu" => activation(call, draft, Activation::Relu),
        "Reshape" => reshape(call, draft),
        "Resize" => resize(call, draft),
        "Shape" => return Ok(vec![Some(shape(call, draft)?)]),
        "Sigmoid" => activation(call, draft, Activation::Sigmoid),
        "Slice" => slice(call, draft),
        "Softmax" => softmax(call, draft),
        "Split" => return split(call, draft),
        "Squeeze" => squeeze(call, draft),
        "Sub" => arithmetic(call, draft, Arithmetic::Sub),
        "Transpose" => transpose(call),
        "Unsqueeze" => unsqueeze(call),
        "Upsample" => upsample(call, draft),
        // Known on shapes and constants only.
        "Constant" | "ConstantOfShape" | "Flatten" | "Floor" => {
            Err(call.refuse("works on values computed from the network's input"))
        }
        _ => Err(call.unknown()),
    }?;
    Ok(vec![Some(feature.into())])
}

/// All floating-point types are computed as `f32`.
fn cast(call: &Call<'_>) -> Result<Feature> {
    let to = call.cast_to()?;
    if to.is_real() { call.feature(0).cloned() } else { Err(call.refuse(format!("casts scores to {to:?}"))) }
}

fn dropout(call: &Call<'_>) -> Result<Feature> {
    if call.numbers(2)?.is_some_and(|training| training[0] != 0.0) {
        return Err(call.refuse("training mode"));
    }
    call.feature(0).cloned()
}
