//! Many scenes, one after the other and several at once, whatever breaks.
//!
//! A [`Batch`] labels scenes into one folder or prefix. A scene that fails does not stop the others. What is done has a [`Receipt`] beside its
//! products, written last: the same batch, run again, skips it, goes on with what a kill left unfinished, and tries again what failed.
//!
//! Volumes take the same way, in a [`VolumeBatch`](crate::volume::VolumeBatch).

mod job;
mod lanes;
mod receipt;
mod scenes;
mod summary;

pub use lanes::{BatchObserver, Patience};
pub(crate) use lanes::{Entry, Lanes, Tally};
pub use receipt::{Product, Receipt};
pub use scenes::Batch;
pub use summary::{Failure, Labelling, Outcome, Summary};
