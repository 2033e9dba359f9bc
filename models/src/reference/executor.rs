//! Running a graph node by node.

use std::fmt;

use candle_core::{Device, Tensor as Values};

use super::compute::{by_node, compute};
use crate::{Arithmetic, Axes, Error, Executor, Extent, Graph, Node, NodeId, Op, Result, Shape, Tensor, Weights};

/// Runs a graph through candle's operators on the CPU. Slow and plain: what other executors are held against.
///
/// ```
/// use swath_models::{zoo, Executor, Reference, Shape, Tensor};
///
/// let graph = zoo::build("fcn_resnet50", 3, 2)?;
/// let weights = zoo::random_weights(&graph, 1);
/// let executor = Reference::new(graph, &weights)?;
/// let shape = Shape::planar(3, 40, 33);
/// let scores = executor.run(Tensor::new(shape, vec![0.5; shape.elements()])?)?;
/// assert_eq!(scores.shape(), Shape::planar(2, 40, 33));
/// # Ok::<(), swath_models::Error>(())
/// ```
pub struct Reference {
    graph: Graph,
    /// For every node, its tensors in the order of [`Graph::tensors`].
    tensors: Vec<Vec<Values>>,
    last_uses: Vec<NodeId>,
    resident_bytes: usize,
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reference").field("graph", &self.graph.name()).finish_non_exhaustive()
    }
}

impl Reference {
    /// An executor of `graph` with `weights`.
    ///
    /// # Errors
    /// If the weights are not exactly those of the graph.
    pub fn new(graph: Graph, weights: &Weights) -> Result<Self> {
        weights.check(&graph)?;
        let mut tensors = Vec::new();
        for spec in graph.tensors() {
            let values = Values::from_slice(weights.get(&spec.name)?, spec.shape, &Device::Cpu);
            tensors.push(values.map_err(|source| Error::Execution { node: spec.name, source })?);
        }
        let tensors = by_node(&graph, tensors);
        let last_uses = graph.last_uses();
        Ok(Self { last_uses, tensors, resident_bytes: weights.elements() * size_of::<f32>(), graph })
    }
}

impl Executor for Reference {
    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::default()
    }

    fn run(&self, tile: Tensor) -> Result<Tensor> {
        let fail = |node: &Node| {
            let node = node.name.clone();
            move |source| Error::Execution { node, source }
        };
        let nodes = self.graph.nodes();
        let shape = tile.shape();
        if shape.channels != self.graph.input_channels() {
            let want = Shape { channels: self.graph.input_channels(), ..shape };
            return Err(Error::Node { node: nodes[0].name.clone(), expected: want.to_string(), got: shape.to_string() });
        }
        let shapes = self.graph.shapes(shape.extent)?;
        let output = self.graph.output();
        let mut values: Vec<Option<Values>> = vec![None; nodes.len()];
        values[0] = Some(from_tensor(tile).map_err(fail(&nodes[0]))?);
        for (index, node) in nodes.iter().enumerate().skip(1) {
            // Inputs are earlier nodes, and none is dropped before its last use.
            let inputs: Vec<&Values> = node.inputs.iter().filter_map(|i| values[i.index()].as_ref()).collect();
            let result =
                compute(node, self.graph.rank(), &self.tensors[index], &inputs, shapes[index].extent).map_err(fail(node))?;
            values[index] = Some(result);
            for input in node.inputs.iter().filter(|i| self.last_uses[i.index()].index() == index && **i != output) {
                values[input.index()] = None;
            }
        }
        let scores = values.swap_remove(output.index());
        let data = scores
            .map_or(Ok(Vec::new()), |v| v.transpose(0, 1)?.flatten_all()?.to_vec1())
            .map_err(fail(&nodes[output.index()]))?;
        Tensor::new(shapes[output.index()], data)
    }

    fn peak_bytes(&self, tile: Extent, _threads: usize) -> Result<usize> {
        let shapes = self.graph.shapes(tile)?;
        let output = shapes[self.graph.output().index()].bytes();
        // What candle holds while it computes a node, beside inputs and result: padded, re-ordered and intermediate copies.
        let workspace = |index: usize| {
            let node = &self.graph.nodes()[index];
            let (input, output) = (node.inputs.first().map_or(0, |i| shapes[i.index()].bytes()), shapes[index].bytes());
            match &node.op {
                Op::Input { .. } | Op::Channels { .. } | Op::Concat | Op::GlobalAveragePool => 0,
                Op::Conv(_) => 2 * input + output,
                Op::ConvTranspose(c) => 3 * input * c.stride.product() + output,
                Op::Softmax => 2 * input,
                Op::Pool(_) => 4 * input,
                Op::AdaptiveAveragePool { .. } => 3 * input,
                Op::InstanceNorm(_) | Op::GroupNorm(_) => 4 * output,
                Op::MaxUnpool(_) => 5 * output,
                Op::Encoding(e) => 3 * e.codewords * input,
                _ => 2 * output,
            }
        };
        Ok(self.graph.peak_bytes(&shapes, workspace).max(2 * output))
    }

    fn resident_bytes(&self) -> usize {
        self.resident_bytes
    }
}

fn from_tensor(tile: Tensor) -> candle_core::Result<Values> {
    let Shape { channels, extent: Axes { z, y, x } } = tile.shape();
    Values::from_vec(tile.into_data(), (channels, z, y, x), &Device::Cpu)?.transpose(0, 1)?.contiguous()
}
