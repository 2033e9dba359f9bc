//! DeepLab on VGG-16: "Semantic Image Segmentation with Deep Convolutional Nets and Fully Connected CRFs", Chen et al. 2015 (arXiv 1412.7062), and
//! "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, and Fully Connected CRFs", Chen et al. 2016 (arXiv
//! 1606.00915), with the tensor names of the authors' Caffe models. The CRF comes after the network.

use super::vgg::CaffeStage;
use crate::{Axes, Builder, Conv, Coordinates, CropPlace, Graph, Interpolation, NodeId, Op, Pool, PoolKind, Rank, Result, Scope};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// One classifier with a large field of view.
    LargeFov,
    /// Four classifiers of different dilations, summed (atrous spatial pyramid pooling).
    Aspp,
}

/// DeepLab-LargeFOV (version 1) or DeepLab-ASPP (version 2). Gives logits.
pub(super) fn deeplab_vgg16(name: &str, bands: usize, classes: usize, version: Version) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let input = g.input();
    let x = features(&mut g, input);
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
    let logits = enlarge(&mut g, scores, input);
    g.build(logits)
}

/// VGG-16 up to its last pooling at stride 8: the last two poolings have no stride, and the convolutions after them are dilated. A position lies on every
/// eighth pixel, the first on the first.
pub(super) fn features(g: &mut Builder, input: NodeId) -> NodeId {
    (1..=5).fold(input, |x, number| {
        let x = CaffeStage::same(number, if number == 5 { 2 } else { 1 }).build(g, x);
        let pooled = g.at(x);
        if number <= 3 { pooled.max_pool_up(3, 2, 1) } else { pooled.max_pool(3, 1, 1) }.node()
    })
}

/// Scores on every eighth pixel, bilinearly for all: what the authors' layer gives, whose corners coincide, for lengths of one more than a multiple of 8.
pub(super) fn enlarge(g: &mut Builder, scores: NodeId, input: NodeId) -> NodeId {
    let larger = g.at(scores).enlarge(8, Interpolation::Linear, Coordinates::Asymmetric).node();
    g.crop(larger, input, CropPlace::After { before: Axes::cube(0) }).node()
}

/// What were the fully connected layers.
fn classifier(g: &mut Builder, x: NodeId, classes: usize, suffix: &str, dilation: usize) -> NodeId {
    let scope = |layer: &str| Scope::root(format!("{layer}{suffix}"));
    let x = g.conv(x, &scope("fc6"), Conv::square(1024, 3).dilation(dilation).biased()).relu();
    let x = x.conv(&scope("fc7"), Conv::square(1024, 1).biased()).relu();
    x.conv(&scope("fc8"), Conv::square(classes, 1).biased()).node()
}
