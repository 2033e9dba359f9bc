//! Scalings after a convolution, as part of its weights.

use super::rewire::{Fate, readers, rewire};
use crate::{Axes, Conv, ConvTranspose, Graph, Node, NodeId, Op, Result, TensorSpec, Weights};

/// The graph with every batch normalisation and affine map that follows a convolution, transposed or not, made part of the convolution's
/// weights and bias, if nobody else reads the convolution. Computed in `f64`.
pub(crate) fn fold_batch_norm(graph: &Graph, mut weights: Weights) -> Result<(Graph, Weights)> {
    let readers = readers(graph);
    let mut nodes = graph.nodes().to_vec();
    // For every node, the convolution that gives its values after folding; itself if nothing is folded.
    let mut gives: Vec<NodeId> = (0..nodes.len()).map(NodeId).collect();
    for index in 0..nodes.len() {
        let Some(scaling) = Scaling::of(&nodes[index], &weights)? else { continue };
        let input = nodes[index].inputs[0].index();
        let conv = gives[input];
        if readers[input] == 1 && scaling.fold_into(&mut nodes[conv.index()], graph, &mut weights)? {
            gives[index] = conv;
            ["weight", "bias", "running_mean", "running_var"]
                .iter()
                .for_each(|part| weights.remove(&format!("{}.{part}", nodes[index].name)));
        }
    }
    let fates = nodes
        .into_iter()
        .zip(&gives)
        .enumerate()
        .map(|(index, (node, &gives))| if gives == NodeId(index) { Fate::Stays(node) } else { Fate::Becomes(gives) });
    Ok((rewire(graph, fates.collect())?, weights))
}

/// `x * scale + shift` per channel.
pub(crate) struct Scaling {
    pub(crate) scale: Vec<f64>,
    pub(crate) shift: Vec<f64>,
}

impl Scaling {
    /// What a batch normalisation or an affine map computes; `None` for other nodes.
    pub(crate) fn of(node: &Node, weights: &Weights) -> Result<Option<Self>> {
        let get = |part: &str| weights.get(&format!("{}.{part}", node.name));
        let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<f64>>();
        Ok(match node.op {
            Op::Affine => Some(Self { scale: wide(get("weight")?), shift: wide(get("bias")?) }),
            Op::BatchNorm(bn) => {
                let variance = wide(get("running_var")?);
                let factors = variance.iter().zip(get("weight")?);
                let scale: Vec<f64> = factors.map(|(v, w)| f64::from(*w) / (v + bn.epsilon).sqrt()).collect();
                let means = get("bias")?.iter().zip(get("running_mean")?).zip(&scale);
                let shift = means.map(|((bias, mean), scale)| f64::from(*bias) - f64::from(*mean) * scale).collect();
                Some(Self { scale, shift })
            }
            _ => None,
        })
    }

    /// Makes the scaling part of a convolution's tensors; says whether the node is one.
    fn fold_into(&self, node: &mut Node, graph: &Graph, weights: &mut Weights) -> Result<bool> {
        let Some(kernel) = Kernel::of(node, graph) else { return Ok(false) };
        let (name, bias_name) = (format!("{}.weight", node.name), format!("{}.bias", node.name));
        let scaled = weights.get(&name)?.iter().enumerate();
        let scaled = scaled.map(|(i, w)| (f64::from(*w) * self.scale[kernel.out_channel(i)]) as f32).collect();
        let bias = if kernel.bias { weights.get(&bias_name)?.to_vec() } else { vec![0.0; self.scale.len()] };
        let bias =
            bias.iter().zip(&self.scale).zip(&self.shift).map(|((b, scale), shift)| (f64::from(*b) * scale + shift) as f32);
        let bias: Vec<f32> = bias.collect();
        if let Op::Conv(Conv { bias, .. }) | Op::ConvTranspose(ConvTranspose { bias, .. }) = &mut node.op {
            *bias = true;
        }
        weights.insert(bias_name, vec![bias.len()], bias);
        weights.insert(name, kernel.shape, scaled);
        Ok(true)
    }
}

/// How the weight of a convolution is laid out.
struct Kernel {
    shape: Vec<usize>,
    /// Weights of one input channel and one output channel.
    taps: usize,
    /// Output channels that follow each other in a group.
    out_per_group: usize,
    /// Input channels of a group, if they are the slowest axis (transposed convolutions).
    in_per_group: Option<usize>,
    bias: bool,
}

impl Kernel {
    fn of(node: &Node, graph: &Graph) -> Option<Self> {
        let TensorSpec { shape, .. } = graph.tensors().into_iter().find(|spec| spec.name == format!("{}.weight", node.name))?;
        let taps = |kernel: Axes<usize>| kernel.product();
        match node.op {
            Op::Conv(Conv { kernel, bias, out_channels, .. }) => {
                Some(Self { taps: taps(kernel) * shape[1], shape, out_per_group: out_channels, in_per_group: None, bias })
            }
            Op::ConvTranspose(ConvTranspose { kernel, bias, groups, .. }) => {
                let (out_per_group, in_per_group) = (shape[1], Some(shape[0] / groups));
                Some(Self { shape, taps: taps(kernel), out_per_group, in_per_group, bias })
            }
            _ => None,
        }
    }

    /// The output channel of a weight, by its place in C order.
    fn out_channel(&self, index: usize) -> usize {
        let block = index / self.taps;
        match self.in_per_group {
            None => block,
            Some(inputs) => block / self.out_per_group / inputs * self.out_per_group + block % self.out_per_group,
        }
    }
}
