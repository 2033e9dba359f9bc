//! Writing a network down so that it reads like the paper's figure.

use std::fmt;
use std::ops::Div;

use crate::{
    Activation, Axes, BatchNorm, Conv, ConvTranspose, Coordinates, CropPlace, Graph, GroupNorm, InstanceNorm, Interpolation,
    MaxUnpool, Node, NodeId, Op, Padding, Pool, PoolKind, Rank, Resize, ResizeTo, Result, Slopes,
};

/// The dotted name of a part of a network: `&scope / "conv1"` is `scope.conv1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    /// A scope without a parent.
    #[must_use]
    pub fn root(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<T: fmt::Display> Div<T> for &Scope {
    type Output = Scope;

    fn div(self, part: T) -> Scope {
        if self.0.is_empty() { Scope(part.to_string()) } else { Scope(format!("{}.{part}", self.0)) }
    }
}

/// Collects nodes and names those that hold no tensors.
#[derive(Debug)]
pub struct Builder {
    name: String,
    rank: Rank,
    nodes: Vec<Node>,
}

/// The node just added, to which further ones can be chained.
#[derive(Debug)]
pub struct Chain<'b> {
    builder: &'b mut Builder,
    node: NodeId,
}

impl Builder {
    /// A network with one input of the given number of bands.
    #[must_use]
    pub fn new(name: impl Into<String>, rank: Rank, bands: usize) -> Self {
        let input = Node { name: "input".into(), op: Op::Input { channels: bands }, inputs: Vec::new() };
        Self { name: name.into(), rank, nodes: vec![input] }
    }

    /// The input.
    #[must_use]
    pub fn input(&self) -> NodeId {
        NodeId(0)
    }

    /// Adds a node with a name of its own; that the graph is sound is checked in [`Builder::build`].
    pub fn push(&mut self, name: impl Into<String>, op: Op, inputs: Vec<NodeId>) -> Chain<'_> {
        let node = NodeId(self.nodes.len());
        self.nodes.push(Node { name: name.into(), op, inputs });
        Chain { builder: self, node }
    }

    fn push_unnamed(&mut self, op: Op, inputs: Vec<NodeId>) -> Chain<'_> {
        let name = format!("{}_{}", op.label(), self.nodes.len());
        self.push(name, op, inputs)
    }

    /// A convolution of `x`.
    pub fn conv(&mut self, x: NodeId, scope: &Scope, conv: Conv) -> Chain<'_> {
        self.push(scope.to_string(), Op::Conv(conv), vec![x])
    }

    /// The sum of two nodes.
    pub fn add(&mut self, a: NodeId, b: NodeId) -> Chain<'_> {
        self.push_unnamed(Op::Add, vec![a, b])
    }

    /// The channels of all nodes, one after the other.
    pub fn concat(&mut self, parts: Vec<NodeId>) -> Chain<'_> {
        self.push_unnamed(Op::Concat, parts)
    }

    /// `x` resized bilinearly to the extent of `like`, with half-pixel coordinates (`align_corners=False`).
    pub fn resize_like(&mut self, x: NodeId, like: NodeId) -> Chain<'_> {
        let resize = Resize { interpolation: Interpolation::Linear, coordinates: Coordinates::HalfPixel, to: ResizeTo::Like };
        self.push_unnamed(Op::Resize(resize), vec![x, like])
    }

    /// The product of two nodes.
    pub fn mul(&mut self, a: NodeId, b: NodeId) -> Chain<'_> {
        self.push_unnamed(Op::Mul, vec![a, b])
    }

    /// A transposed convolution of `x`.
    pub fn conv_transpose(&mut self, x: NodeId, scope: &Scope, conv: ConvTranspose) -> Chain<'_> {
        self.push(scope.to_string(), Op::ConvTranspose(conv), vec![x])
    }

    /// `x` resized to the extent of `like`.
    pub fn resize(&mut self, x: NodeId, like: NodeId, interpolation: Interpolation, coordinates: Coordinates) -> Chain<'_> {
        self.push_unnamed(Op::Resize(Resize { interpolation, coordinates, to: ResizeTo::Like }), vec![x, like])
    }

    /// The part of `x` that is as large as `like`.
    pub fn crop(&mut self, x: NodeId, like: NodeId, place: CropPlace) -> Chain<'_> {
        self.push_unnamed(Op::Crop { place }, vec![x, like])
    }

    /// Undoes the pooling of `pooled`, whose maxima say where the values go.
    pub fn max_unpool(&mut self, values: NodeId, pooled: NodeId, unpool: MaxUnpool) -> Chain<'_> {
        self.push_unnamed(Op::MaxUnpool(unpool), vec![values, pooled])
    }

    /// Continues at a node.
    pub fn at(&mut self, node: NodeId) -> Chain<'_> {
        Chain { builder: self, node }
    }

    /// The finished graph.
    ///
    /// # Errors
    /// As [`Graph::new`].
    pub fn build(self, output: NodeId) -> Result<Graph> {
        Graph::new(self.name, self.rank, self.nodes, output, None)
    }
}

