//! Which nodes are computed together.

use crate::passes::readers;
use crate::{Activation, Graph, Node, NodeId, Op, Shape};

use super::ops::Last;

/// A node with those that are computed with it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    /// The node whose tensors and inputs are used.
    pub(crate) node: usize,
    /// Added to a convolution's result.
    pub(crate) residual: Option<NodeId>,
    /// Applied last.
    pub(crate) activation: Option<Activation>,
    /// The node whose values result: the node itself, or the last of those computed with it.
    pub(crate) output: usize,
}

/// A graph's nodes in the groups that are computed together.
#[derive(Debug, PartialEq)]
pub(crate) struct Fusion {
    /// In an order in which each finds its inputs computed.
    pub(crate) groups: Vec<Group>,
    /// The nodes whose values the scores are the sum of, resized where they are resizings.
    pub(crate) maps: Vec<NodeId>,
    /// What becomes of the sum.
    pub(crate) last: Last,
}

impl Fusion {
    /// Groups the nodes of a graph whose values have the given shapes. What is computed together is the same arithmetic as one by one.
    pub(crate) fn new(graph: &Graph, shapes: &[Shape]) -> Self {
        Builder { graph, shapes, readers: readers(graph), computed: vec![true; graph.nodes().len()] }.fusion()
    }

    /// Whether there is a group that gives the values of a node.
    pub(crate) fn gives(&self, id: NodeId) -> bool {
        self.groups.iter().any(|group| group.output == id.index())
    }
}

struct Builder<'a> {
    graph: &'a Graph,
    shapes: &'a [Shape],
    readers: Vec<usize>,
    /// Nodes that have a group of their own.
    computed: Vec<bool>,
}

