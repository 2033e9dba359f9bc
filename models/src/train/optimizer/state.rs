//! Steps, and what is kept between them.

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::Rule;
use super::parts::parts;
use crate::train::{ParameterKind, Parameters};
use crate::{Error, Result, Weights};

/// Changes parameters by their gradients, step by step. The same steps give the same bits for any number of threads.
#[derive(Clone, Debug)]
pub struct Optimizer {
    rule: Rule,
    steps: u64,
    /// What the rule keeps of every value, each as long as all values together.
    memories: Vec<Vec<f32>>,
}

/// What an [`Optimizer`] keeps from step to step, to go on later.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerState {
    /// Steps made.
    pub steps: u64,
    /// Tensors of the learned parameters' shapes: `exp_avg.{name}` and `exp_avg_sq.{name}`, or `momentum_buffer.{name}`.
    pub tensors: Weights,
}

impl Optimizer {
    /// An optimiser that has not made a step yet.
    ///
    /// # Errors
    /// As [`Rule::check`].
    pub fn new(rule: Rule, parameters: &Parameters) -> Result<Self> {
        rule.check()?;
        let memories = rule.memories().iter().map(|_| vec![0.0; parameters.values().len()]).collect();
        Ok(Self { rule, steps: 0, memories })
    }

    /// An optimiser that goes on where another one of the same rule stopped, with the same bits.
    ///
    /// # Errors
    /// As [`Rule::check`], or if a tensor is missing or has another shape than its parameter.
    pub fn resume(rule: Rule, parameters: &Parameters, state: &OptimizerState) -> Result<Self> {
        let mut own = Self::new(rule, parameters)?;
        own.steps = state.steps;
        for (memory, kind) in own.memories.iter_mut().zip(rule.memories()) {
            for parameter in parameters.list().iter().filter(|p| p.kind != ParameterKind::Statistic) {
                let tensor = format!("{kind}.{}", parameter.name);
                let (values, place) = (state.tensors.get(&tensor)?, &mut memory[parameter.range.clone()]);
                if values.len() != place.len() {
                    let (expected, got) = (parameter.shape.clone(), vec![values.len()]);
                    return Err(Error::TensorShape { tensor, expected, got });
                }
                place.copy_from_slice(values);
            }
        }
        Ok(own)
    }

    /// What is kept from step to step; `parameters` give names and shapes.
    #[must_use]
    pub fn state(&self, parameters: &Parameters) -> OptimizerState {
        let mut tensors = Weights::new();
        for (memory, kind) in self.memories.iter().zip(self.rule.memories()) {
            for parameter in parameters.list().iter().filter(|p| p.kind != ParameterKind::Statistic) {
                let values = memory[parameter.range.clone()].to_vec();
                tensors.insert(format!("{kind}.{}", parameter.name), parameter.shape.clone(), values);
            }
        }
        OptimizerState { steps: self.steps, tensors }
    }

    /// Steps made.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Changes the learned values of `parameters` by their gradients, which stay as they are.
    pub fn step(&mut self, parameters: &mut Parameters, rate: f64) {
        self.steps += 1;
        let parts = parts(parameters, &mut self.memories).into_par_iter();
        match self.rule {
            Rule::AdamW(rule) => {
                let step = rule.step(self.steps, rate);
                parts.for_each(|part| step.apply(part));
            }
            Rule::Sgd(rule) => parts.for_each(|part| rule.apply(part, rate)),
        }
    }
}