impl Chain<'_> {
    /// The node reached.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.node
    }

    fn then(self, op: Op) -> Self {
        let node = self.builder.push_unnamed(op, vec![self.node]).node;
        Self { builder: self.builder, node }
    }

    fn then_named(self, scope: &Scope, op: Op) -> Self {
        let node = self.builder.push(scope.to_string(), op, vec![self.node]).node;
        Self { builder: self.builder, node }
    }

    /// A convolution.
    #[must_use]
    pub fn conv(self, scope: &Scope, conv: Conv) -> Self {
        self.then_named(scope, Op::Conv(conv))
    }

    /// Batch normalisation with PyTorch's epsilon of 1e-5.
    #[must_use]
    pub fn bn(self, scope: &Scope) -> Self {
        self.bn_with(scope, 1e-5)
    }

    /// Batch normalisation with another epsilon.
    #[must_use]
    pub fn bn_with(self, scope: &Scope, epsilon: f64) -> Self {
        self.then_named(scope, Op::BatchNorm(BatchNorm { epsilon }))
    }

    /// Instance normalisation with PyTorch's epsilon of 1e-5.
    #[must_use]
    pub fn instance_norm(self, scope: &Scope, affine: bool) -> Self {
        self.then_named(scope, Op::InstanceNorm(InstanceNorm { epsilon: 1e-5, affine }))
    }

    /// Group normalisation with PyTorch's epsilon of 1e-5.
    #[must_use]
    pub fn group_norm(self, scope: &Scope, groups: usize) -> Self {
        self.then_named(scope, Op::GroupNorm(GroupNorm { groups, epsilon: 1e-5 }))
    }

    /// Normalisation by the length of the vector of channels, with Caffe's epsilon of 1e-10.
    #[must_use]
    pub fn l2_norm(self, scope: &Scope) -> Self {
        self.then_named(scope, Op::L2Norm { epsilon: 1e-10 })
    }

    /// Negative values times one learned factor.
    #[must_use]
    pub fn prelu(self, scope: &Scope) -> Self {
        self.then_named(scope, Op::PRelu { slopes: Slopes::Shared })
    }

    /// `max(x, 0)`.
    #[must_use]
    pub fn relu(self) -> Self {
        self.activate(Activation::Relu)
    }

    /// An element-wise function.
    #[must_use]
    pub fn activate(self, activation: Activation) -> Self {
        self.then(Op::Activation(activation))
    }

    /// The mean over all positions.
    #[must_use]
    pub fn global_average(self) -> Self {
        self.then(Op::GlobalAveragePool)
    }

    /// The means of `bins` times `bins` bins in the plane.
    #[must_use]
    pub fn bins(self, bins: usize) -> Self {
        self.then(Op::AdaptiveAveragePool { bins: Axes::plane(bins) })
    }

    /// So many times as large in the plane.
    #[must_use]
    pub fn enlarge(self, factor: usize, interpolation: Interpolation, coordinates: Coordinates) -> Self {
        let factor = Axes { z: 1.0, y: factor as f64, x: factor as f64 };
        self.then(Op::Resize(Resize { interpolation, coordinates, to: ResizeTo::Factor { factor } }))
    }

    /// Softmax over the channels.
    #[must_use]
    pub fn softmax(self) -> Self {
        self.then(Op::Softmax)
    }

    /// The largest value in a planar square window.
    #[must_use]
    pub fn max_pool(self, kernel: usize, stride: usize, padding: usize) -> Self {
        self.then(Op::Pool(Pool {
            kind: PoolKind::Max,
            kernel: Axes::plane(kernel),
            stride: Axes::plane(stride),
            padding: Axes::plane_padding(padding),
        }))
    }

    /// The largest value in a planar square window; a last window that lies partly beyond the input counts (PyTorch's `ceil_mode`), which is as
    /// much padding at the end as the stride lacks.
    #[must_use]
    pub fn max_pool_up(self, kernel: usize, stride: usize, padding: usize) -> Self {
        let around = Padding { before: padding, after: padding + stride - 1 };
        self.then(Op::Pool(Pool {
            kind: PoolKind::Max,
            kernel: Axes::plane(kernel),
            stride: Axes::plane(stride),
            padding: Axes { z: Padding::default(), y: around, x: around },
        }))
    }
}
