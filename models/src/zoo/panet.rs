//! Bottom-up path augmentation: "Path Aggregation Network for Instance Segmentation", Liu et al. 2018 (arXiv 1803.01534), section 3.1, as a neck
//! between torchvision's feature pyramid and the semantic head of "Panoptic Feature Pyramid Networks", Kirillov et al. 2019 (arXiv 1901.02446).

use super::fpn::semantic_head;
use super::resnet::{Depth, Dilation, resnet};
use crate::{Builder, Conv, Coordinates, Graph, Interpolation, NodeId, Rank, Result, Scope};

/// Channels of the pyramid.
const PYRAMID: usize = 256;

/// A ResNet (`backbone.body`), torchvision's `FeaturePyramidNetwork` (`backbone.fpn`), and a path from the finest map to the coarsest: `neck.down.{i}`
/// strides, `neck.merge.{i}` follows the sum; then the semantic head (`head`); for extents that are multiples of 32. Gives logits.
pub(super) fn panet(name: &str, bands: usize, classes: usize, depth: Depth) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let input = g.input();
    let maps = resnet(&mut g, input, &Scope::root("backbone.body"), depth, Dilation::None);
    let fpn = Scope::root("backbone.fpn");
    let lateral = |g: &mut Builder, level: usize| {
        let scope = &(&(&fpn / "inner_blocks") / level) / 0;
        g.conv(maps[level + 2].node, &scope, Conv::square(PYRAMID, 1).biased()).node()
    };
    let smooth = |g: &mut Builder, level: usize, x: NodeId| {
        let scope = &(&(&fpn / "layer_blocks") / level) / 0;
        g.conv(x, &scope, Conv::square(PYRAMID, 3).biased()).node()
    };
    let mut inner = lateral(&mut g, 3);
    let mut pyramid = vec![smooth(&mut g, 3, inner)];
    for level in [2, 1, 0] {
        let own = lateral(&mut g, level);
        let larger = g.resize(inner, own, Interpolation::NearestFloor, Coordinates::Asymmetric).node();
        inner = g.add(own, larger).node();
        pyramid.push(smooth(&mut g, level, inner));
    }
    let neck = Scope::root("neck");
    let mut path = vec![pyramid[3]];
    for (number, finer) in (0..3).zip([2, 1, 0]) {
        let down = &(&neck / "down") / number;
        let merge = &(&neck / "merge") / number;
        let strided = g.conv(path[number], &down, Conv::square(PYRAMID, 3).stride(2).biased()).relu().node();
        let sum = g.add(strided, pyramid[finer]).node();
        path.push(g.conv(sum, &merge, Conv::square(PYRAMID, 3).biased()).relu().node());
    }
    path.reverse();
    let sum = semantic_head(&mut g, &path, &Scope::root("head.seg_blocks"));
    let scores = g.conv(sum, &Scope::root("head.scores"), Conv::square(classes, 1).biased()).node();
    let logits = g.resize_like(scores, input).node();
    g.build(logits)
}
