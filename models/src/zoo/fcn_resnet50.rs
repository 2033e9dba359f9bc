//! Fully convolutional network with skip fusion on ResNet-50: "Fully Convolutional Networks for Semantic Segmentation", Long et al. 2015
//! (arXiv 1411.4038), with the class scores of strides 8, 16 and 32 each resized to the input and summed.

use super::resnet::{Depth, Dilation, resnet};
use crate::{Builder, Conv, Graph, NodeId, Rank, Result, Scope};

/// FCN-ResNet50: 1x1 heads `head8`, `head16` and `head32` on the stride 8, 16 and 32 maps, each resized bilinearly to the input, summed.
/// Gives logits.
///
/// # Errors
/// If bands or classes are 0.
pub fn fcn_resnet50(bands: usize, classes: usize) -> Result<Graph> {
    let mut g = Builder::new("fcn_resnet50", Rank::Planar, bands);
    let input = g.input();
    let [_, _, _, s8, s16, s32] = resnet(&mut g, input, &Scope::root(""), Depth::R50, Dilation::None).map(|map| map.node);
    let mut head = |map: NodeId, name: &str| {
        let scores = g.conv(map, &Scope::root(name), Conv::square(classes, 1).biased()).node();
        g.resize_like(scores, input).node()
    };
    let (s8, s16, s32) = (head(s8, "head8"), head(s16, "head16"), head(s32, "head32"));
    let fused = g.add(s8, s16).node();
    let logits = g.add(fused, s32).node();
    g.build(logits)
}
