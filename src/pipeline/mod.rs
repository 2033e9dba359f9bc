//! Source to sink: reading, inference, stitching and writing, side by side.

mod compute;
mod observer;
mod read;
mod run;
mod stitch;

pub(crate) use compute::in_flight;
pub use observer::{NoObserver, Observer};
pub(crate) use read::PATCHES_AHEAD;
pub use run::run;
pub use stitch::Scores;
