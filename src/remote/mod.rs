//! Objects in stores: everything that goes over the network, and all of tokio.

mod blocks;
mod cache;
mod dataset;
mod error;
mod object;
mod objects;
mod runtime;
mod stores;
mod traffic;
mod upload;
mod vsi;

pub(crate) use blocks::block_ranges;
pub(crate) use dataset::{dataset_name, forget, limit_cache, version, warm};
pub use error::RemoteError;
pub(crate) use objects::{delete, download, list, read, read_start, version_of, write};
pub use stores::{Access, set_access};
pub(crate) use stores::{Place, resolve};
pub use traffic::{Traffic, traffic};
pub(crate) use upload::upload;
pub(crate) use vsi::{install, take_failure};
