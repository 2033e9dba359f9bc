//! What a node computes.

use candle_core::{Result, Tensor};

use super::{conv, encoding, norm, ops, pool, resize, unpool};
use crate::{Axes, Extent, Graph, Node, Op, Rank};

/// What belongs to the tensors of a graph, in the order of [`Graph::tensors`], by node.
pub(super) fn by_node<T>(graph: &Graph, flat: Vec<T>) -> Vec<Vec<T>> {
    let mut flat = flat.into_iter();
    graph.tensors_by_node().map(|(_, specs)| flat.by_ref().take(specs.len()).collect()).collect()
}

/// The values of a node. `extent` is its own, whose depth is the length of the first dimension: in a planar network that may be samples.
pub(super) fn compute(node: &Node, rank: Rank, tensors: &[Tensor], inputs: &[&Tensor], extent: Extent) -> Result<Tensor> {
    let x = inputs[0];
    match &node.op {
        Op::Input { .. } => Ok(x.clone()),
        Op::Conv(c) => conv::conv(x, &volumetric(&tensors[0], rank)?, tensors.get(1), c),
        Op::ConvTranspose(c) => conv::conv_transpose(x, &volumetric(&tensors[0], rank)?, tensors.get(1), c, extent),
        Op::BatchNorm(bn) => ops::batch_norm(x, tensors, bn.epsilon),
        Op::InstanceNorm(norm) => {
            let groups = x.dim(1)?;
            norm::normalise(x, rank, groups, norm.epsilon, tensors)
        }
        Op::GroupNorm(norm) => norm::normalise(x, rank, norm.groups, norm.epsilon, tensors),
        Op::L2Norm { epsilon } => norm::l2(x, &tensors[0], *epsilon),
        Op::Affine => ops::affine(x, &tensors[0], &tensors[1]),
        Op::Activation(activation) => ops::activation(x, *activation),
        Op::PRelu { .. } => ops::prelu(x, &tensors[0]),
        Op::Softmax => ops::softmax(x),
        Op::Pool(p) => pool::pool(x, p),
        Op::MaxUnpool(unpool) => unpool::max_unpool(x, inputs[1], rank, unpool),
        Op::GlobalAveragePool => match rank {
            Rank::Planar => x.mean_keepdim((2, 3)),
            Rank::Volumetric => x.mean_keepdim((0, 2, 3)),
        },
        Op::AdaptiveAveragePool { bins } => match rank {
            Rank::Planar => resize::bins(x, Axes { z: x.dim(0)?, ..*bins }),
            Rank::Volumetric => resize::bins(x, *bins),
        },
        Op::Encoding(_) => encoding::encode(x, rank, &tensors[0], &tensors[1]),
        Op::Turn(_) => x.transpose(1, 3)?.contiguous(),
        Op::Add => x.broadcast_add(inputs[1]),
        Op::Mul => x.broadcast_mul(inputs[1]),
        Op::Concat => Tensor::cat(inputs, 1),
        Op::Channels { start, count } => x.narrow(1, *start, *count)?.contiguous(),
        Op::Resize(r) => resize::resize(x, r, extent),
        Op::Pad { padding, fill } => ops::pad(x, *padding, *fill),
        Op::Crop { place } => ops::crop(x, *place, extent),
    }
}

/// A kernel with its depth axis, which planar weights lack.
fn volumetric(weight: &Tensor, rank: Rank) -> Result<Tensor> {
    match rank {
        Rank::Planar => weight.unsqueeze(2),
        Rank::Volumetric => Ok(weight.clone()),
    }
}
