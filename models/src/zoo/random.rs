//! Weights for trials and benches.

use crate::split_mix::SplitMix;
use crate::{Graph, Op, Weights};

/// Random weights that keep the activations' scale from layer to layer: kernels uniform with variance `2 / fan in` (He et al. 2015, arXiv
/// 1502.01852, eq. 10), heads with variance `1 / fan in`, batch normalisation at identity, and the last normalisation of a residual branch
/// scaled down so that sums do not grow. The same graph and seed give the same bytes on every machine. To start a training,
/// [`initial_weights`](crate::train::initial_weights) are better.
#[must_use]
pub fn random_weights(graph: &Graph, seed: u64) -> Weights {
    let mut random = SplitMix::new(seed);
    let mut weights = Weights::new();
    let specs = graph.tensors_by_node().flat_map(|(node, specs)| specs.into_iter().map(move |spec| (node, spec)));
    for (node, spec) in specs {
        let count: usize = spec.shape.iter().product();
        let data = match (&node.op, spec.part()) {
            (Op::Conv(_) | Op::ConvTranspose(_), "weight") => {
                let fan_in: usize = spec.shape[1..].iter().product();
                let variance = if node.is_head() { 1.0 } else { 2.0 } / fan_in as f64;
                let bound = (3.0 * variance).sqrt();
                (0..count).map(|_| (bound * random.symmetric()) as f32).collect()
            }
            (Op::BatchNorm(_), "weight") if node.name.ends_with("bn3") => vec![0.25; count],
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
        };
        weights.insert(spec.name, spec.shape, data);
    }
    weights
}
