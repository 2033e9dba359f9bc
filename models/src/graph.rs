//! A network as data.

use serde::{Deserialize, Serialize};

use crate::{Axes, CropPlace, Error, Extent, Op, Padding, Result, ScoreActivation, Shape};

/// Which node of a graph: its place in topological order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub(crate) usize);

impl NodeId {
    /// The node's place in [`Graph::nodes`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// One operation of a graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Unique name; the node's tensors begin with it.
    pub name: String,
    /// What is computed.
    #[serde(flatten)]
    pub op: Op,
    /// From which nodes, all earlier in the order.
    pub inputs: Vec<NodeId>,
}

impl Node {
    /// The inputs whose values are read; the second input of a resize or a crop lends only its extent.
    pub(crate) fn value_inputs(&self) -> &[NodeId] {
        if matches!(self.op, Op::Resize(_) | Op::Crop { .. }) { &self.inputs[..1] } else { &self.inputs }
    }

    /// Whether it gives scores, by its name in networks of the zoo.
    pub(crate) fn is_head(&self) -> bool {
        self.name.rsplit('.').next().is_some_and(|name| name.starts_with("head"))
    }
}

/// Whether a network works on planes or on volumes; weights have one axis more for volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// Two spatial axes: height and width.
    Planar,
    /// Three spatial axes: depth, height and width.
    Volumetric,
}

/// A network: nodes in topological order, the first of which is its only input, and one output.
///
/// A graph is valid by construction: names are unique, every node has the inputs that its operator takes, and channels fit.
///
/// ```
/// use swath_models::{Builder, Conv, Extent, Rank, Scope};
///
/// let mut g = Builder::new("tiny", Rank::Planar, 3);
/// let input = g.input();
/// let head = g.conv(input, &Scope::root("head"), Conv::square(2, 1).biased()).node();
/// let graph = g.build(head)?;
/// assert_eq!(graph.output_shape(Extent::planar(5, 7))?.to_string(), "(2, 5, 7)");
/// # Ok::<(), swath_models::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct Graph {
    name: String,
    rank: Rank,
    nodes: Vec<Node>,
    output: NodeId,
    fixed_extent: Option<Extent>,
    /// Channels of every node, derived from `nodes`.
    channels: Vec<usize>,
}

/// What a graph file holds, before it is checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    name: String,
    rank: Rank,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fixed_extent: Option<Extent>,
    nodes: Vec<Node>,
    output: NodeId,
}

impl TryFrom<Unchecked> for Graph {
    type Error = Error;

    fn try_from(g: Unchecked) -> Result<Self> {
        Self::new(g.name, g.rank, g.nodes, g.output, g.fixed_extent)
    }
}

impl From<Graph> for Unchecked {
    fn from(g: Graph) -> Self {
        Self { name: g.name, rank: g.rank, fixed_extent: g.fixed_extent, nodes: g.nodes, output: g.output }
    }
}

impl Graph {
    /// A checked graph. `fixed_extent` is the only input extent of a network that takes no other one.
    ///
    /// # Errors
    /// If a name is used twice, an input is not an earlier node, or channels do not fit; the error names the node.
    pub fn new(name: String, rank: Rank, nodes: Vec<Node>, output: NodeId, fixed_extent: Option<Extent>) -> Result<Self> {
        let mut names = std::collections::HashSet::new();
        for (index, node) in nodes.iter().enumerate() {
            let fail = |expected: &str, got: String| Error::Node { node: node.name.clone(), expected: expected.into(), got };
            if !names.insert(node.name.as_str()) {
                return Err(fail("a name of its own", "a second node of this name".into()));
            }
            if matches!(node.op, Op::Input { .. }) != (index == 0) {
                return Err(fail("exactly one input, as the first node", format!("{} at place {index}", node.op.label())));
            }
            if rank == Rank::Planar && !is_planar(&node.op) {
                return Err(fail(
                    "nothing along depth in a planar network",
                    "a kernel, stride, padding or dilation there".into(),
                ));
            }
            if let Some(late) = node.inputs.iter().find(|i| i.0 >= index) {
                return Err(fail("inputs from earlier nodes", format!("node {} as an input of node {index}", late.0)));
            }
        }
        if output.0 >= nodes.len() {
            return Err(Error::Unsuitable { reason: format!("the output is node {} of {}", output.0, nodes.len()) });
        }
        let channels = crate::infer::channels(&nodes)?;
        let graph = Self { name, rank, nodes, output, fixed_extent, channels };
        if let Some(extent) = fixed_extent {
            graph.shapes(extent)?;
        }
        Ok(graph)
    }

