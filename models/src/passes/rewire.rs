//! Taking nodes out of a graph.

use crate::{Graph, Node, NodeId, Result};

/// What becomes of a node.
pub(super) enum Fate {
    /// It stays.
    Stays,
    /// Its readers read that earlier node instead.
    Becomes(NodeId),
    /// It goes; nobody reads it.
    Goes,
}

/// The graph of these nodes, whose inputs are those of `graph`, after each has met its fate.
pub(super) fn rewire(graph: &Graph, nodes: Vec<Node>, fates: &[Fate]) -> Result<Graph> {
    let mut left: Vec<Node> = Vec::with_capacity(nodes.len());
    // A node that goes is read by nobody, so any place will do for it.
    let mut places: Vec<NodeId> = Vec::with_capacity(fates.len());
    for (node, fate) in nodes.into_iter().zip(fates) {
        places.push(match fate {
            Fate::Stays => {
                let inputs = node.inputs.iter().map(|input| places[input.index()]).collect();
                left.push(Node { inputs, ..node });
                NodeId(left.len() - 1)
            }
            Fate::Becomes(other) => places[other.index()],
            Fate::Goes => NodeId(0),
        });
    }
    Graph::new(graph.name().into(), graph.rank(), left, places[graph.output().index()], graph.fixed_extent())
}

/// How many nodes read the values of each node; the output counts as one that reads.
pub(crate) fn readers(graph: &Graph) -> Vec<usize> {
    let mut readers = vec![0; graph.nodes().len()];
    for input in graph.nodes().iter().flat_map(Node::value_inputs) {
        readers[input.index()] += 1;
    }
    readers[graph.output().index()] += 1;
    readers
}
