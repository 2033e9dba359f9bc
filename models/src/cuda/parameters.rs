//! What a network has learned, in the forms in which a card reads it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::arguments::GROUP;
use super::device::{Device, Memory};
use super::kernel::Stored;
use crate::passes::Scaling;
use crate::{Axes, Conv, ConvTranspose, Graph, NodeId, Result, Weights};

/// The tensors of a graph, packed for the card when a program first needs them, and shared by all programs.
pub(super) struct Parameters {
    graph: Graph,
    weights: Weights,
    stored: Stored,
    packed: Mutex<HashMap<(usize, Form), Arc<Memory>>>,
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameters").field("graph", &self.graph.name()).finish_non_exhaustive()
    }
}

/// How a node's tensors are laid out on the card. Channels are filled up to groups with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// Weights `(out, taps, in)` as values are stored: for cuDNN.
    Filter,
    /// The same of a transposed convolution whose kernel is its stride, as one of kernel 1: `(phases, out, in)`.
    PhaseFilter,
    /// Weights in `f32` as the kernels `convolution` and `transposed` read them.
    Taps,
    /// Weights `(taps, channels)` in `f32`.
    Depthwise,
    /// The bias in `f32`, zeros where there is none.
    Bias,
    /// The same for every phase.
    PhaseBias,
    /// Factors of a scaling.
    Factors,
    /// Summands of a scaling.
    Summands,
    /// A tensor of one value per channel, or of one for all.
    PerChannel(Part),
    /// A tensor as it is.
    Plain(Part),
}

/// Which of a node's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Weight,
    Bias,
    Codewords,
    Scale,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::Codewords => "codewords",
            Self::Scale => "scale",
        }
    }
}

/// A convolution's weights: `(outer, inner, taps)` as they are named in the file.
struct Kernel<'a> {
    values: &'a [f32],
    taps: usize,
    groups: usize,
    out_channels: usize,
    in_channels: usize,
    /// Whether the input channel is the slowest axis.
    transposed: bool,
}

impl Kernel<'_> {
    fn at(&self, out: usize, tap: usize, input: usize) -> f32 {
        let (outs, ins) = (self.out_channels / self.groups, self.in_channels / self.groups);
        let index = if self.transposed {
            // `input` counts within the group of the output channel.
            ((out / outs * ins + input) * outs + out % outs) * self.taps + tap
        } else {
            (out * ins + input) * self.taps + tap
        };
        self.values[index]
    }
}

impl Parameters {
    pub(super) fn new(graph: Graph, weights: Weights, stored: Stored) -> Self {
        Self { graph, weights, stored, packed: Mutex::default() }
    }

    pub(super) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// A node's tensors in a form.
    pub(super) fn get(&self, device: &Arc<dyn Device>, node: usize, form: Form) -> Result<Arc<Memory>> {
        let mut packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(memory) = packed.get(&(node, form)) {
            return Ok(Arc::clone(memory));
        }
        let memory = Arc::new(self.pack(device, node, form)?);
        packed.insert((node, form), Arc::clone(&memory));
        Ok(memory)
    }

    /// Bytes that the card holds of them at most.
    pub(super) fn bytes(&self) -> usize {
        // Small tensors are filled up to groups and have kept places of their own.
        self.weights.elements() * (self.stored.bytes() + size_of::<f32>()) + self.graph.nodes().len() * 4096
    }

