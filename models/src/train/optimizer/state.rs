//! Steps, and what is kept between them.

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::Rule;
use super::parts::parts;
use crate::train::{Parameter, ParameterKind, Parameters};
use crate::{Result, TensorSpec, Weights};

/// Changes parameters by their gradients, step by step. The same steps give the same bits for any number of threads.
#[derive(Clone, Debug)]
pub struct Optimizer {
    rule: Rule,
    steps: u64,
    /// The tensors of the parameters.
    specs: Vec<TensorSpec>,
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
        Ok(Self { rule, steps: 0, specs: parameters.specs(), memories })
    }

    /// An optimiser that goes on where another one of the same rule stopped, with the same bits.
    ///
    /// # Errors
    /// As [`Rule::check`], or if a tensor is missing, has another shape than its parameter, or belongs to none.
    pub fn resume(rule: Rule, parameters: &Parameters, state: &OptimizerState) -> Result<Self> {
        let mut own = Self::new(rule, parameters)?;
        let learned = || parameters.list().iter().filter(|parameter| parameter.kind != ParameterKind::Statistic);
        let spec = |kind: &str, parameter: &Parameter| TensorSpec {
            name: format!("{kind}.{}", parameter.name),
            shape: parameter.shape.clone(),
        };
        let specs = rule.memories().iter().flat_map(|kind| learned().map(move |parameter| spec(kind, parameter)));
        state.tensors.check_specs(&specs.collect::<Vec<TensorSpec>>())?;
        own.steps = state.steps;
        for (memory, kind) in own.memories.iter_mut().zip(rule.memories()) {
            for parameter in learned() {
                memory[parameter.range.clone()].copy_from_slice(state.tensors.get(&spec(kind, parameter).name)?);
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
    ///
    /// # Errors
    /// If the tensors are not those of [`Optimizer::new`], or a gradient holds NaN or infinity (the error names the tensor); nothing is changed then.
    pub fn step(&mut self, parameters: &mut Parameters, rate: f64) -> Result<()> {
        parameters.check_specs(&self.specs)?;
        parameters.check_gradients()?;
        self.steps += 1;
        let parts = parts(parameters, &mut self.memories).into_par_iter();
        match self.rule {
            Rule::AdamW(rule) => {
                let step = rule.step(self.steps, rate);
                parts.for_each(|part| step.apply(part));
            }
            Rule::Sgd(rule) => parts.for_each(|part| rule.apply(part, rate)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{AdamW, initial_weights};
    use crate::{Builder, Conv, Error, Rank, Scope};

    fn rule() -> Rule {
        Rule::AdamW(AdamW::default())
    }

    fn parameters(name: &str, classes: usize) -> Parameters {
        let mut g = Builder::new("tiny", Rank::Planar, 3);
        let body = g.conv(g.input(), &Scope::root("body"), Conv::square(4, 3)).bn(&Scope::root("norm")).node();
        let head = g.conv(body, &Scope::root(name), Conv::square(classes, 1).biased()).node();
        let graph = g.build(head).unwrap();
        Parameters::new(&graph, &initial_weights(&graph, 1)).unwrap()
    }

    #[test]
    fn a_gradient_that_is_not_finite_changes_nothing() {
        let mut own = parameters("head", 2);
        let before = own.values().to_vec();
        let mut optimizer = Optimizer::new(rule(), &own).unwrap();
        let head = own.list().iter().find(|parameter| parameter.name == "head.weight").unwrap().range.clone();
        own.gradients_mut()[head.start + 5] = f32::NAN;
        let error = optimizer.step(&mut own, 0.1).unwrap_err();
        assert!(matches!(error, Error::Gradient { tensor, index: 5, value } if tensor == "head.weight" && value.is_nan()));
        assert_eq!((own.values(), optimizer.steps()), (before.as_slice(), 0));
        own.clear_gradients();
        optimizer.step(&mut own, 0.1).unwrap();
        assert_eq!(optimizer.steps(), 1);
    }

    #[test]
    fn other_parameters_are_an_error() {
        let mut optimizer = Optimizer::new(rule(), &parameters("head", 2)).unwrap();
        let mut step = |name: &str, classes: usize| optimizer.step(&mut parameters(name, classes), 0.1);
        assert!(matches!(step("head", 3), Err(Error::TensorShape { tensor, .. }) if tensor == "head.weight"));
        assert!(matches!(step("other", 2), Err(Error::MissingTensor { tensor }) if tensor == "head.weight"));
        step("head", 2).unwrap();
    }

    #[test]
    fn a_state_of_other_tensors_is_an_error() {
        let own = parameters("head", 2);
        let state = Optimizer::new(rule(), &own).unwrap().state(&own);
        let resume = |change: &dyn Fn(&mut Weights)| {
            let mut state = state.clone();
            change(&mut state.tensors);
            Optimizer::resume(rule(), &own, &state).map(|_| ())
        };
        resume(&|_| {}).unwrap();
        let missing = resume(&|tensors| tensors.remove("exp_avg.head.bias"));
        assert!(matches!(missing, Err(Error::MissingTensor { tensor }) if tensor == "exp_avg.head.bias"));
        // As many values as there should be.
        let turned = resume(&|tensors| tensors.insert("exp_avg_sq.head.weight", vec![4, 2, 1, 1], vec![0.0; 8]));
        assert!(matches!(turned, Err(Error::TensorShape { tensor, .. }) if tensor == "exp_avg_sq.head.weight"));
        let unused = resume(&|tensors| tensors.insert("exp_avg.norm.running_mean", vec![4], vec![0.0; 4]));
        assert!(matches!(unused, Err(Error::UnusedTensors { tensors }) if tensors == ["exp_avg.norm.running_mean"]));
    }

    #[test]
    fn an_epsilon_that_is_zero_as_f32_is_an_error() {
        for epsilon in [0.0, 1e-50, 1e50] {
            let error = Rule::AdamW(AdamW { epsilon, ..AdamW::default() }).check().unwrap_err();
            assert!(matches!(error, Error::Setting { setting: "epsilon", .. }), "{epsilon}");
        }
    }
}
