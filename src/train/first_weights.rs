//! Where a training starts.

use swath_models::train::Transfer;
use swath_models::{Change, Checkpoint, Graph, Model, Weights};

use super::{Recipe, paths};
use crate::Result;

/// The first weights, as far as possible from a file or a model folder.
#[derive(Clone, Debug, PartialEq)]
pub struct FirstWeights {
    /// What was taken over.
    pub transfer: Transfer,
    /// What was renamed or adapted for that, and what was left in the file.
    pub changes: Vec<Change>,
}

impl FirstWeights {
    /// Reads what the recipe's `model.weights` names. What it does not have stays as in `initial`.
    pub(super) fn read(recipe: &Recipe, path: &str, graph: &Graph, initial: &Weights) -> Result<Self> {
        let path = paths::resolve(path, recipe.path()).map_err(|error| error.at(&recipe.source, "model.weights"))?;
        let [.., file] = Model::files(&path);
        let mut source = Checkpoint::read(if path.is_dir() { &file } else { &path })?.named_for(graph)?;
        if let Some(rule) = recipe.settings.model.adapt_bands {
            source = source.with_bands_of(graph, Some(rule))?;
        }
        let transfer = Transfer::new(graph, &source.weights, initial)?;
        if transfer.loaded.is_empty() {
            let expected = "weights with at least one tensor of the network's names and shapes";
            return Err(recipe.source.value("model.weights", expected, format!("{}", path.display())).into());
        }
        Ok(Self { transfer, changes: source.changes })
    }
}
