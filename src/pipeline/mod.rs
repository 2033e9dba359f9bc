//! Source to sink: reading, inference, stitching and writing, side by side.

mod card;
mod compute;
mod observer;
mod read;
mod run;
mod sink;
mod stitch;

pub(crate) use compute::in_flight;
pub use observer::{NoObserver, Observer};
pub(crate) use read::PATCHES_AHEAD;
pub use run::run;
pub(crate) use run::run_to;
pub(crate) use sink::{LabelledPart, LabelsWanted, RowSink};
pub use stitch::Scores;
