//! Networks of the literature as graphs, one file for each family, with the tensor names of their reference implementations; [`fcn_resnet18`] says where
//! it departs from them. Backbones are shared.

mod aspp;
mod basic_block;
mod deconvnet;
mod deeplab_v2_resnet;
mod deeplab_v3;
mod deeplab_v3plus;
mod deeplab_vgg16;
mod dilated;
mod efficientnet;
mod encnet;
mod encoder;
mod fcn_resnet18;
mod fcn_resnet50;
mod fcn_small;
mod fcn_torchvision;
mod fcn_vgg16;
mod features;
mod fpn;
mod gcn;
mod list;
mod mobilenet;
mod panet;
mod parsenet;
mod pspnet;
mod random;
mod refinenet;
mod resnet;
mod segnet;
mod squeeze;
mod unet;
mod unet_monai;
mod unet_smp;
mod vgg;
mod xception;

pub use fcn_resnet18::fcn_resnet18;
pub use fcn_resnet50::fcn_resnet50;
pub use fcn_small::fcn_small;
pub use list::{Network, build, find, names, networks};
pub use random::random_weights;
pub use unet::{UNet, UNetBorder, UNetNorm, UNetUp, unet};
