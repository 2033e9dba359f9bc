//! Networks of the literature as graphs, one file each, with the tensor names of their reference implementations.

mod fcn_resnet50;
mod list;
mod random;
mod resnet;

pub use fcn_resnet50::fcn_resnet50;
pub use list::{build, names};
pub use random::random_weights;