    /// What the network is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Planar or volumetric.
    #[must_use]
    pub fn rank(&self) -> Rank {
        self.rank
    }

    /// All nodes, inputs before users.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node whose values are the scores.
    #[must_use]
    pub fn output(&self) -> NodeId {
        self.output
    }

    /// The only input extent that the network takes, if it takes just one.
    #[must_use]
    pub fn fixed_extent(&self) -> Option<Extent> {
        self.fixed_extent
    }

    /// Number of bands that the network takes.
    #[must_use]
    pub fn input_channels(&self) -> usize {
        self.channels[0]
    }

    /// Number of score channels that the network gives.
    #[must_use]
    pub fn output_channels(&self) -> usize {
        self.channels[self.output.0]
    }

    /// Number of channels of a node.
    #[must_use]
    pub fn channels(&self, node: NodeId) -> usize {
        self.channels[node.0]
    }

    /// Shapes of all nodes for an input of the given extent.
    ///
    /// # Errors
    /// If the extent is not the fixed one, or a node cannot be computed for it (too small, or sums of unlike extents).
    pub fn shapes(&self, input: Extent) -> Result<Vec<Shape>> {
        if let Some(fixed) = self.fixed_extent
            && fixed != input
        {
            let [want, got] = [fixed, input].map(|extent| Shape { channels: self.input_channels(), extent }.to_string());
            return Err(Error::Node { node: self.nodes[0].name.clone(), expected: want, got });
        }
        crate::infer::shapes(&self.nodes, &self.channels, input)
    }

    /// Shape of the scores for an input of the given extent.
    ///
    /// # Errors
    /// As [`Graph::shapes`].
    pub fn output_shape(&self, input: Extent) -> Result<Shape> {
        Ok(self.shapes(input)?[self.output.0])
    }

    /// For every node, the last node that reads it (itself if none does); the output is read until the end.
    #[must_use]
    pub fn last_uses(&self) -> Vec<NodeId> {
        let mut last: Vec<NodeId> = (0..self.nodes.len()).map(NodeId).collect();
        for (index, node) in self.nodes.iter().enumerate() {
            for input in &node.inputs {
                last[input.0] = NodeId(index);
            }
        }
        last[self.output.0] = NodeId(self.nodes.len() - 1);
        last
    }

    /// The nodes that read each node's values, as far as the output depends on them; the output is read by what lies after the last node.
    pub(crate) fn readers(&self) -> Vec<Vec<usize>> {
        let mut readers = vec![Vec::new(); self.nodes.len()];
        readers[self.output.0].push(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if !readers[index].is_empty() {
                node.value_inputs().iter().for_each(|input| readers[input.0].push(index));
            }
        }
        readers
    }

    /// The same network with a softmax or sigmoid after its output, if its card says that it gives logits.
    #[must_use]
    pub fn with_activation(mut self, activation: ScoreActivation) -> Self {
        let op = match activation {
            ScoreActivation::None => return self,
            ScoreActivation::Softmax => Op::Softmax,
            ScoreActivation::Sigmoid => Op::Activation(crate::Activation::Sigmoid),
        };
        let channels = self.output_channels();
        self.nodes.push(Node { name: "swath.probabilities".into(), op, inputs: vec![self.output] });
        self.channels.push(channels);
        self.output = NodeId(self.nodes.len() - 1);
        self
    }
}

/// Whether an operation leaves depth alone.
fn is_planar(op: &Op) -> bool {
    let (steps, padding) = match op {
        Op::Conv(c) => (vec![c.kernel, c.stride, c.dilation], c.padding),
        Op::ConvTranspose(c) => (vec![c.kernel, c.stride, c.dilation, c.output_padding.map(|n| n.saturating_add(1))], c.padding),
        Op::Pool(p) => (vec![p.kernel, p.stride], p.padding),
        Op::Pad { padding, .. } => (Vec::new(), *padding),
        Op::MaxUnpool(p) => (vec![p.kernel, p.stride], Axes::default()),
        Op::AdaptiveAveragePool { bins } => (vec![*bins], Axes::default()),
        Op::Crop { place: CropPlace::After { before } } => (vec![before.map(|n| n.saturating_add(1))], Axes::default()),
        _ => return true,
    };
    steps.into_iter().all(|step| step.z == 1) && padding.z == Padding::default()
}
