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
            for part in ["weight", "bias", "running_mean", "running_var"] {
                weights.remove(&format!("{}.{part}", nodes[index].name));
            }
        }
    }
    let fate = |(index, gives)| if gives == NodeId(index) { Fate::Stays } else { Fate::Becomes(gives) };
    let fates: Vec<Fate> = gives.into_iter().enumerate().map(fate).collect();
    Ok((rewire(graph, nodes, &fates)?, weights))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchNorm, Builder, Executor, Rank, Reference, Scope, Shape, Tensor, zoo};

    /// The graph's own weights, all different and none symmetric; variances positive.
    fn uneven(graph: &Graph) -> Weights {
        let mut weights = Weights::new();
        for (number, spec) in graph.tensors().into_iter().enumerate() {
            let positive = if spec.name.ends_with("running_var") { 0.6 } else { 0.0 };
            let count = spec.shape.iter().product::<usize>();
            let value = |i: usize| ((i * 37 + number * 11) % 41) as f32 / 41.0 - 0.4 + positive;
            weights.insert(spec.name, spec.shape, (0..count).map(value).collect());
        }
        weights
    }

    fn assert_same_scores(graph: &Graph, weights: &Weights, folded: (Graph, Weights), shape: Shape) {
        let values = (0..shape.elements()).map(|i| (i * 29 % 53) as f32 / 53.0 - 0.5).collect();
        let input = Tensor::new(shape, values).unwrap();
        let expected = Reference::new(graph.clone(), weights).unwrap().run(input.clone()).unwrap();
        let ours = Reference::new(folded.0, &folded.1).unwrap().run(input).unwrap();
        for (a, b) in ours.data().iter().zip(expected.data()) {
            assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "expected {b}, got {a}");
        }
    }

    #[test]
    fn scalings_become_part_of_every_kind_of_convolution() {
        let mut g = Builder::new("kinds", Rank::Planar, 4);
        let x = g.conv(g.input(), &Scope::root("grouped"), Conv::square(6, 3).groups(2)).bn(&Scope::root("bn1")).relu().node();
        let up = ConvTranspose {
            out_channels: 4,
            kernel: Axes::plane(3),
            stride: Axes::plane(2),
            padding: Axes::plane_padding(1),
            output_padding: Axes { z: 0, y: 1, x: 1 },
            dilation: Axes::cube(1),
            groups: 2,
            bias: true,
        };
        let x = g.push("up", Op::ConvTranspose(up), vec![x]).bn(&Scope::root("bn2")).node();
        let x = g.push("affine", Op::Affine, vec![x]).node();
        let x = g.conv(x, &Scope::root("biased"), Conv::square(2, 1).biased()).bn(&Scope::root("bn3")).node();
        let graph = g.build(x).unwrap();
        let weights = uneven(&graph);
        let folded = fold_batch_norm(&graph, weights.clone()).unwrap();
        let labels: Vec<&str> = folded.0.nodes().iter().map(|n| n.op.label()).collect();
        assert_eq!(labels, ["input", "conv", "relu", "conv_transpose", "conv"]);
        assert_same_scores(&graph, &weights, folded, Shape::planar(4, 7, 6));
    }

    #[test]
    fn scalings_of_what_others_read_stay() {
        let mut g = Builder::new("stay", Rank::Planar, 2);
        let pre = g.push("pre", Op::BatchNorm(BatchNorm { epsilon: 1e-3 }), vec![g.input()]).node();
        let conv = g.conv(pre, &Scope::root("conv"), Conv::square(2, 3)).node();
        let bn = g.at(conv).bn(&Scope::root("bn")).node();
        let output = g.add(conv, bn).node();
        let graph = g.build(output).unwrap();
        let weights = uneven(&graph);
        assert_eq!(fold_batch_norm(&graph, weights.clone()).unwrap(), (graph, weights));
    }

    #[test]
    fn fcn_resnet50_keeps_its_scores_without_normalisations() {
        let graph = zoo::build("fcn_resnet50", 3, 2).unwrap();
        let weights = zoo::random_weights(&graph, 1);
        let folded = fold_batch_norm(&graph, weights.clone()).unwrap();
        assert!(folded.0.nodes().iter().all(|node| !matches!(node.op, Op::BatchNorm(_))));
        assert_same_scores(&graph, &weights, folded, Shape::planar(3, 33, 40));
    }
}
