//! DeepLab on VGG-16: "Semantic Image Segmentation with Deep Convolutional Nets and Fully Connected CRFs", Chen et al. 2015 (arXiv 1412.7062), and
//! "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, and Fully Connected CRFs", Chen et al. 2016 (arXiv
//! 1606.00915), with the tensor names of the authors' Caffe models. The CRF comes after the network.

use super::vgg::CaffeStage;
use crate::{Axes, Builder, Conv, Graph, NodeId, Op, Pool, PoolKind, Rank, Result, Scope};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// One classifier with a large field of view.
    LargeFov,
    /// Four classifiers of different dilations, summed (atrous spatial pyramid pooling).
    Aspp,
}

/// DeepLab-LargeFOV (version 1) or DeepLab-ASPP (version 2). Scores of stride 8 are resized bilinearly to the input, with half-pixel coordinates where
/// the authors' layer lets corners coincide, so that a tile's scores do not depend on its size. Gives logits.
pub(super) fn deeplab_vgg16(name: &str, bands: usize, classes: usize, version: Version) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let input = g.input();
    let mut x = input;
    for number in 1..=5 {
        x = CaffeStage::same(number, if number == 5 { 2 } else { 1 }).build(&mut g, x);
        let pooled = g.at(x);
        x = if number <= 3 { pooled.max_pool_up(3, 2, 1) } else { pooled.max_pool(3, 1, 1) }.node();
    }
    let scores = match version {
        Version::LargeFov => {
            let mean = Pool {
                kind: PoolKind::AverageWithPadding,
                kernel: Axes::plane(3),
                stride: Axes::plane(1),
                padding: Axes::plane_padding(1),
            };
            let x = g.push("pool5a", Op::Pool(mean), vec![x]).node();
            classifier(&mut g, x, classes, "", 12)
        }
        Version::Aspp => {
            let branches = [("_1", 6), ("_2", 12), ("_3", 18), ("_4", 24)];
            let scores = branches.map(|(suffix, dilation)| classifier(&mut g, x, classes, suffix, dilation));
            let [first, rest @ ..] = scores;
            rest.into_iter().fold(first, |sum, scores| g.add(sum, scores).node())
        }
    };
    let logits = g.resize_like(scores, input).node();
    g.build(logits)
}

/// What were the fully connected layers.
fn classifier(g: &mut Builder, x: NodeId, classes: usize, suffix: &str, dilation: usize) -> NodeId {
    let scope = |layer: &str| Scope::root(format!("{layer}{suffix}"));
    let x = g.conv(x, &scope("fc6"), Conv::square(1024, 3).dilation(dilation).biased()).relu();
    let x = x.conv(&scope("fc7"), Conv::square(1024, 1).biased()).relu();
    x.conv(&scope("fc8"), Conv::square(classes, 1).biased()).node()
}
