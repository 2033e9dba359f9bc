//! Test-time augmentation: a network that looks at each tile several times.

mod augmentation;
mod augmented;
mod bilinear;
mod symmetry;

pub use augmentation::Augmentation;
pub use augmented::Augmented;
