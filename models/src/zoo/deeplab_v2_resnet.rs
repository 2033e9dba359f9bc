//! DeepLab version 2 on ResNet-101: "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, and Fully Connected CRFs",
//! Chen et al. 2016 (arXiv 1606.00915). The CRF comes after the network.

use super::resnet::{Depth, Dilation, resnet};
use crate::{Builder, Conv, Graph, Rank, Result, Scope};

/// A ResNet of stride 8 (`backbone`, torchvision's names) and four 3x3 classifiers of dilations 6, 12, 18 and 24 (`aspp.c0` to `aspp.c3`), summed and
/// resized bilinearly to the input. Gives logits.
pub(super) fn deeplab_v2_resnet(name: &str, bands: usize, classes: usize, depth: Depth) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let input = g.input();
    let [.., map] = resnet(&mut g, input, &Scope::root("backbone"), depth, Dilation::Alike(8));
    let aspp = Scope::root("aspp");
    let scores = [6, 12, 18, 24].into_iter().enumerate().map(|(branch, dilation)| {
        let conv = Conv::square(classes, 3).dilation(dilation).biased();
        g.conv(map.node, &(&aspp / format!("c{branch}")), conv).node()
    });
    let scores: Vec<_> = scores.collect();
    let sum = scores[1..].iter().fold(scores[0], |sum, scores| g.add(sum, *scores).node());
    let logits = g.resize_like(sum, input).node();
    g.build(logits)
}
