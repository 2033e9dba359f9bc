//! How parameters follow their gradients.

mod adamw;
mod clip;
mod parts;
mod rule;
mod sgd;
mod state;

pub use adamw::AdamW;
pub use clip::clip_gradients;
pub use rule::Rule;
pub use sgd::Sgd;
pub use state::{Optimizer, OptimizerState};
