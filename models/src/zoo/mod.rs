//! Networks of the literature as graphs, one file each, with the tensor names of their reference implementations; [`fcn_resnet18`] says where it
//! departs from them.

mod basic_block;
mod fcn_resnet18;
mod fcn_resnet50;
mod fcn_small;
mod list;
mod random;
mod resnet;
mod unet;

pub use fcn_resnet18::fcn_resnet18;
pub use fcn_resnet50::fcn_resnet50;
pub use fcn_small::fcn_small;
pub use list::{build, names};
pub use random::random_weights;
pub use unet::{unet, unet_of_widths};
