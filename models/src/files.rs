//! File names of a model folder.

pub(crate) const CARD: &str = "model.json";
pub(crate) const GRAPH: &str = "graph.json";
pub(crate) const WEIGHTS: &str = "weights.safetensors";
pub(crate) const GOLDEN: &str = "golden.safetensors";
