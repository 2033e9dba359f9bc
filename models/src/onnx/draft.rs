//! The graph that is being built.

use std::collections::HashMap;

use super::call::Call;
use super::layout::Axis;
use super::symbol::{Length, Symbol};
use crate::{Axes, CropPlace, Extent, Graph, Node, NodeId, Op, Rank, Result, Weights, infer};

/// The graph that is being built, and its weights.
pub(crate) struct Draft {
    rank: Rank,
    nodes: Vec<Node>,
    channels: Vec<usize>,
    /// Extents of all nodes, if that of the input is fixed.
    extents: Option<Vec<Extent>>,
    /// All names, each with the first number that another node of this name may get.
    names: HashMap<String, usize>,
    weights: Weights,
}

impl Draft {
    /// A graph of nothing but its input; the error if that is larger than any result may be.
    pub(crate) fn new(rank: Rank, input: &str, channels: usize, fixed_extent: Option<Extent>) -> Result<Self> {
        let mut draft = Self {
            rank,
            nodes: Vec::new(),
            channels: vec![channels],
            extents: fixed_extent.map(|extent| vec![extent]),
            names: HashMap::new(),
            weights: Weights::new(),
        };
        let name = draft.unique(&sanitised(input).unwrap_or_else(|| "input".into()));
        let node = Node { name, op: Op::Input { channels }, inputs: Vec::new() };
        infer::node_channels(&node, &[])?;
        fixed_extent.map(|extent| infer::node_extent(&node, &[extent])).transpose()?;
        draft.nodes.push(node);
        Ok(draft)
    }

    pub(super) fn rank(&self) -> Rank {
        self.rank
    }

    pub(crate) fn channels(&self, node: NodeId) -> usize {
        self.channels[node.index()]
    }

    /// A node's extent, if it is always the same.
    pub(crate) fn extent(&self, node: NodeId) -> Option<Extent> {
        self.extents.as_ref().map(|extents| extents[node.index()])
    }

    /// The first node whose extent is always this one.
    pub(super) fn of_extent(&self, extent: Extent) -> Option<NodeId> {
        self.extents.as_ref()?.iter().position(|known| *known == extent).map(NodeId)
    }

    /// What a part was cut from, and after so many positions.
    pub(super) fn cropped(&self, node: NodeId) -> Option<(NodeId, Axes<usize>)> {
        match &self.nodes[node.index()] {
            Node { op: Op::Crop { place: CropPlace::After { before } }, inputs, .. } => Some((inputs[0], *before)),
            _ => None,
        }
    }

    /// The length of one axis of a node. Swath runs one tile at a time, so that of the batch is 1.
    pub(super) fn length(&self, node: NodeId, axis: Axis) -> Symbol {
        match (axis, self.extent(node)) {
            (Axis::Batch, _) => Symbol::Number(1.0),
            (Axis::Channel, _) => Symbol::Number(self.channels(node) as f64),
            (_, Some(extent)) => Symbol::Number(axis.of(extent).unwrap_or(1) as f64),
            (_, None) => Symbol::Length(Length::whole(node, axis)),
        }
    }

    /// Adds a node that is named after the call.
    pub(super) fn push(&mut self, call: &Call<'_>, op: Op, inputs: Vec<NodeId>) -> Result<NodeId> {
        // Items of the budget that a node takes, and bytes of its name that take one.
        const NODE: usize = 16;
        const NAME: usize = 8;
        let name = sanitised(&call.node.name).unwrap_or_else(|| format!("{}_{}", call.operator(), call.index));
        call.spend(NODE + inputs.len() + name.len() / NAME)?;
        self.push_named(&name, op, inputs)
    }

    /// Adds a node of this name, or if there is one already, a similar one.
    pub(crate) fn push_named(&mut self, name: &str, op: Op, inputs: Vec<NodeId>) -> Result<NodeId> {
        let node = Node { name: self.unique(name), op, inputs };
        let channels: Vec<usize> = node.inputs.iter().map(|i| self.channels(*i)).collect();
        self.channels.push(infer::node_channels(&node, &channels)?);
        if let Some(extents) = &mut self.extents {
            let inputs: Vec<Extent> = node.inputs.iter().map(|i| extents[i.index()]).collect();
            extents.push(infer::node_extent(&node, &inputs)?);
        }
        self.nodes.push(node);
        Ok(NodeId(self.nodes.len() - 1))
    }

    /// Gives a node one of its tensors.
    pub(crate) fn tensor(&mut self, node: NodeId, part: &str, shape: Vec<usize>, values: Vec<f32>) {
        let name = format!("{}.{part}", self.nodes[node.index()].name);
        self.weights.insert(name, shape, values);
    }

    /// From here on, the network takes inputs of any extent.
    pub(crate) fn free_extent(&mut self) {
        self.extents = None;
    }

    /// The checked graph and its weights.
    pub(crate) fn finish(self, name: String, output: NodeId) -> Result<(Graph, Weights)> {
        let fixed = self.extents.map(|extents| extents[0]);
        let graph = Graph::new(name, self.rank, self.nodes, output, fixed)?;
        self.weights.check(&graph)?;
        Ok((graph, self.weights))
    }

    fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        while self.names.contains_key(&unique) {
            let next = self.names.entry(name.to_owned()).or_insert(2);
            unique = format!("{name}_{next}");
            *next += 1;
        }
        self.names.insert(unique.clone(), 2);
        unique
    }
}

/// A name of dot-separated words; `None` if nothing is left.
fn sanitised(name: &str) -> Option<String> {
    let word = |c: char| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' };
    let words: Vec<String> =
        name.split(['/', ':', '.']).filter(|w| !w.is_empty()).map(|w| w.chars().map(word).collect()).collect();
    (!words.is_empty()).then(|| words.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_dotted_words() {
        assert_eq!(sanitised("/layer1/layer1.0/conv1/Conv").as_deref(), Some("layer1.layer1.0.conv1.Conv"));
        assert_eq!(sanitised("model/Relu:0").as_deref(), Some("model.Relu.0"));
        assert_eq!(sanitised("a b").as_deref(), Some("a_b"));
        assert_eq!(sanitised("//"), None);
    }

    #[test]
    fn names_are_unique() {
        let mut draft = Draft::new(Rank::Planar, "x", 1, None).unwrap();
        let names: Vec<String> = ["x", "y", "x", "x_2"].iter().map(|n| draft.unique(n)).collect();
        assert_eq!(names, ["x_2", "y", "x_3", "x_2_2"]);
    }

    /// Tried from 2 on for each, this many would take minutes.
    #[test]
    fn many_nodes_may_have_one_name() {
        let mut draft = Draft::new(Rank::Planar, "x", 1, None).unwrap();
        let last = (0..50_000).map(|_| draft.unique("x")).last();
        assert_eq!(last.as_deref(), Some("x_50001"));
    }

    #[test]
    fn inputs_beyond_all_reason_are_refused() {
        let refusal = |channels, extent| Draft::new(Rank::Planar, "x", channels, extent).err().unwrap().to_string();
        assert_eq!(refusal(1 << 40, None), "node `x`: expected at most 16777216 channels, got 1099511627776");
        let far = Some(Extent::planar(1 << 62, 8));
        assert!(refusal(1, far).starts_with("node `x`: expected a result of at most 1099511627776 positions"));
    }
}
