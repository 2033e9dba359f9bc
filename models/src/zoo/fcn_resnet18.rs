//! Fully convolutional network with skip fusion on ResNet-18: "Fully Convolutional Networks for Semantic Segmentation", Long et al. 2015
//! (arXiv 1411.4038), with the class scores of strides 8, 16 and 32 fused from the coarsest to the finest.

use super::basic_block::{BasicBlock, stage};
use crate::{Builder, Conv, Graph, NodeId, Rank, Result, Scope};

/// FCN-ResNet18: 1x1 heads `head8`, `head16` and `head32` on the stride 8, 16 and 32 maps; the scores of a stride are resized bilinearly to the
/// next finer one and added to its own, at last to the input. Gives logits.
///
/// Tensors are named as in PyTorch code that builds the network of a sequence `stem` and blocks with a `skip`: `stem.0`, `stem.1` and
/// `layer2.0.skip.0` are what torchvision calls `conv1`, `bn1` and `layer2.0.downsample.0`; all others of the trunk have torchvision's names.
///
/// # Errors
/// If bands or classes are 0.
pub fn fcn_resnet18(bands: usize, classes: usize) -> Result<Graph> {
    let mut g = Builder::new("fcn_resnet18", Rank::Planar, bands);
    let input = g.input();
    let stem = g.conv(input, &Scope::root("stem.0"), Conv::square(64, 7).stride(2)).bn(&Scope::root("stem.1")).relu();
    let x = stem.max_pool(3, 2, 1).node();
    let x = stage(&mut g, x, "layer1", BasicBlock { in_channels: 64, width: 64, stride: 1 }, 2);
    let s8 = stage(&mut g, x, "layer2", BasicBlock { in_channels: 64, width: 128, stride: 2 }, 2);
    let s16 = stage(&mut g, s8, "layer3", BasicBlock { in_channels: 128, width: 256, stride: 2 }, 2);
    let s32 = stage(&mut g, s16, "layer4", BasicBlock { in_channels: 256, width: 512, stride: 2 }, 2);
    let mut head = |map: NodeId, name: &str| g.conv(map, &Scope::root(name), Conv::square(classes, 1).biased()).node();
    let (s8, s16, s32) = (head(s8, "head8"), head(s16, "head16"), head(s32, "head32"));
    let coarser = g.resize_like(s32, s16).node();
    let fused = g.add(coarser, s16).node();
    let coarser = g.resize_like(fused, s8).node();
    let fused = g.add(coarser, s8).node();
    let logits = g.resize_like(fused, input).node();
    g.build(logits)
}
