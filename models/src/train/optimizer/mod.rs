//! How parameters follow their gradients.

mod adamw;
mod parts;
mod rule;
mod sgd;
mod state;

pub use adamw::AdamW;
pub use rule::Rule;
pub use sgd::Sgd;
pub use state::{Optimizer, OptimizerState};