impl Builder<'_> {
    fn node(&self, id: NodeId) -> &Node {
        &self.graph.nodes()[id.index()]
    }

    /// Whether only one node, the output counted, reads it.
    fn is_read_once(&self, id: NodeId) -> bool {
        self.readers[id.index()] == 1
    }

    fn fusion(mut self) -> Fusion {
        self.drop_unread();
        let (maps, last) = self.head();
        let count = self.graph.nodes().len();
        let mut groups: Vec<Group> =
            (0..count).map(|node| Group { node, residual: None, activation: None, output: node }).collect();
        // For every node, the group that gives its values.
        let mut group_of: Vec<usize> = (0..count).collect();
        for index in 0..count {
            let node = &self.graph.nodes()[index];
            let joined = match (&node.op, self.computed[index]) {
                (Op::Add, true) => self.convolution_of(index).map(|(conv, other)| {
                    groups[conv.index()].residual = Some(other);
                    conv.index()
                }),
                (Op::Activation(activation), true) => {
                    let group = group_of[node.inputs[0].index()];
                    (self.is_read_once(node.inputs[0]) && self.takes_activation(&groups[group])).then(|| {
                        groups[group].activation = Some(*activation);
                        group
                    })
                }
                _ => None,
            };
            if let Some(group) = joined {
                self.computed[index] = false;
                groups[group].output = index;
                group_of[index] = group;
            }
        }
        let mut groups: Vec<Group> = groups.into_iter().filter(|group| self.computed[group.node]).collect();
        groups.sort_by_key(|group| group.output);
        Fusion { groups, maps, last }
    }

    /// Nodes that lend no more than their extent need not be computed.
    fn drop_unread(&mut self) {
        for index in (0..self.computed.len()).rev() {
            if self.readers[index] == 0 {
                self.computed[index] = false;
                self.graph.nodes()[index].value_inputs().iter().for_each(|input| self.readers[input.index()] -= 1);
            }
        }
    }

    /// The end of the graph, whose nodes have no groups of their own.
    fn head(&mut self) -> (Vec<NodeId>, Last) {
        let mut id = self.graph.output();
        let mut last = Last::Nothing;
        if self.is_read_once(id) {
            last = match self.node(id).op {
                Op::Softmax => Last::Softmax,
                Op::Activation(activation) => Last::Activation(activation),
                _ => Last::Nothing,
            };
        }
        if last != Last::Nothing {
            self.computed[id.index()] = false;
            id = self.node(id).inputs[0];
        }
        let mut maps = Vec::new();
        let mut sums = Vec::new();
        // The sum is taken from the left, so only one side of an addition may be a sum itself.
        let mut rest = id;
        while let Some([left, right]) = self.summands(rest) {
            let (next, map) =
                if self.summands(left).is_some() || self.summands(right).is_none() { (left, right) } else { (right, left) };
            sums.push(rest);
            maps.push(map);
            rest = next;
        }
        maps.push(rest);
        maps.reverse();
        if !maps.iter().any(|&map| self.is_own_resizing(map)) {
            return (vec![id], last);
        }
        let resizings = maps.iter().filter(|&&map| self.is_own_resizing(map)).chain(&sums).map(|id| id.index());
        for index in resizings.collect::<Vec<_>>() {
            self.computed[index] = false;
        }
        (maps, last)
    }

    /// The inputs of an addition that nobody else reads, if they are as large as the sum.
    fn summands(&self, id: NodeId) -> Option<[NodeId; 2]> {
        let node = self.node(id);
        let alike = node.inputs.iter().all(|input| self.shapes[input.index()] == self.shapes[id.index()]);
        match (&node.op, node.inputs.as_slice()) {
            (Op::Add, &[left, right]) if alike && self.is_read_once(id) => Some([left, right]),
            _ => None,
        }
    }

    fn is_own_resizing(&self, id: NodeId) -> bool {
        matches!(self.node(id).op, Op::Resize(_)) && self.is_read_once(id)
    }

    /// The convolution that an addition can be part of, and what it adds: the later of two, so that no value is kept longer.
    fn convolution_of(&self, addition: usize) -> Option<(NodeId, NodeId)> {
        let inputs = &self.graph.nodes()[addition].inputs;
        let (early, late) = (*inputs.iter().min()?, *inputs.iter().max()?);
        let alike = inputs.iter().all(|input| self.shapes[input.index()] == self.shapes[addition]);
        let fits = |id: NodeId| alike && self.is_read_once(id) && matches!(self.node(id).op, Op::Conv(_));
        if fits(late) { Some((late, early)) } else { fits(early).then_some((early, late)) }
    }

    fn takes_activation(&self, group: &Group) -> bool {
        let op = &self.graph.nodes()[group.node].op;
        let is_norm = matches!(op, Op::BatchNorm(_) | Op::InstanceNorm(_) | Op::GroupNorm(_) | Op::L2Norm { .. });
        let takes = is_norm || matches!(op, Op::Conv(_) | Op::ConvTranspose(_) | Op::Affine | Op::Add | Op::Mul);
        takes && group.activation.is_none() && self.computed[group.node]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::fold_batch_norm;
    use crate::{Builder, Conv, Extent, Rank, Scope, ScoreActivation, zoo};

    fn fusion(graph: &Graph) -> Fusion {
        Fusion::new(graph, &graph.shapes(Extent::planar(64, 96)).unwrap())
    }

    /// What is computed in groups of their own, in order.
    fn labels<'a>(graph: &'a Graph, fusion: &Fusion) -> Vec<&'a str> {
        fusion.groups.iter().map(|group| graph.nodes()[group.node].op.label()).collect()
    }

    #[test]
    fn fcn_resnet50_is_convolutions_and_one_head() {
        let graph = zoo::build("fcn_resnet50", 3, 6).unwrap().with_activation(ScoreActivation::Softmax);
        let weights = zoo::random_weights(&graph, 1);
        let (graph, _) = fold_batch_norm(&graph, weights).unwrap();
        let fusion = fusion(&graph);
        let labels = labels(&graph, &fusion);
        assert_eq!(labels.iter().filter(|label| **label == "conv").count(), 1 + 16 * 3 + 4 + 3);
        assert_eq!(labels.iter().filter(|label| **label != "conv").collect::<Vec<_>>(), [&"input", &"max_pool"]);
        assert_eq!(fusion.groups.iter().filter(|group| group.residual.is_some()).count(), 16);
        assert_eq!(fusion.groups.iter().filter(|group| group.activation.is_some()).count(), 1 + 16 * 3);
        assert_eq!((fusion.maps.len(), fusion.last), (3, Last::Softmax));
    }

    #[test]
    fn what_is_read_twice_or_broadcast_is_computed_alone() {
        let mut g = Builder::new("alone", Rank::Planar, 4);
        let twice = g.conv(g.input(), &Scope::root("twice"), Conv::square(4, 3)).node();
        let relu = g.at(twice).relu().node();
        let sum = g.add(twice, relu).node();
        let mean = g.push("mean", Op::GlobalAveragePool, vec![sum]).node();
        let one = g.conv(mean, &Scope::root("one"), Conv::square(4, 1)).node();
        let broadcast = g.add(one, sum).node();
        let output = g.conv(broadcast, &Scope::root("output"), Conv::square(2, 1)).node();
        let graph = g.build(output).unwrap();
        let fusion = fusion(&graph);
        let expected = ["input", "conv", "relu", "add", "global_average_pool", "conv", "add", "conv"];
        assert_eq!(labels(&graph, &fusion), expected);
        assert!(fusion.groups.iter().all(|group| group.node == group.output && group.residual.is_none()));
        assert_eq!((fusion.maps, fusion.last), (vec![output], Last::Nothing));
    }

    #[test]
    fn a_sum_keeps_its_order() {
        let mut g = Builder::new("sum", Rank::Planar, 2);
        let mut small = |name: &str| {
            let map = g.conv(g.input(), &Scope::root(name), Conv::square(2, 3).stride(2)).node();
            g.resize_like(map, g.input()).node()
        };
        let [one, two, three, four] = ["a", "b", "c", "d"].map(&mut small);
        let left = g.add(one, two).node();
        let right = g.add(three, four).node();
        let output = g.add(left, right).node();
        let graph = g.build(output).unwrap();
        let fusion = fusion(&graph);
        // (1 + 2) + (3 + 4): the second sum cannot be taken apart without other rounding.
        assert_eq!(fusion.maps, [one, two, right]);
        assert_eq!(labels(&graph, &fusion).iter().filter(|label| **label == "resize").count(), 2);
    }
}
