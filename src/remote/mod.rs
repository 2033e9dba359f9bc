//! Objects in stores: everything that goes over the network, and all of tokio.

mod blocks;
mod cache;
mod dataset;
mod error;
mod object;
mod runtime;
mod stores;
mod vsi;

pub(crate) use blocks::block_ranges;
pub(crate) use dataset::{dataset_name, forget, limit_cache, version, warm};
pub use error::RemoteError;
pub(crate) use stores::{Place, resolve};
pub(crate) use vsi::{install, take_failure};
