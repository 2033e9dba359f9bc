//! Weights for trials and benches.

use crate::drawn::drawn;
use crate::{Graph, Op, Weights};

/// Random weights that keep the activations' scale from layer to layer: kernels uniform with variance `2 / fan in` (He et al. 2015, arXiv
/// 1502.01852, eq. 10), heads with variance `1 / fan in`, batch normalisation at identity, and the last normalisation of a residual branch
/// scaled down so that sums do not grow. The same graph and seed give the same bytes on every machine. To start a training,
/// [`initial_weights`](crate::train::initial_weights) are better.
#[must_use]
pub fn random_weights(graph: &Graph, seed: u64) -> Weights {
    drawn(graph, seed, |node, spec, random| {
        let count: usize = spec.shape.iter().product();
        match (&node.op, spec.part()) {
            (Op::Conv(_) | Op::ConvTranspose(_), "weight") => {
                let fan_in: usize = spec.shape[1..].iter().product();
                let variance = if node.is_head() { 1.0 } else { 2.0 } / fan_in as f64;
                let bound = (3.0 * variance).sqrt();
                Some((0..count).map(|_| (bound * random.symmetric()) as f32).collect())
            }
            (Op::BatchNorm(_), "weight") if node.name.ends_with("bn3") => Some(vec![0.25; count]),
            _ => None,
        }
    })
}
