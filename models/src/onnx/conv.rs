//! Convolutions and transposed convolutions.

use super::call::{Call, Parameter};
use super::draft::Draft;
use super::sliding::{Sliding, axes, expect_channels_first, sizes};
use super::value::Feature;
use crate::{Axes, Conv, ConvTranspose, NodeId, Op, Result};

pub(super) fn conv(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let weight = Kernel::read(call, draft)?;
    let x = call.feature(0)?;
    let sliding = Sliding::read(call, draft.rank(), Some(&weight.dims[2..]))?;
    let conv = Conv {
        out_channels: weight.dims[0],
        kernel: sliding.kernel,
        stride: sliding.stride,
        padding: sliding.padding(call, draft.extent(x.node))?,
        dilation: sliding.dilation,
        groups: weight.groups,
        bias: call.optional(2).is_some(),
    };
    let expected = draft.channels(x.node) / weight.groups;
    weight.expect_channels(call, 1, expected)?;
    let node = draft.push(call, Op::Conv(conv), vec![x.node])?;
    weight.store(call, draft, node, conv.out_channels)?;
    Ok(x.at(node))
}

pub(super) fn conv_transpose(call: &Call<'_>, draft: &mut Draft) -> Result<Feature> {
    let weight = Kernel::read(call, draft)?;
    let x = call.feature(0)?;
    let attribute = |name: &str, neutral: usize| -> Result<Option<Axes<usize>>> {
        call.ints(name).map(|list| axes(call, draft.rank(), name, &sizes(call, name, list)?, neutral)).transpose()
    };
    let sliding = Sliding::read(call, draft.rank(), Some(&weight.dims[2..]))?;
    let output_padding = attribute("output_padding", 0)?.unwrap_or_default();
    let padding = sliding.cropping(call, draft.extent(x.node), output_padding, attribute("output_shape", 1)?)?;
    let too_many = || call.refuse(format!("{} groups of {} output channels", weight.groups, weight.dims[1]));
    let conv = ConvTranspose {
        out_channels: weight.dims[1].checked_mul(weight.groups).ok_or_else(too_many)?,
        kernel: sliding.kernel,
        stride: sliding.stride,
        padding,
        output_padding,
        dilation: sliding.dilation,
        groups: weight.groups,
        bias: call.optional(2).is_some(),
    };
    let expected = draft.channels(x.node);
    weight.expect_channels(call, 0, expected)?;
    let node = draft.push(call, Op::ConvTranspose(conv), vec![x.node])?;
    weight.store(call, draft, node, conv.out_channels)?;
    Ok(x.at(node))
}

/// A weight of at least two axes, and the number of groups.
struct Kernel {
    dims: Vec<usize>,
    values: Vec<f32>,
    groups: usize,
}

impl Kernel {
    fn read(call: &Call<'_>, draft: &Draft) -> Result<Self> {
        expect_channels_first(call, draft, call.feature(0)?)?;
        let Parameter { dims, values } = call.parameter(1)?;
        if dims.len() < 2 || dims.contains(&0) {
            return Err(call.refuse(format!("the weight has shape {dims:?}")));
        }
        let groups = call.int("group", 1);
        match usize::try_from(groups) {
            Ok(groups) if groups > 0 => Ok(Self { dims, values, groups }),
            _ => Err(call.refuse(format!("{groups} groups"))),
        }
    }

    fn expect_channels(&self, call: &Call<'_>, axis: usize, expected: usize) -> Result<()> {
        if self.dims[axis] == expected {
            return Ok(());
        }
        Err(call.refuse(format!("expected a weight with {expected} channels on axis {axis}, got shape {:?}", self.dims)))
    }

    fn store(self, call: &Call<'_>, draft: &mut Draft, node: NodeId, out_channels: usize) -> Result<()> {
        draft.tensor(node, "weight", self.dims, self.values);
        if call.optional(2).is_some() {
            draft.tensor(node, "bias", vec![out_channels], call.vector(2, out_channels)?);
        }
        Ok(())
    }
}
