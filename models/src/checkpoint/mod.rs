//! Files of weights that other programs wrote: read strictly, brought to the names of a network by listed rules, and everything that was changed or
//! passed over is told.

mod bands;
mod change;
mod file;
mod format;
mod naming;

pub use bands::AdaptBands;
pub use change::Change;
pub use file::Checkpoint;
pub use format::FileFormat;
pub(crate) use naming::AUX_CLASSIFIER;
