//! The networks by name.

use super::{fcn_resnet18, fcn_resnet50, fcn_small, unet};
use crate::{Error, Graph, Result};

/// Builds a network from bands and classes.
type Build = fn(usize, usize) -> Result<Graph>;

const NETWORKS: [(&str, Build); 4] =
    [("fcn_resnet18", fcn_resnet18), ("fcn_resnet50", fcn_resnet50), ("fcn_small", fcn_small), ("unet", unet)];

/// The names of all networks.
#[must_use]
pub fn names() -> Vec<&'static str> {
    NETWORKS.iter().map(|(name, _)| *name).collect()
}

/// The network called `name`, for so many bands and classes. It gives logits.
///
/// # Errors
/// If no network has this name, or bands or classes are 0.
pub fn build(name: &str, bands: usize, classes: usize) -> Result<Graph> {
    let known = NETWORKS.iter().find(|(known, _)| *known == name);
    let (_, build) = known.ok_or_else(|| Error::UnknownNetwork { name: name.into(), known: names() })?;
    build(bands, classes)
}
