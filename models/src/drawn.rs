//! Weights that are drawn rather than learned.

use crate::split_mix::SplitMix;
use crate::{Graph, Node, Op, TensorSpec, Weights};

/// Weights for a graph: `special` draws those that it has something to say of, all others are what keeps values at the order of 1: normalisations at identity,
/// biases 0, PReLU's slope 0.25 (He et al. 2015, arXiv 1502.01852), codewords as their authors draw them. The same graph and seed give the same bytes
/// on every machine.
pub(crate) fn drawn(
    graph: &Graph,
    seed: u64,
    special: impl Fn(&Node, &TensorSpec, &mut SplitMix) -> Option<Vec<f32>>,
) -> Weights {
    let mut random = SplitMix::new(seed);
    let mut weights = Weights::new();
    let specs = graph.tensors_by_node().flat_map(|(node, specs)| specs.into_iter().map(move |spec| (node, spec)));
    for (node, spec) in specs {
        let data = special(node, &spec, &mut random).unwrap_or_else(|| usual(&node.op, &spec, &mut random));
        weights.insert(spec.name, spec.shape, data);
    }
    weights
}

fn usual(op: &Op, spec: &TensorSpec, random: &mut SplitMix) -> Vec<f32> {
    let count: usize = spec.shape.iter().product();
    match (op, spec.part()) {
        (Op::PRelu { .. }, "weight") => vec![0.25; count],
        // Of as many channels, values of the order of 1.
        (Op::L2Norm { .. }, "weight") => vec![(count as f32).sqrt(); count],
        (Op::Encoding(_), "codewords") => {
            let bound = 1.0 / (count as f64).sqrt();
            (0..count).map(|_| (bound * random.symmetric()) as f32).collect()
        }
        (Op::Encoding(_), _) => (0..count).map(|_| (0.5 * random.symmetric() - 0.5) as f32).collect(),
        (_, "weight" | "running_var") => vec![1.0; count],
        _ => vec![0.0; count],
    }
}
