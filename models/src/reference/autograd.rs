//! Gradients by candle's reverse-mode differentiation.

use std::fmt;

use candle_core::{DType, Result as CandleResult, Tensor as Values, Var};

use super::compute::{by_node, compute};
use super::device::Device;
use super::ops::affine;
use crate::train::{Autograd, Batch, ParameterKind, Parameters, follow};
use crate::{Axes, BatchNorm, Error, Extent, Graph, NodeId, Op, Rank, Result, Shape};

/// Computes gradients through candle's operators: slow and plain, what other ways are held against. A planar network takes any number of
/// samples at once, a volumetric one a single sample.
///
/// ```
/// use swath_models::train::{Autograd, Batch, CandleAutograd, Device, Parameters, initial_weights};
/// use swath_models::{Builder, Conv, Rank, Scope, Shape};
///
/// let mut g = Builder::new("tiny", Rank::Planar, 1);
/// let head = g.conv(g.input(), &Scope::root("head"), Conv::square(1, 1)).node();
/// let graph = g.build(head)?;
/// let mut parameters = Parameters::new(&graph, &initial_weights(&graph, 1))?;
/// let input = Batch::new(2, Shape::planar(1, 1, 1), vec![3.0, 4.0])?;
/// // The loss is the sum of the scores.
/// let mut loss = |scores: &Batch| Batch::new(2, scores.shape(), vec![1.0, 1.0]);
/// CandleAutograd::new(graph, Device::Cpu)?.pass(&mut parameters, &input, &mut loss)?;
/// assert_eq!(parameters.gradients(), [7.0]);
/// # Ok::<(), swath_models::Error>(())
/// ```
pub struct CandleAutograd {
    graph: Graph,
    device: candle_core::Device,
    dtype: DType,
}

/// What a pass forward gives.
struct Forward {
    scores: Values,
    moments: Vec<Moments>,
}

/// What a batch says of the input of a normalisation.
struct Moments {
    /// Which of the parameters is the running mean; the variance follows.
    mean_at: usize,
    mean: Values,
    /// The unbiased estimate.
    variance: Values,
}

impl fmt::Debug for CandleAutograd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CandleAutograd").field("graph", &self.graph.name()).field("device", &self.device).finish_non_exhaustive()
    }
}

impl CandleAutograd {
    /// What computes the gradients of `graph` on a device.
    ///
    /// # Errors
    /// If there is no such device, or Swath was built without what it needs.
    pub fn new(graph: Graph, device: Device) -> Result<Self> {
        Ok(Self { graph, device: device.open()?, dtype: DType::F32 })
    }

    /// The same in `f64`, which others can be held against: rounding moves the gradients of deep networks by much more than itself, as it decides on
    /// which side of its kink an activation lies.
    #[must_use]
    pub fn in_f64(self) -> Self {
        Self { dtype: DType::F64, ..self }
    }

    fn fail(&self, node: NodeId) -> impl Fn(candle_core::Error) -> Error + use<> {
        let node = self.graph.nodes()[node.index()].name.clone();
        move |source| Error::Execution { node: node.clone(), source }
    }

    /// Shapes of one sample's values, if batch and parameters are of the network.
    fn shapes(&self, parameters: &Parameters, input: &Batch) -> Result<Vec<Shape>> {
        let refuse = |expected, got| Err(Error::Node { node: self.graph.nodes()[0].name.clone(), expected, got });
        let (shape, channels, samples) = (input.shape(), self.graph.input_channels(), input.samples());
        if shape.channels != channels {
            return refuse(Shape { channels, ..shape }.to_string(), shape.to_string());
        }
        if samples == 0 || self.graph.rank() == Rank::Volumetric && samples != 1 {
            let expected = if samples == 0 { "at least one sample" } else { "one sample at a time of volumes" };
            return refuse(expected.into(), format!("{samples} samples"));
        }
        parameters.check(&self.graph)?;
        input.check_values()?;
        self.graph.shapes(shape.extent)
    }

    /// Samples, or the depth of one, in the place of candle's batch; channels before height and width.
    fn to_candle(&self, batch: &Batch) -> CandleResult<Values> {
        let Shape { channels, extent: Axes { z, y, x } } = batch.shape();
        let values = Values::from_slice(batch.values(), (batch.samples() * z, y, x, channels), &self.device)?;
        values.to_dtype(self.dtype)?.permute((0, 3, 1, 2))?.contiguous()
    }

    /// The parameters on the device; those that are learned are variables.
    fn tensors(&self, parameters: &Parameters) -> CandleResult<Vec<Values>> {
        let tensor = |parameter: &crate::train::Parameter| {
            let values = &parameters.values()[parameter.range.clone()];
            let values = Values::from_slice(values, parameter.shape.as_slice(), &self.device)?.to_dtype(self.dtype)?;
            Ok(if parameter.kind == ParameterKind::Statistic { values } else { Var::from_tensor(&values)?.into_inner() })
        };
        parameters.list().iter().map(tensor).collect()
    }

