//! Starting from what another network has learned.

use crate::{Graph, Result, TensorSpec, Weights};

/// Weights for a network, as far as possible taken from those of another one.
#[derive(Clone, Debug, PartialEq)]
pub struct Transfer {
    /// All that the network needs.
    pub weights: Weights,
    /// What was taken over: same name, same shape.
    pub loaded: Vec<TensorSpec>,
    /// What the source does not have.
    pub missing: Vec<TensorSpec>,
    /// What the source has in another shape, like a head for other classes.
    pub misshapen: Vec<Misshapen>,
    /// What only the source has.
    pub unused: Vec<TensorSpec>,
}

/// A tensor that two networks have in different shapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misshapen {
    /// Name and shape in the network.
    pub wanted: TensorSpec,
    /// Shape in the source.
    pub found: Vec<usize>,
}

impl Transfer {
    /// The tensors of `source` for those of `graph` that have their name and shape, those of `initial` for all others.
    ///
    /// # Errors
    /// If `initial` lacks a tensor that the source does not have either, or the result does not pass [`Weights::check`].
    pub fn new(graph: &Graph, source: &Weights, initial: &Weights) -> Result<Self> {
        let found: Vec<TensorSpec> = source.specs().collect();
        let wanted = graph.tensors();
        let unused = found.iter().filter(|f| !wanted.iter().any(|w| w.name == f.name)).cloned().collect();
        let mut own = Self { weights: Weights::new(), loaded: Vec::new(), missing: Vec::new(), misshapen: Vec::new(), unused };
        for spec in wanted {
            let other = found.iter().find(|f| f.name == spec.name);
            let values = if other == Some(&spec) { source.get(&spec.name)? } else { initial.get(&spec.name)? };
            own.weights.insert(spec.name.clone(), spec.shape.clone(), values.to_vec());
            match other {
                Some(other) if *other == spec => own.loaded.push(spec),
                Some(other) => own.misshapen.push(Misshapen { wanted: spec, found: other.shape.clone() }),
                None => own.missing.push(spec),
            }
        }
        own.weights.check(graph)?;
        Ok(own)
    }
}
