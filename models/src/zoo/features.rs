//! What a backbone gives.

use crate::NodeId;

/// A map of features.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map {
    pub(super) node: NodeId,
    pub(super) channels: usize,
}

/// The maps of a backbone from the finest to the coarsest: that of stride `2^i` at place `i`, or of less where strides became dilations.
pub(super) type Pyramid = [Map; 6];
