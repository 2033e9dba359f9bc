//! Feature pyramid network with a semantic head: "Feature Pyramid Networks for Object Detection", Lin et al. 2017 (arXiv 1612.03144), and "Panoptic
//! Feature Pyramid Networks", Kirillov et al. 2019 (arXiv 1901.02446), section 3.1, as segmentation_models_pytorch's `FPN`.

use super::encoder::Encoder;
use crate::{Builder, Conv, Coordinates, Graph, Interpolation, NodeId, Rank, Result, Scope};

/// Channels of the pyramid.
const PYRAMID: usize = 256;
/// Channels of the semantic head, and their groups.
const HEAD: usize = 128;
const GROUPS: usize = 32;

/// An encoder of stride 32, a pyramid of strides 32 to 4, and a semantic head; for extents that are multiples of 32. Gives logits.
pub(super) fn fpn(name: &str, bands: usize, classes: usize, encoder: Encoder) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let maps = encoder.build(&mut g, 32)?;
    let decoder = Scope::root("decoder");
    let mut x = g.conv(maps[5].node, &(&decoder / "p5"), Conv::square(PYRAMID, 1).biased()).node();
    let mut pyramid = vec![x];
    for level in [4, 3, 2] {
        let larger = g.at(x).enlarge(2, Interpolation::NearestFloor, Coordinates::Asymmetric).node();
        let scope = &(&decoder / format!("p{level}")) / "skip_conv";
        let skip = g.conv(maps[level].node, &scope, Conv::square(PYRAMID, 1).biased()).node();
        x = g.add(larger, skip).node();
        pyramid.push(x);
    }
    let sum = semantic_head(&mut g, &pyramid, &(&decoder / "seg_blocks"));
    let scores = g.conv(sum, &Scope::root("segmentation_head.0"), Conv::square(classes, 1).biased());
    let logits = scores.enlarge(4, Interpolation::Linear, Coordinates::AlignCorners).node();
    g.build(logits)
}

/// Every map of a pyramid, the coarsest first, made as large as the finest in steps of 2, and summed.
pub(super) fn semantic_head(g: &mut Builder, pyramid: &[NodeId], scope: &Scope) -> NodeId {
    let finest = pyramid.len() - 1;
    let branches = pyramid.iter().enumerate().map(|(number, map)| {
        let steps = finest - number;
        let p = &(scope / number) / "block";
        (0..steps.max(1)).fold(*map, |x, step| {
            let p = &(&p / step) / "block";
            let y = g.conv(x, &(&p / 0), Conv::square(HEAD, 3)).group_norm(&(&p / 1), GROUPS).relu();
            if steps == 0 { y.node() } else { y.enlarge(2, Interpolation::Linear, Coordinates::AlignCorners).node() }
        })
    });
    let branches: Vec<NodeId> = branches.collect();
    branches[1..].iter().fold(branches[0], |sum, branch| g.add(sum, *branch).node())
}
