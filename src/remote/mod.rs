//! Objects in stores: everything that goes over the network, and all of tokio.

mod error;
mod stores;

pub use error::RemoteError;
pub(crate) use stores::{Place, resolve};
