//! Where a training stands, on disk.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use swath_models::Weights;
use swath_models::train::OptimizerState;

use super::fingerprint::Fingerprint;
use super::{Metrics, TrainError};
use crate::sink::Unpublished;
use crate::{Error, Existing, Result};

/// The key of what a checkpoint holds beside tensors, in the file's header.
const HEADER: &str = "swath";
/// What the names of the network's tensors begin with.
const WEIGHTS: &str = "weights/";
/// What the names of the optimiser's tensors begin with.
const OPTIMIZER: &str = "optimizer/";

/// All that a training needs to go on with the same bits: crops follow from the step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Checkpoint {
    pub(super) progress: Progress,
    pub(super) weights: Weights,
    pub(super) optimizer: OptimizerState,
}

/// What has been done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// The recipe's text.
    pub(super) recipe: String,
    /// What was learned from.
    pub(super) data: Fingerprint,
    /// Steps so far.
    pub(super) step: u64,
    /// Time spent in them, in seconds.
    pub(super) seconds: f64,
    /// Sum of the losses since the last metrics.
    pub(super) loss: f64,
    /// Steps since then.
    pub(super) losses: u64,
    pub(super) metrics: Vec<Metrics>,
    /// Steps at the last validation.
    pub(super) validated: u64,
    /// The best mean `IoU` so far.
    pub(super) best: Option<f64>,
}

impl Checkpoint {
    /// Writes the file, in place of an earlier one once it is complete.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let header = serde_json::to_string(&self.progress).map_err(|error| damaged(path, &error))?;
        let header = HashMap::from([(HEADER.to_owned(), header)]);
        let parts = [(WEIGHTS, &self.weights), (OPTIMIZER, &self.optimizer.tensors)];
        let mut tensors = Vec::new();
        for (prefix, weights) in parts {
            for spec in weights.specs() {
                let bytes: Vec<u8> = weights.get(&spec.name)?.iter().flat_map(|value| value.to_le_bytes()).collect();
                tensors.push((format!("{prefix}{}", spec.name), spec.shape, bytes));
            }
        }
        let mut views = Vec::with_capacity(tensors.len());
        for (name, shape, bytes) in &tensors {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|error| damaged(path, &error))?;
            views.push((name, view));
        }
        // Not `serialize_to_file`: it writes under a random name first, which a kill would leave behind.
        let bytes = safetensors::serialize(views, Some(header)).map_err(|error| damaged(path, &error))?;
        let output = Unpublished::create(path, Existing::Overwrite)?;
        fs::write(output.part(), bytes).map_err(|source| Error::File { action: "write", path: path.into(), source })?;
        output.publish()
    }

    /// Reads the file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|source| Error::File { action: "read", path: path.into(), source })?;
        let fail = |error: safetensors::SafeTensorError| damaged(path, &error);
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(fail)?;
        let progress = header.metadata().as_ref().and_then(|entries| entries.get(HEADER));
        let progress = progress.ok_or_else(|| damaged(path, &"its header does not say how far the training was"))?;
        let progress: Progress = serde_json::from_str(progress).map_err(|error| damaged(path, &error))?;
        let (mut weights, mut tensors) = (Weights::new(), Weights::new());
        for (name, view) in SafeTensors::deserialize(&bytes).map_err(fail)?.tensors() {
            let (values, rest) = view.data().as_chunks();
            if view.dtype() != Dtype::F32 || !rest.is_empty() {
                return Err(damaged(path, &format!("tensor `{name}` is not of 32 bits")).into());
            }
            let values = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            if let Some(name) = name.strip_prefix(WEIGHTS) {
                weights.insert(name, view.shape().to_vec(), values);
            } else if let Some(name) = name.strip_prefix(OPTIMIZER) {
                tensors.insert(name, view.shape().to_vec(), values);
            }
        }
        let optimizer = OptimizerState { steps: progress.step, tensors };
        Ok(Self { progress, weights, optimizer })
    }
}

fn damaged(path: &Path, reason: &dyn std::fmt::Display) -> TrainError {
    TrainError::Checkpoint { path: path.into(), reason: reason.to_string() }
}