    fn pack(&self, device: &Arc<dyn Device>, node: usize, form: Form) -> Result<Memory> {
        match form {
            Form::Filter => {
                let kernel = self.kernel(node)?;
                let (outs, ins) = (kernel.out_channels.next_multiple_of(GROUP), kernel.in_channels.next_multiple_of(GROUP));
                let mut values = vec![0.0; outs * kernel.taps * ins];
                for (out, values) in values.chunks_exact_mut(kernel.taps * ins).take(kernel.out_channels).enumerate() {
                    for (tap, values) in values.chunks_exact_mut(ins).enumerate() {
                        values[..kernel.in_channels].iter_mut().enumerate().for_each(|(i, v)| *v = kernel.at(out, tap, i));
                    }
                }
                Memory::of(device, &self.stored.bytes_of(&values))
            }
            Form::PhaseFilter => {
                let kernel = self.kernel(node)?;
                let (outs, ins) = (kernel.out_channels.next_multiple_of(GROUP), kernel.in_channels.next_multiple_of(GROUP));
                let mut values = vec![0.0; kernel.taps * outs * ins];
                for (tap, values) in values.chunks_exact_mut(outs * ins).enumerate() {
                    for (out, values) in values.chunks_exact_mut(ins).take(kernel.out_channels).enumerate() {
                        values[..kernel.in_channels].iter_mut().enumerate().for_each(|(i, v)| *v = kernel.at(out, tap, i));
                    }
                }
                Memory::of(device, &self.stored.bytes_of(&values))
            }
            Form::Taps => {
                let kernel = self.kernel(node)?;
                Memory::of(device, &if kernel.groups == 1 { blocks(&kernel) } else { rows(&kernel) })
            }
            Form::Depthwise => {
                let kernel = self.kernel(node)?;
                let channels = kernel.out_channels.next_multiple_of(GROUP);
                let mut values = vec![0.0; kernel.taps * channels];
                for (tap, values) in values.chunks_exact_mut(channels).enumerate() {
                    values[..kernel.out_channels].iter_mut().enumerate().for_each(|(c, v)| *v = kernel.at(c, tap, 0));
                }
                Memory::of(device, &values)
            }
            Form::Bias => Memory::of(device, &self.bias(node)?),
            Form::PhaseBias => {
                let (bias, phases) = (self.bias(node)?, self.kernel(node)?.taps);
                Memory::of(device, &bias.repeat(phases))
            }
            Form::Plain(part) => Memory::of(device, self.tensor(node, part.name())?),
            Form::PerChannel(part) => {
                let channels = self.graph.channels(NodeId(node));
                // A normalisation without tensors changes nothing after it.
                let none = if part == Part::Weight { 1.0 } else { 0.0 };
                let has =
                    !matches!(self.graph.nodes()[node].op, crate::Op::InstanceNorm(crate::InstanceNorm { affine: false, .. }));
                let values = if has { self.tensor(node, part.name())?.to_vec() } else { vec![none] };
                let values = if values.len() == 1 { values.repeat(channels) } else { values };
                Memory::of(device, &filled(values))
            }
            Form::Factors | Form::Summands => {
                let values = Scaling::of(&self.graph.nodes()[node], &self.weights)?;
                let values =
                    values.map_or_else(Vec::new, |Scaling { scale, shift }| if form == Form::Factors { scale } else { shift });
                Memory::of(device, &filled(values.into_iter().map(|v| v as f32).collect()))
            }
        }
    }

    /// The weights of a convolution, transposed or not.
    fn kernel(&self, node: usize) -> Result<Kernel<'_>> {
        let values = self.tensor(node, "weight")?;
        let in_channels = self.graph.channels(self.graph.nodes()[node].inputs[0]);
        let of = |kernel: Axes<usize>, groups, out_channels, transposed| Kernel {
            values,
            taps: kernel.product(),
            groups,
            out_channels,
            in_channels,
            transposed,
        };
        Ok(match self.graph.nodes()[node].op {
            crate::Op::ConvTranspose(ConvTranspose { kernel, groups, out_channels, .. }) => {
                of(kernel, groups, out_channels, true)
            }
            crate::Op::Conv(Conv { kernel, groups, out_channels, .. }) => of(kernel, groups, out_channels, false),
            // Nothing else has weights that are packed as such.
            _ => of(Axes::cube(1), 1, self.graph.channels(NodeId(node)), false),
        })
    }

    fn bias(&self, node: usize) -> Result<Vec<f32>> {
        let has = match self.graph.nodes()[node].op {
            crate::Op::Conv(Conv { bias, .. }) | crate::Op::ConvTranspose(ConvTranspose { bias, .. }) => bias,
            _ => false,
        };
        let zeros = || vec![0.0; self.graph.channels(NodeId(node))];
        Ok(filled(if has { self.tensor(node, "bias")?.to_vec() } else { zeros() }))
    }

    fn tensor(&self, node: usize, part: &str) -> Result<&[f32]> {
        self.weights.get(&format!("{}.{part}", self.graph.nodes()[node].name))
    }
}

/// With zeros up to a whole group.
fn filled(mut values: Vec<f32>) -> Vec<f32> {
    values.resize(values.len().next_multiple_of(GROUP), 0.0);
    values
}

/// `(output group, tap, input channel in groups, 8)`
fn blocks(kernel: &Kernel<'_>) -> Vec<f32> {
    let (outs, ins) = (kernel.out_channels.next_multiple_of(GROUP), kernel.in_channels.next_multiple_of(GROUP));
    let mut values = vec![0.0; outs * kernel.taps * ins];
    for (group, values) in values.chunks_exact_mut(kernel.taps * ins * GROUP).enumerate() {
        for (tap, values) in values.chunks_exact_mut(ins * GROUP).enumerate() {
            for (input, values) in values.chunks_exact_mut(GROUP).take(kernel.in_channels).enumerate() {
                let outs = (group * GROUP..kernel.out_channels).zip(values);
                outs.for_each(|(out, value)| *value = kernel.at(out, tap, input));
            }
        }
    }
    values
}

/// `(output channel, tap, input channel of its group)`
fn rows(kernel: &Kernel<'_>) -> Vec<f32> {
    let ins = kernel.in_channels / kernel.groups;
    let mut values = vec![0.0; kernel.out_channels * kernel.taps * ins];
    for (out, values) in values.chunks_exact_mut(kernel.taps * ins).enumerate() {
        for (tap, values) in values.chunks_exact_mut(ins).enumerate() {
            values.iter_mut().enumerate().for_each(|(input, value)| *value = kernel.at(out, tap, input));
        }
    }
    values
}
