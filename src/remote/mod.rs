//! Objects in stores: everything that goes over the network, and all of tokio.

mod stores;

pub(crate) use stores::{Place, resolve};
