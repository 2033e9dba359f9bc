//! Dilated convolutions: "Multi-Scale Context Aggregation by Dilated Convolutions", Yu & Koltun 2016 (arXiv 1511.07122), with the tensor names of
//! the authors' Caffe models.

use super::vgg::CaffeStage;
use crate::{Axes, Builder, Conv, Coordinates, CropPlace, Graph, Interpolation, NodeId, Op, PadFill, Rank, Result, Scope};

/// Pixels that the front end loses at either side, which are mirrored.
const LOST: usize = 186;

/// Whether the context module follows the front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    None,
    Large,
}

/// The front end on VGG-16, whose last two poolings are left out and whose later convolutions are dilated, for extents of more than 186 pixels;
/// with the large context module if asked for. Scores are resized bilinearly by 8. Gives logits.
pub(super) fn dilated_vgg16(name: &str, bands: usize, classes: usize, context: Context) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let input = g.input();
    let mirrored = Op::Pad { padding: Axes::plane_padding(LOST), fill: PadFill::Reflect };
    let mut x = g.push("mirrored", mirrored, vec![input]).node();
    for number in 1..=5 {
        let dilation = if number == 5 { 2 } else { 1 };
        x = CaffeStage { number, dilation, first_padding: 0, padding: 0 }.build(&mut g, x);
        if number <= 3 {
            x = g.at(x).max_pool_up(2, 2, 0).node();
        }
    }
    let x = g.conv(x, &Scope::root("fc6"), Conv::square(4096, 7).dilation(4).padding(0).biased()).relu();
    let x = x.conv(&Scope::root("fc7"), Conv::square(4096, 1).biased()).relu();
    let mut x = x.conv(&Scope::root("fc-final"), Conv::square(classes, 1).biased()).node();
    if context == Context::Large {
        x = large_context(&mut g, x, classes);
    }
    let resized = g.at(x).enlarge(8, Interpolation::Linear, Coordinates::HalfPixel).node();
    let logits = g.crop(resized, input, CropPlace::After { before: Axes::cube(0) }).node();
    g.build(logits)
}

/// Seven convolutions that see farther and farther (table 1, "large").
fn large_context(g: &mut Builder, x: NodeId, classes: usize) -> NodeId {
    let layers = [
        ("ctx_conv1_1", 2, 1),
        ("ctx_conv1_2", 2, 1),
        ("ctx_conv2_1", 4, 2),
        ("ctx_conv3_1", 8, 4),
        ("ctx_conv4_1", 16, 8),
        ("ctx_conv5_1", 32, 16),
        ("ctx_fc1", 32, 1),
    ];
    let x = layers.into_iter().enumerate().fold(x, |x, (number, (name, factor, dilation))| {
        // All that the convolutions lose is added before the first.
        let padding = if number == 0 { 33 } else { 0 };
        let conv = Conv::square(factor * classes, 3).dilation(dilation).padding(padding).biased();
        g.conv(x, &Scope::root(name), conv).relu().node()
    });
    g.conv(x, &Scope::root("ctx_final"), Conv::square(classes, 1).biased()).node()
}
