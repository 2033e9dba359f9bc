//! What is learned.

use std::ops::Range;

use super::finite::{NotFinite, first_not_finite};
use crate::{Error, Graph, Op, Result, TensorSpec, Weights};

/// All tensors of a graph, one after the other in the order of [`Graph::tensors`], each with its gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    list: Vec<Parameter>,
    values: Vec<f32>,
    gradients: Vec<f32>,
}

/// One tensor of [`Parameters`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Name, as in the weights file.
    pub name: String,
    /// Length of every axis, slowest first.
    pub shape: Vec<usize>,
    /// What it is to the optimiser.
    pub kind: ParameterKind,
    /// Its place among the values.
    pub range: Range<usize>,
}

/// What a tensor is to the optimiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// A kernel: learned, and subject to weight decay.
    Kernel,
    /// A bias, or a factor of a normalisation: learned, without decay.
    Vector,
    /// A running mean or variance: not learned, but moved by every pass.
    Statistic,
}

impl Parameters {
    /// The tensors of `graph`, with the values in `weights` and gradients of zero.
    ///
    /// # Errors
    /// As [`Weights::check`].
    pub fn new(graph: &Graph, weights: &Weights) -> Result<Self> {
        weights.check(graph)?;
        let (mut list, mut values) = (Vec::new(), Vec::new());
        let specs = graph.tensors_by_node().flat_map(|(node, specs)| specs.into_iter().map(move |spec| (node, spec)));
        for (node, spec) in specs {
            let is_norm = matches!(node.op, Op::BatchNorm(_));
            let kind = match spec.part() {
                "running_mean" | "running_var" if is_norm => ParameterKind::Statistic,
                _ if spec.shape.len() > 1 => ParameterKind::Kernel,
                _ => ParameterKind::Vector,
            };
            let start = values.len();
            values.extend_from_slice(weights.get(&spec.name)?);
            list.push(Parameter { name: spec.name, shape: spec.shape, kind, range: start..values.len() });
        }
        let gradients = vec![0.0; values.len()];
        Ok(Self { list, values, gradients })
    }

    /// Checks that these are the tensors of `graph`.
    ///
    /// # Errors
    /// Names the first tensor that is missing or misshapen, or all that are of another graph.
    pub fn check(&self, graph: &Graph) -> Result<()> {
        self.check_specs(&graph.tensors())
    }

    /// The same for any tensors.
    pub(super) fn check_specs(&self, specs: &[TensorSpec]) -> Result<()> {
        let mut list = self.list.iter();
        for TensorSpec { name, shape } in specs {
            let Some(parameter) = list.next().filter(|parameter| parameter.name == *name) else {
                return Err(Error::MissingTensor { tensor: name.clone() });
            };
            if parameter.shape != *shape {
                let (expected, got) = (shape.clone(), parameter.shape.clone());
                return Err(Error::TensorShape { tensor: name.clone(), expected, got });
            }
        }
        let unused: Vec<String> = list.map(|parameter| parameter.name.clone()).collect();
        if unused.is_empty() { Ok(()) } else { Err(Error::UnusedTensors { tensors: unused }) }
    }

    /// Names and shapes.
    pub(super) fn specs(&self) -> Vec<TensorSpec> {
        self.list.iter().map(|parameter| TensorSpec { name: parameter.name.clone(), shape: parameter.shape.clone() }).collect()
    }

    /// Checks that all gradients are finite.
    ///
    /// # Errors
    /// Names the first tensor whose gradient is not.
    pub fn check_gradients(&self) -> Result<()> {
        let Some(NotFinite { index, value }) = first_not_finite(&self.gradients) else { return Ok(()) };
        let owner = self.list.iter().find(|parameter| parameter.range.contains(&index));
        let (tensor, start) = owner.map_or_else(Default::default, |owner| (owner.name.clone(), owner.range.start));
        Err(Error::Gradient { tensor, value, index: index - start })
    }

    /// The tensors.
    #[must_use]
    pub fn list(&self) -> &[Parameter] {
        &self.list
    }

    /// All values.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, to be changed.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// All gradients; those of statistics stay zero.
    #[must_use]
    pub fn gradients(&self) -> &[f32] {
        &self.gradients
    }

    /// All gradients, to be changed.
    pub fn gradients_mut(&mut self) -> &mut [f32] {
        &mut self.gradients
    }

    /// Values, to be changed by what the gradients say.
    pub fn split_mut(&mut self) -> (&mut [f32], &[f32]) {
        (&mut self.values, &self.gradients)
    }

    /// Sets all gradients to zero.
    pub fn clear_gradients(&mut self) {
        self.gradients.fill(0.0);
    }

    /// The values as weights by name.
    #[must_use]
    pub fn weights(&self) -> Weights {
        let mut weights = Weights::new();
        for parameter in &self.list {
            weights.insert(parameter.name.clone(), parameter.shape.clone(), self.values[parameter.range.clone()].to_vec());
        }
        weights
    }
}
