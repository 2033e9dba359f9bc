//! torchvision's fully convolutional networks: "Fully Convolutional Networks for Semantic Segmentation", Long et al. 2015 (arXiv 1411.4038), on
//! ResNets whose last strides are dilations.

use super::resnet::{Depth, Dilation, resnet};
use crate::{Builder, Conv, Graph, Rank, Result, Scope};

/// torchvision's `fcn_resnet50` or `fcn_resnet101`, without the head that only its training uses. Gives logits.
pub(super) fn fcn_torchvision(name: &str, bands: usize, classes: usize, depth: Depth) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let input = g.input();
    let [.., map] = resnet(&mut g, input, &Scope::root("backbone"), depth, Dilation::Behind(8));
    let head = Scope::root("classifier");
    let x = g.conv(map.node, &(&head / 0), Conv::square(map.channels / 4, 3)).bn(&(&head / 1)).relu();
    let scores = x.conv(&(&head / 4), Conv::square(classes, 1).biased()).node();
    let logits = g.resize_like(scores, input).node();
    g.build(logits)
}
