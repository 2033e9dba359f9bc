//! A small fully convolutional network with skip fusion, after Long et al. 2015 (arXiv 1411.4038).

use super::basic_block::{BasicBlock, stage};
use crate::{Builder, Conv, Graph, NodeId, Rank, Result, Scope};

/// Residual blocks of widths 16, 32, 64, 96 and 128 at strides 2, 4, 8, 16 and 32, below 2 MiB of weights for few bands and classes. Beside the
/// strides 8, 16 and 32 of the paper, strides 1, 2 and 4 have heads too, so that narrow and small things keep their outlines: `head1` to `head32`,
/// each 1x1, resized bilinearly to the input, summed. Gives logits.
///
/// # Errors
/// If bands or classes are 0.
pub fn fcn_small(bands: usize, classes: usize) -> Result<Graph> {
    let mut g = Builder::new("fcn_small", Rank::Planar, bands);
    let input = g.input();
    let s1 = g.conv(input, &Scope::root("stem.0"), Conv::square(16, 3)).bn(&Scope::root("stem.1")).relu().node();
    let s2 = stage(&mut g, s1, "layer1", BasicBlock { in_channels: 16, width: 16, stride: 2 }, 1);
    let s4 = stage(&mut g, s2, "layer2", BasicBlock { in_channels: 16, width: 32, stride: 2 }, 2);
    let s8 = stage(&mut g, s4, "layer3", BasicBlock { in_channels: 32, width: 64, stride: 2 }, 1);
    let s16 = stage(&mut g, s8, "layer4", BasicBlock { in_channels: 64, width: 96, stride: 2 }, 1);
    let s32 = stage(&mut g, s16, "layer5", BasicBlock { in_channels: 96, width: 128, stride: 2 }, 1);
    let mut head = |map: NodeId, name: &str| {
        let scores = g.conv(map, &Scope::root(name), Conv::square(classes, 1).biased()).node();
        if map == s1 { scores } else { g.resize_like(scores, input).node() }
    };
    let finest = head(s1, "head1");
    let coarser =
        [(s2, "head2"), (s4, "head4"), (s8, "head8"), (s16, "head16"), (s32, "head32")].map(|(map, name)| head(map, name));
    let logits = coarser.into_iter().fold(finest, |sum, scores| g.add(sum, scores).node());
    g.build(logits)
}
