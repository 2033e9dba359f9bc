//! Graphs rewritten so that less has to be computed: from graph to graph, pure data, the same output up to rounding.

mod drop_identities;
mod drop_unused;
mod fold_batch_norm;
mod rewire;

pub(crate) use drop_identities::drop_identities;
pub(crate) use drop_unused::drop_unused;
pub(crate) use fold_batch_norm::{Scaling, fold_batch_norm};
pub(crate) use rewire::readers;
