//! What a name of the file stands for while it is read.

use std::rc::Rc;

use super::array::Array;
use super::constant::Constant;
use super::layout::Layout;
use crate::{NodeId, Pool};

/// What a name of the file stands for.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Values computed from the network's input.
    Feature(Feature),
    /// Values that are in the file.
    Constant(Rc<Constant>),
    /// Values computed from shapes.
    Array(Rc<Array>),
    /// Where a pooling found its maxima.
    Maxima(Maxima),
    /// Values computed from the network's input, with their channels in groups.
    Groups(Groups),
    /// Several of them along a new first axis.
    Stack(Rc<[Feature]>),
}

/// A value of axes (batch, group, all else): how exporters write the normalisation of groups.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    /// The same with its own axes.
    pub(super) x: Feature,
    pub(super) count: usize,
    /// What had its channels put in groups, whose shape is that of `x`.
    pub(super) of: NodeId,
}

/// Where a pooling found its maxima: what is pooled, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maxima {
    pub(super) of: NodeId,
    pub(super) pool: Pool,
}

/// A node's result, and the order of its axes in the file.
#[derive(Clone, Debug)]
pub(super) struct Feature {
    pub(super) node: NodeId,
    pub(super) layout: Layout,
}

impl From<Feature> for Value {
    fn from(feature: Feature) -> Self {
        Self::Feature(feature)
    }
}

impl From<Array> for Value {
    fn from(array: Array) -> Self {
        Self::Array(Rc::new(array))
    }
}

impl Feature {
    /// Another node's result in the same order of axes.
    pub(super) fn at(&self, node: NodeId) -> Self {
        Self { node, layout: self.layout.clone() }
    }
}
