//! What the network's output still lacks to be probabilities.

use serde::{Deserialize, Serialize};

/// What has to be applied to the network's output so that it becomes probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreActivation {
    /// Nothing: the output is probabilities.
    None,
    /// Softmax over the channels: the output is logits of classes that exclude each other.
    Softmax,
    /// Sigmoid of each channel: the output is logits of one foreground class, or of classes that may overlap.
    Sigmoid,
}
