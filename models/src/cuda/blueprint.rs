//! What is computed for a batch of tiles of one extent, and how much of the card's memory it takes: decided without a card.

use super::arguments::GROUP;
use super::candidates::is_fused;
use super::convolution_plan::ConvolutionShape;
use super::kernel::Stored;
use crate::cpu::{Demand, Fusion, Group, Last, Placement, View};
use crate::passes::{drop_identities, drop_unused, fold_batch_norm};
use crate::{Activation, Axes, Conv, ConvTranspose, Extent, Graph, NodeId, Op, Precision, Result, Shape, Weights};

/// What is computed for a batch of tiles of one extent, in groups of nodes.
#[derive(Debug)]
pub(super) struct Blueprint {
    pub(super) tile: Extent,
    pub(super) batch: usize,
    /// Of every node.
    pub(super) shapes: Vec<Shape>,
    /// In the order in which they are computed; the input is none.
    pub(super) groups: Vec<Group>,
    pub(super) maps: Vec<MapOf>,
    pub(super) last: Last,
    pub(super) placement: Placement,
}

/// A map of scores, resized or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MapOf {
    /// The node that gives its values.
    pub(super) from: NodeId,
    /// The resizing that is computed with the scores.
    pub(super) resized: Option<NodeId>,
}

/// A graph with as little to compute as the passes leave.
pub(super) fn lower(graph: &Graph, weights: &Weights) -> Result<(Graph, Weights)> {
    let (lowered, weights) = drop_unused(&drop_identities(graph)?, weights.clone())?;
    fold_batch_norm(&lowered, weights)
}

impl Blueprint {
    pub(super) fn new(graph: &Graph, tile: Extent, batch: usize) -> Result<Self> {
        let shapes = graph.shapes(tile)?;
        let fusion = Fusion::new(graph, &shapes);
        let resized = |id: NodeId| {
            let node = &graph.nodes()[id.index()];
            let is_own = matches!(node.op, Op::Resize(_)) && !fusion.gives(id);
            if is_own { MapOf { from: node.inputs[0], resized: Some(id) } } else { MapOf { from: id, resized: None } }
        };
        let maps: Vec<MapOf> = fusion.maps.iter().map(|&id| resized(id)).collect();
        let last = fusion.last;
        let groups: Vec<Group> = fusion.groups.into_iter().filter(|group| group.node != 0).collect();
        let views: Vec<View> = (0..shapes.len()).map(|host| View { host, first_channel: 0 }).collect();
        let inputs: Vec<Vec<usize>> = groups.iter().map(|group| inputs(graph, group)).collect();
        let demands: Vec<Demand<'_>> = groups
            .iter()
            .zip(&inputs)
            .map(|(group, inputs)| Demand {
                inputs,
                output: group.output,
                is_local: is_local(&graph.nodes()[group.node].op),
                scratch: scratch(graph, group, &shapes, batch),
            })
            .collect();
        let elements = |shape: Shape| batch * filled(shape).elements();
        let placement = Placement::new(&demands, maps.iter().map(|map| map.from.index()), &shapes, &views, elements);
        Ok(Self { tile, batch, shapes, groups, maps, last, placement })
    }

    /// What a library is asked to compute of a group: a convolution of all channels, or of kernel 1 in the place of a transposed one whose phases
    /// do not overlap. `None` for all else.
    pub(super) fn convolution(&self, graph: &Graph, group: &Group, precision: Precision) -> Option<ConvolutionShape> {
        let node = &graph.nodes()[group.node];
        let from = node.inputs.first()?.index();
        let [input, output] = [from, group.node].map(|node| filled(self.shapes[node]));
        let own = ConvolutionShape {
            precision,
            batch: self.batch,
            in_channels: input.channels,
            input: input.extent,
            out_channels: output.channels,
            output: output.extent,
            kernel: Axes::cube(1),
            stride: Axes::cube(1),
            padding: Axes::default(),
            dilation: Axes::cube(1),
            residual: group.residual.is_some(),
            activation: group.activation.filter(|activation| is_fused(*activation)),
        };
        match node.op {
            Op::Conv(Conv { kernel, stride, padding, dilation, groups: 1, .. }) => {
                Some(ConvolutionShape { kernel, stride, padding, dilation, ..own })
            }
            Op::ConvTranspose(conv) if has_phases(&conv) => {
                let out_channels = output.channels * conv.stride.product();
                Some(ConvolutionShape { out_channels, output: input.extent, ..own })
            }
            _ => None,
        }
    }

    /// The activation that a library does not apply, and that follows what it computes.
    pub(super) fn later(group: &Group) -> Option<Activation> {
        group.activation.filter(|activation| !is_fused(*activation))
    }

    /// Bytes of all buffers.
    pub(super) fn bytes(&self, stored: Stored) -> usize {
        self.placement.buffers.elements() * stored.bytes()
    }
}

/// The shape with as many channels as are kept.
fn filled(shape: Shape) -> Shape {
    Shape { channels: shape.channels.next_multiple_of(GROUP), ..shape }
}

/// The values that a group reads; what is added to a convolution is the last.
pub(super) fn inputs(graph: &Graph, group: &Group) -> Vec<usize> {
    graph.nodes()[group.node].value_inputs().iter().chain(&group.residual).map(|input| input.index()).collect()
}

/// Whether the last kernel reads no other value than those of the pixel in whose place it writes.
fn is_local(op: &Op) -> bool {
    match op {
        Op::BatchNorm(_)
        | Op::InstanceNorm(_)
        | Op::GroupNorm(_)
        | Op::L2Norm { .. }
        | Op::Affine
        | Op::Activation(_)
        | Op::PRelu { .. }
        | Op::Softmax
        | Op::Add
        | Op::Mul => true,
        Op::Input { .. }
        | Op::Conv(_)
        | Op::ConvTranspose(_)
        | Op::Pool(_)
        | Op::MaxUnpool(_)
        | Op::GlobalAveragePool
        | Op::AdaptiveAveragePool { .. }
        | Op::Encoding(_)
        | Op::Turn(_)
        | Op::Crop { .. }
        | Op::Concat
        | Op::Channels { .. }
        | Op::Resize(_)
        | Op::Pad { .. } => false,
    }
}

/// Elements that the group's kernels need room for beside its values.
fn scratch(graph: &Graph, group: &Group, shapes: &[Shape], batch: usize) -> usize {
    match &graph.nodes()[group.node].op {
        Op::ConvTranspose(conv) if has_phases(conv) => batch * filled(shapes[group.node]).elements(),
        _ => 0,
    }
}

/// Whether a transposed convolution is one of kernel 1 whose results only have to be put in their places.
fn has_phases(conv: &ConvTranspose) -> bool {
    let none = conv.padding.is_zero() && conv.output_padding == Axes::cube(0);
    conv.kernel == conv.stride && none && conv.dilation == Axes::cube(1) && conv.groups == 1
}
