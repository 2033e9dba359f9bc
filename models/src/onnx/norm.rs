//! Normalisations: with fixed statistics, and with those of a channel or of a group of channels.

use super::call::Call;
use super::draft::Draft;
use super::layout::Axis;
use super::value::{Feature, Groups};
use crate::{BatchNorm, GroupNorm, InstanceNorm, Op, Result};

/// What is added to variances where the file does not say it.
const EPSILON: f32 = 1e-5;

pub(super) fn batch_norm(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    call.require("training_mode", 0)?;
    call.require("spatial", 1)?;
    let x = call.feature(0)?;
    expect_channels_second(call, x)?;
    let channels = draft.channels(x.node);
    let epsilon = f64::from(call.float("epsilon", EPSILON));
    let node = draft.push(call, Op::BatchNorm(BatchNorm { epsilon }), vec![x.node])?;
    for (input, part) in ["weight", "bias", "running_mean", "running_var"].into_iter().enumerate() {
        draft.tensor(node, part, vec![channels], call.vector(input + 1, channels)?);
    }
    Ok(x.at(node))
}

pub(super) fn instance_norm(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let x = call.feature(0)?;
    expect_channels_second(call, x)?;
    let channels = draft.channels(x.node);
    let norm = InstanceNorm { epsilon: f64::from(call.float("epsilon", EPSILON)), affine: true };
    let node = draft.push(call, Op::InstanceNorm(norm), vec![x.node])?;
    for (input, part) in ["weight", "bias"].into_iter().enumerate() {
        draft.tensor(node, part, vec![channels], call.vector(input + 1, channels)?);
    }
    Ok(x.at(node))
}

/// Weights and biases are those of groups before version 21, and those of channels since.
pub(super) fn group_norm(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let x = call.feature(0)?;
    expect_channels_second(call, x)?;
    let channels = draft.channels(x.node);
    let count = call.int("num_groups", 0);
    let groups = usize::try_from(count).ok().filter(|groups| *groups > 0 && channels.is_multiple_of(*groups));
    let groups = groups.ok_or_else(|| call.refuse(format!("{count} groups of {channels} channels")))?;
    let norm = GroupNorm { groups, epsilon: f64::from(call.float("epsilon", EPSILON)) };
    let node = draft.push(call, Op::GroupNorm(norm), vec![x.node])?;
    for (input, part) in ["weight", "bias"].into_iter().enumerate() {
        let values = if call.opset < 21 {
            spread(call, &call.vector(input + 1, groups)?, channels)?
        } else {
            call.vector(input + 1, channels)?
        };
        draft.tensor(node, part, vec![channels], values);
    }
    Ok(x.at(node))
}

/// The normalisation of groups, as exporters wrote it before there was one: each is a channel.
pub(super) fn norm_of_groups(call: &Call<'_>, draft: &mut Draft, Groups { x, count, of }: &Groups) -> Result<Groups> {
    let norm = GroupNorm { groups: *count, epsilon: f64::from(call.float("epsilon", EPSILON)) };
    let node = draft.push(call, Op::GroupNorm(norm), vec![x.node])?;
    let channels = draft.channels(x.node);
    for (input, part) in ["weight", "bias"].into_iter().enumerate() {
        draft.tensor(node, part, vec![channels], spread(call, &call.vector(input + 1, *count)?, channels)?);
    }
    Ok(Groups { x: x.at(node), count: *count, of: *of })
}

/// Values of groups as those of their channels.
fn spread(call: &Call<'_>, values: &[f32], channels: usize) -> Result<Vec<f32>> {
    call.spend(channels)?;
    Ok(values.iter().flat_map(|value| std::iter::repeat_n(*value, channels / values.len())).collect())
}

fn expect_channels_second(call: &Call<'_>, x: &Feature) -> Result<()> {
    if x.layout.position(Axis::Channel) == Some(1) {
        return Ok(());
    }
    Err(call.refuse(format!("expected channels as the second axis, got {}", x.layout)))
}
