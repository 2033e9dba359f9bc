//! Weights at the start of training.

use crate::drawn::drawn;
use crate::{Graph, Op, Weights};

/// The deviation of a head's kernel: scores start near 0, and so all classes near the same probability.
const HEAD: f64 = 0.01;

/// Weights to start a training with: kernels normal with variance `2 / fan out` (He et al. 2015, arXiv 1502.01852, eq. 14), those of heads
/// (whose name begins with `head`) with a deviation of 0.01, biases 0, normalisations at identity. The same graph and seed give the same bytes
/// on every machine.
///
/// These are for training, in which batch normalisations keep the scale of activations; without it, with their statistics at identity, the sums
/// of a residual network grow from block to block. [`random_weights`](crate::zoo::random_weights) are for such trials.
#[must_use]
pub fn initial_weights(graph: &Graph, seed: u64) -> Weights {
    drawn(graph, seed, |node, spec, random| {
        let (Op::Conv(_) | Op::ConvTranspose(_), "weight") = (&node.op, spec.part()) else { return None };
        // The first axis and the kernel's, for both kinds of convolution, like PyTorch.
        let fan_out = spec.shape[0] * spec.shape[2..].iter().product::<usize>();
        let deviation = if node.is_head() { HEAD } else { (2.0 / fan_out as f64).sqrt() };
        let count: usize = spec.shape.iter().product();
        Some((0..count).map(|_| (deviation * random.normal()) as f32).collect())
    })
}
