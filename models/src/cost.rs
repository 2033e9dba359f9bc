//! What a network costs: operations, parameters, memory.

use crate::{Extent, Graph, Node, Op, Result, Shape};

/// What a network costs for one tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations; a multiply-add counts as two. `u64::MAX` where they are more.
    pub flops: u64,
    /// Learned values.
    pub parameters: usize,
    /// Most bytes of `f32` values between nodes that are alive at once, each kept until its last reader is done.
    pub activation_bytes: usize,
}

impl Graph {
    /// What the network costs for an input of the given extent.
    ///
    /// # Errors
    /// If the network cannot take such an input.
    pub fn cost(&self, input: Extent) -> Result<Cost> {
        let shapes = self.shapes(input)?;
        Ok(Cost {
            flops: self.flops_by_node(input)?.into_iter().fold(0, u64::saturating_add),
            parameters: self.parameters(),
            activation_bytes: self.peak_bytes(&shapes, |_| 0),
        })
    }

    /// Number of learned values.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.tensors().iter().map(|spec| spec.shape.iter().product::<usize>()).sum()
    }

    /// Floating-point operations of each node for an input of the given extent; none of those that the scores do not depend on.
    ///
    /// # Errors
    /// If the network cannot take such an input.
    pub fn flops_by_node(&self, input: Extent) -> Result<Vec<u64>> {
        let shapes = self.shapes(input)?;
        let readers = self.readers();
        let flops = |(i, node): (usize, &Node)| if readers[i].is_empty() { 0 } else { node_flops(node, shapes[i], &shapes) };
        Ok(self.nodes().iter().enumerate().map(flops).collect())
    }

    /// Most bytes alive at once, counting `workspace(node)` bytes while a node is computed.
    pub(crate) fn peak_bytes(&self, shapes: &[Shape], workspace: impl Fn(usize) -> usize) -> usize {
        let last_uses = self.last_uses();
        let (mut alive, mut peak) = (0, 0);
        for index in 0..self.nodes().len() {
            alive += shapes[index].bytes();
            peak = peak.max(alive + workspace(index));
            let dies = |i: &usize| last_uses[*i].index() == index;
            alive -= (0..=index).filter(dies).map(|i| shapes[i].bytes()).sum::<usize>();
        }
        peak
    }
}

fn node_flops(node: &Node, output: Shape, shapes: &[Shape]) -> u64 {
    let elements = output.elements() as u64;
    let input = node.inputs.first().map_or(output, |i| shapes[i.index()]);
    match &node.op {
        Op::Input { .. } | Op::Concat | Op::Channels { .. } | Op::Pad { .. } | Op::Crop { .. } | Op::Turn(_) => 0,
        Op::Conv(c) => {
            let taps = (c.kernel.product() * (input.channels / c.groups)) as u64;
            elements.saturating_mul(2 * taps + u64::from(c.bias))
        }
        Op::ConvTranspose(c) => {
            let taps = (c.kernel.product() * (c.out_channels / c.groups)) as u64;
            (2 * input.elements() as u64).saturating_mul(taps).saturating_add(if c.bias { elements } else { 0 })
        }
        Op::BatchNorm(_) | Op::Affine => 2 * elements,
        // Twice over the values for mean and variance, then a scaling.
        Op::InstanceNorm(_) | Op::GroupNorm(_) => 6 * elements,
        Op::L2Norm { .. } => 4 * elements,
        Op::Activation(_) | Op::PRelu { .. } | Op::Add | Op::Mul => elements,
        Op::Softmax => 3 * elements,
        Op::Pool(p) => elements.saturating_mul(p.kernel.product() as u64),
        // One comparison for every value of a window.
        Op::MaxUnpool(p) => (input.elements() as u64).saturating_mul(p.kernel.product() as u64),
        Op::GlobalAveragePool | Op::AdaptiveAveragePool { .. } => input.elements() as u64,
        // Of every position and codeword: the squared distance, and the weighted residual.
        Op::Encoding(e) => (6 * input.elements() as u64).saturating_mul(e.codewords as u64),
        // Two taps along each of two axes, a multiply-add each.
        Op::Resize(_) => 8 * elements,
    }
}