    fn forward(&self, tensors: Vec<Values>, input: &Batch, shapes: &[Shape]) -> Result<Forward> {
        let nodes = self.graph.nodes();
        let tensors = by_node(&self.graph, tensors);
        let mut values = vec![self.to_candle(input).map_err(self.fail(NodeId(0)))?];
        let (mut moments, readers) = (Vec::new(), self.graph.readers());
        let mut parameters_before = 0;
        for (index, (node, tensors)) in nodes.iter().zip(&tensors).enumerate().skip(1) {
            let fail = self.fail(NodeId(index));
            let inputs: Vec<&Values> = node.inputs.iter().map(|input| &values[input.index()]).collect();
            let result = if readers[index].is_empty() {
                // Nothing reads it.
                inputs[0].clone()
            } else if let Op::BatchNorm(bn) = node.op {
                let count = input.samples() * shapes[index].extent.product();
                if count < 2 {
                    let expected = "more than one value per channel to normalise over".into();
                    return Err(Error::Node { node: node.name.clone(), expected, got: count.to_string() });
                }
                let (result, [mean, variance]) = normalise(inputs[0], tensors, bn).map_err(&fail)?;
                let variance = (variance * (count as f64 / (count - 1) as f64)).map_err(&fail)?;
                moments.push(Moments { mean_at: parameters_before + 2, mean, variance });
                result
            } else {
                let extent = match self.graph.rank() {
                    Rank::Planar => Extent { z: input.samples(), ..shapes[index].extent },
                    Rank::Volumetric => shapes[index].extent,
                };
                compute(node, self.graph.rank(), tensors, &inputs, extent).map_err(&fail)?
            };
            values.push(result);
            parameters_before += tensors.len();
        }
        Ok(Forward { scores: values.swap_remove(self.graph.output().index()), moments })
    }
}

impl Autograd for CandleAutograd {
    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn pass(&mut self, parameters: &mut Parameters, input: &Batch, loss: &mut dyn FnMut(&Batch) -> Result<Batch>) -> Result<()> {
        let (shapes, output) = (self.shapes(parameters, input)?, self.graph.output());
        let fail = self.fail(output);
        let tensors = self.tensors(parameters).map_err(&fail)?;
        let Forward { scores, moments } = self.forward(tensors.clone(), input, &shapes)?;
        let shape = shapes[output.index()];
        let gradient = loss(&Batch::new(input.samples(), shape, from_candle(&scores).map_err(&fail)?)?)?;
        if (gradient.samples(), gradient.shape()) != (input.samples(), shape) {
            let expected = input.samples() * shape.elements();
            return Err(Error::Length { shape, expected, got: gradient.values().len() });
        }
        let gradients =
            self.to_candle(&gradient).and_then(|gradient| (scores * gradient)?.sum_all()?.backward()).map_err(&fail)?;
        let ranges: Vec<_> = parameters.list().iter().map(|parameter| parameter.range.clone()).collect();
        for (range, tensor) in ranges.iter().zip(&tensors) {
            let Some(gradient) = gradients.get(tensor) else { continue };
            let gradient = flat(gradient).map_err(&fail)?;
            parameters.gradients_mut()[range.clone()].iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g);
        }
        for Moments { mean_at, mean, variance } in moments {
            for (range, batch) in ranges[mean_at..].iter().zip([mean, variance]) {
                let batch = flat(&batch).map_err(&fail)?;
                let running = &mut parameters.values_mut()[range.clone()];
                running.iter_mut().zip(batch).for_each(|(running, batch)| follow(running, f64::from(batch)));
            }
        }
        Ok(())
    }
}

/// Batch normalisation by the batch's own mean and variance, and these.
fn normalise(x: &Values, tensors: &[Values], bn: BatchNorm) -> CandleResult<(Values, [Values; 2])> {
    // Axis by axis: a single sum over all positions would round too often.
    let mean = |x: &Values| x.mean_keepdim(3)?.mean_keepdim(2)?.mean_keepdim(0);
    let batch_mean = mean(x)?;
    let centred = x.broadcast_sub(&batch_mean)?;
    let variance = mean(&centred.sqr()?)?;
    let normal = centred.broadcast_div(&(&variance + bn.epsilon)?.sqrt()?)?;
    Ok((affine(&normal, &tensors[0], &tensors[1])?, [batch_mean, variance]))
}

/// The values of a batch.
fn from_candle(values: &Values) -> CandleResult<Vec<f32>> {
    flat(&values.permute((0, 2, 3, 1))?)
}

fn flat(values: &Values) -> CandleResult<Vec<f32>> {
    values.flatten_all()?.to_dtype(DType::F32)?.to_vec1()
}
