//! What computes gradients.

use std::fmt;
use std::ops::Range;

use super::backward::Back;
use super::buffer::{Buffer, Buffers};
use super::forward::Kept;
use super::gradients::{Gradient, Gradients};
use super::step::Work;
use super::tape::Tape;
use super::timings::Timings;
use super::values::Values;
use crate::cpu::kernels::Isa;
use crate::train::{Autograd, Batch, Parameters};
use crate::{Convolutions, Error, Graph, Result, Shape};

/// Computes gradients on the CPU, on all threads of the rayon pool that it is called from; the same to the bit for any number of them.
///
/// The gradient with respect to the input is not computed.
///
/// ```
/// use swath_models::train::{Autograd, Batch, FusedAutograd, Parameters};
/// use swath_models::{Convolutions, Shape, zoo};
///
/// let graph = zoo::build("fcn_resnet50", 3, 2)?;
/// let mut parameters = Parameters::new(&graph, &zoo::random_weights(&graph, 1))?;
/// let mut autograd = FusedAutograd::new(graph, Convolutions::Winograd)?;
/// let shape = Shape::planar(3, 32, 32);
/// let batch = Batch::new(2, shape, vec![0.5; 2 * shape.elements()])?;
/// // The sum of squares, halved: its gradient is the scores themselves.
/// autograd.pass(&mut parameters, &batch, &mut |scores| Ok(scores.clone()))?;
/// assert!(parameters.gradients().iter().any(|gradient| *gradient != 0.0));
/// # Ok::<(), swath_models::Error>(())
/// ```
pub struct FusedAutograd {
    graph: Graph,
    isa: Isa,
    convolutions: Convolutions,
    /// For every node, where its tensors lie among the parameters.
    ranges: Vec<Range<usize>>,
    /// For batches of the last shape.
    tape: Option<Tape>,
    buffers: Buffers,
    timings: Timings,
}

impl fmt::Debug for FusedAutograd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FusedAutograd").field("graph", &self.graph.name()).field("isa", &self.isa).finish_non_exhaustive()
    }
}

impl FusedAutograd {
    /// What computes the gradients of `graph`. `convolutions` says by which algorithms, forward and back: Winograd's is faster for 3x3
    /// kernels, but rounds more coarsely. A pass makes ready for the shape of its batch and keeps that for later ones; another shape makes
    /// ready anew.
    ///
    /// # Errors
    /// If the environment variable `SWATH_ISA` asks for instructions that the processor lacks.
    pub fn new(graph: Graph, convolutions: Convolutions) -> Result<Self> {
        let isa = Isa::detect().map_err(|reason| Error::Processor { reason })?;
        let ranges = graph.tensors_by_node().scan(0, |next, (_, specs)| {
            let start = *next;
            *next += specs.iter().map(|spec| spec.shape.iter().product::<usize>()).sum::<usize>();
            Some(start..*next)
        });
        let ranges = ranges.collect();
        Ok(Self { graph, isa, convolutions, ranges, tape: None, buffers: Buffers::default(), timings: Timings::default() })
    }

    /// Where the time of the last pass went.
    #[must_use]
    pub fn timings(&self) -> &Timings {
        &self.timings
    }

    /// Bytes of the values that are kept from pass to pass; what packed weights and kernels take comes on top.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        self.buffers.bytes()
    }

    /// Checks that a batch and parameters are of the network.
    fn check(&self, parameters: &Parameters, input: &Batch) -> Result<()> {
        let channels = self.graph.input_channels();
        if input.shape().channels != channels || input.samples() == 0 {
            let want = Shape { channels, ..input.shape() };
            let node = self.graph.nodes()[0].name.clone();
            let got = format!("{} samples of {}", input.samples(), input.shape());
            return Err(Error::Node { node, expected: format!("samples of {want}"), got });
        }
        parameters.check(&self.graph)?;
        input.check_values()
    }
}

impl Autograd for FusedAutograd {
    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn pass(&mut self, parameters: &mut Parameters, input: &Batch, loss: &mut dyn FnMut(&Batch) -> Result<Batch>) -> Result<()> {
        self.check(parameters, input)?;
        let (samples, extent) = (input.samples(), input.shape().extent);
        let tape = match &mut self.tape {
            Some(tape) if (tape.samples, tape.extent) == (samples, extent) => tape,
            other => {
                *other = None;
                self.buffers.clear();
                other.insert(Tape::new(&self.graph, samples, extent, self.isa, self.convolutions)?)
            }
        };
        let (isa, ranges, buffers, timings) = (self.isa, &self.ranges, &self.buffers, &mut self.timings);
        *timings = Timings::default();
        let mut kept: Vec<Kept> = Vec::with_capacity(tape.steps.len());
        for step in &mut tape.steps {
            let tensors = &parameters.values()[ranges[step.node].clone()];
            timings.measure(step.kind, |timing| &mut timing.forward, || step.work.set(tensors));
        }
        let tape = &*tape;
        let mut values = Values::new(tape, buffers, input.values());
        for step in &tape.steps {
            let tensors = &mut parameters.values_mut()[ranges[step.node].clone()];
            let forward = || step.forward(isa, tape, buffers, &mut values, tensors);
            kept.push(timings.measure(step.kind, |timing| &mut timing.forward, forward));
            step.inputs.iter().for_each(|&input| values.release(input));
        }
        let gradient = values.scores(loss)?;
        let shape = tape.shapes[tape.output];
        if (gradient.samples(), gradient.shape()) != (tape.samples, shape) {
            let expected = format!("a gradient of {} samples of {shape}", tape.samples);
            let got = format!("{} samples of {}", gradient.samples(), gradient.shape());
            return Err(Error::Node { node: self.graph.nodes()[tape.output].name.clone(), expected, got });
        }
        let mut gradients = Gradients::new(isa, tape.samples, &tape.shapes, buffers);
        if tape.learned[tape.output] {
            gradients.give(tape.output, Gradient::new(Buffer::from(gradient.into_values()), shape.channels));
        }
        for (step, kept) in tape.steps.iter().zip(kept).rev() {
            // Nothing is learned before it.
            let Some(dy) = gradients.take(step.output) else { continue };
            let tensors = &mut parameters.gradients_mut()[ranges[step.node].clone()];
            timings.measure(step.kind, |timing| &mut timing.kernels, || step.kernel_gradient(tape, &values, &dy, tensors));
            let mut back = Back { isa, tape, values: &values, gradients: &mut gradients };
            timings.measure(step.kind, |timing| &mut timing.backward, || step.backward(&mut back, &kept, dy, tensors));
            step.reread().for_each(|node| values.release(node));
        }
        Ok(())
    }
}

impl Work {
    /// Packs the tensors of a convolution.
    fn set(&mut self, tensors: &[f32]) {
        match self {
            Self::Convolution { layer, biases } => {
                let (weight, bias) = tensors.split_at(tensors.len() - *biases);
                layer.set(weight, (*biases > 0).then_some(bias));
            }
            Self::Transposed { layer, biases } => {
                let (weight, bias) = tensors.split_at(tensors.len() - *biases);
                layer.set(weight, (*biases > 0).then_some(bias));
            }
            _ => {}
        }
    }
}
