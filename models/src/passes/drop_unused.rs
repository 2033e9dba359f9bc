//! Nodes that the output does not depend on.

use super::rewire::{Fate, rewire};
use crate::{Graph, Result, Weights};

/// The graph without the nodes that the output does not depend on, and without their tensors. The input stays in any case.
pub(crate) fn drop_unused(graph: &Graph, mut weights: Weights) -> Result<(Graph, Weights)> {
    let mut used = vec![false; graph.nodes().len()];
    used[0] = true;
    used[graph.output().index()] = true;
    for (index, node) in graph.nodes().iter().enumerate().rev() {
        if used[index] {
            node.inputs.iter().for_each(|input| used[input.index()] = true);
        }
    }
    let fates: Vec<Fate> = used.into_iter().map(|used| if used { Fate::Stays } else { Fate::Goes }).collect();
    let smaller = rewire(graph, graph.nodes().to_vec(), &fates)?;
    let kept: std::collections::HashSet<String> = smaller.tensors().into_iter().map(|spec| spec.name).collect();
    graph.tensors().iter().filter(|spec| !kept.contains(&spec.name)).for_each(|spec| weights.remove(&spec.name));
    Ok((smaller, weights))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, Conv, Extent, Rank, Scope, zoo};

    #[test]
    fn what_the_output_does_not_depend_on_goes_with_its_tensors() {
        let mut g = Builder::new("branches", Rank::Planar, 3);
        let dead = g.conv(g.input(), &Scope::root("dead"), Conv::square(8, 3)).relu().node();
        assert_ne!(g.at(dead).softmax().node(), dead);
        let small = g.conv(g.input(), &Scope::root("small"), Conv::square(2, 3).stride(2)).node();
        let like = g.conv(g.input(), &Scope::root("like"), Conv::square(1, 1)).node();
        let output = g.resize_like(small, like).node();
        let graph = g.build(output).unwrap();
        let weights = zoo::random_weights(&graph, 1);
        let (smaller, weights) = drop_unused(&graph, weights).unwrap();
        let names: Vec<&str> = smaller.nodes().iter().map(|n| n.name.as_str()).collect();
        assert_eq!(names, ["input", "small", "like", "resize_6"]);
        weights.check(&smaller).unwrap();
        let extent = Extent::planar(9, 7);
        assert_eq!(smaller.output_shape(extent).unwrap(), graph.output_shape(extent).unwrap());
    }

    #[test]
    fn a_graph_of_used_nodes_stays_as_it_is() {
        let graph = zoo::build("fcn_resnet50", 3, 2).unwrap();
        let (same, weights) = drop_unused(&graph, zoo::random_weights(&graph, 1)).unwrap();
        assert_eq!(same, graph);
        weights.check(&graph).unwrap();
    }
}
