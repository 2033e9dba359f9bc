//! Nodes that give what they are given.

use super::rewire::{Fate, rewire};
use crate::{Activation, Axes, Conv, Extent, Graph, Node, NodeId, Op, Padding, Pool, ResizeTo, Result, Shape};

/// The graph without nodes that give their input unchanged for every extent that the network takes.
pub(crate) fn drop_identities(graph: &Graph) -> Result<Graph> {
    let shapes = graph.fixed_extent().map(|extent| graph.shapes(extent)).transpose()?;
    // For every node, the first node that has its extent for every input, as far as that shows without computing extents.
    let mut alike: Vec<NodeId> = Vec::with_capacity(graph.nodes().len());
    let mut fates = Vec::with_capacity(graph.nodes().len());
    for (index, node) in graph.nodes().iter().enumerate() {
        alike.push(extent_of(node).map_or(NodeId(index), |like| alike[like.index()]));
        let same_extent = |a: NodeId, b: NodeId| {
            let fixed = shapes.as_ref().is_some_and(|shapes| extent(shapes, a) == extent(shapes, b));
            fixed || alike[a.index()] == alike[b.index()]
        };
        let identity = is_identity(graph, NodeId(index), &same_extent);
        if identity {
            alike[index] = alike[node.inputs[0].index()];
        }
        fates.push(if identity { Fate::Becomes(node.inputs[0]) } else { Fate::Stays });
    }
    rewire(graph, graph.nodes().to_vec(), &fates)
}

fn extent(shapes: &[Shape], node: NodeId) -> Extent {
    shapes[node.index()].extent
}

fn is_identity(graph: &Graph, id: NodeId, same_extent: &impl Fn(NodeId, NodeId) -> bool) -> bool {
    let node = &graph.nodes()[id.index()];
    match &node.op {
        Op::Activation(Activation::Clip { min: None, max: None }) => true,
        Op::Concat => node.inputs.len() == 1,
        Op::Channels { count, .. } => *count == graph.channels(node.inputs[0]),
        Op::Pad { padding, .. } => padding.is_zero(),
        Op::Pool(Pool { kernel, stride, padding, .. }) => {
            (*kernel, *stride) == (Axes::cube(1), Axes::cube(1)) && padding.is_zero()
        }
        Op::Resize(resize) => match resize.to {
            ResizeTo::Factor { factor } => factor == Axes { z: 1.0, y: 1.0, x: 1.0 },
            ResizeTo::Like | ResizeTo::Extent { .. } => same_extent(node.inputs[0], id),
        },
        Op::Crop { .. } => same_extent(node.inputs[0], id),
        _ => false,
    }
}

/// An input that has the extent of the node itself.
fn extent_of(node: &Node) -> Option<NodeId> {
    match &node.op {
        Op::BatchNorm(_)
        | Op::InstanceNorm(_)
        | Op::GroupNorm(_)
        | Op::L2Norm { .. }
        | Op::Affine
        | Op::Activation(_)
        | Op::PRelu { .. }
        | Op::Softmax
        | Op::Concat
        | Op::Channels { .. } => Some(node.inputs[0]),
        Op::MaxUnpool(_) | Op::Crop { .. } => Some(node.inputs[1]),
        Op::Conv(Conv { kernel, stride, padding, dilation, .. }) => {
            let reach = kernel.zip(*dilation).map(|(k, d)| d * (k - 1));
            (*stride == Axes::cube(1) && padding.map(Padding::total) == reach).then(|| node.inputs[0])
        }
        Op::Resize(resize) if resize.to == ResizeTo::Like => Some(node.inputs[1]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Coordinates, Interpolation, PadFill, PoolKind, Rank, Resize, Scope};

    fn labels(graph: &Graph) -> Vec<&'static str> {
        graph.nodes().iter().map(|node| node.op.label()).collect()
    }

    fn resize(to: ResizeTo) -> Op {
        Op::Resize(Resize { interpolation: Interpolation::Linear, coordinates: Coordinates::AlignCorners, to })
    }

    #[test]
    fn each_identity_goes() {
        let mut g = Builder::new("identities", Rank::Planar, 3);
        let input = g.input();
        let x = g.push("clip", Op::Activation(Activation::Clip { min: None, max: None }), vec![input]).node();
        let x = g.concat(vec![x]).node();
        let x = g.push("all", Op::Channels { start: 0, count: 3 }, vec![x]).node();
        let fill = PadFill::Constant { value: 1.0 };
        let x = g.push("pad", Op::Pad { padding: Axes::default(), fill }, vec![x]).node();
        let pool = Pool { kind: PoolKind::Max, kernel: Axes::cube(1), stride: Axes::cube(1), padding: Axes::default() };
        let x = g.push("pool", Op::Pool(pool), vec![x]).node();
        let x = g.push("once", resize(ResizeTo::Factor { factor: Axes { z: 1.0, y: 1.0, x: 1.0 } }), vec![x]).node();
        let x = g.conv(x, &Scope::root("conv"), Conv::square(2, 3)).relu().node();
        let x = g.push("like", resize(ResizeTo::Like), vec![x, input]).node();
        let graph = drop_identities(&g.build(x).unwrap()).unwrap();
        assert_eq!(labels(&graph), ["input", "conv", "relu"]);
        assert_eq!(graph.output(), NodeId(2));
    }

    #[test]
    fn what_changes_something_stays() {
        let mut g = Builder::new("changes", Rank::Planar, 3);
        let input = g.input();
        let x = g.push("clip", Op::Activation(Activation::Clip { min: Some(0.0), max: None }), vec![input]).node();
        let x = g.push("some", Op::Channels { start: 1, count: 2 }, vec![x]).node();
        let x = g.conv(x, &Scope::root("half"), Conv::square(2, 3).stride(2)).node();
        let x = g.push("twice", resize(ResizeTo::Factor { factor: Axes { z: 1.0, y: 2.0, x: 2.0 } }), vec![x]).node();
        // Of an odd input, half and twice is one more: no identity for every extent.
        let x = g.push("like", resize(ResizeTo::Like), vec![x, input]).node();
        let graph = g.build(x).unwrap();
        assert_eq!(drop_identities(&graph).unwrap(), graph);
    }

    #[test]
    fn a_fixed_extent_shows_more() {
        let extent = Extent::planar(8, 8);
        let mut g = Builder::new("fixed", Rank::Planar, 1);
        let input = g.input();
        let x = g.conv(input, &Scope::root("half"), Conv::square(1, 2).stride(2).padding(0)).node();
        let x = g.push("again", resize(ResizeTo::Extent { extent: Extent::planar(4, 4) }), vec![x]).node();
        let x = g.push("twice", resize(ResizeTo::Extent { extent }), vec![x]).node();
        let x = g.push("like", resize(ResizeTo::Like), vec![x, input]).node();
        let free = g.build(x).unwrap();
        let fixed = Graph::new("fixed".into(), Rank::Planar, free.nodes().to_vec(), free.output(), Some(extent)).unwrap();
        assert_eq!(labels(&drop_identities(&fixed).unwrap()), ["input", "conv", "resize"]);
    }
}
