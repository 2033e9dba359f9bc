//! Xception: "Xception: Deep Learning with Depthwise Separable Convolutions", Chollet 2017 (arXiv 1610.02357), with the tensor names of
//! segmentation_models_pytorch and, like there, convolutions of the stem that keep the extent.

use super::features::{Map, Pyramid};
use crate::{Builder, Conv, NodeId, Scope};

/// Xception without its classifier.
pub(super) fn xception(g: &mut Builder, input: NodeId, scope: &Scope) -> Pyramid {
    let stem = g.conv(input, &(scope / "conv1"), Conv::square(32, 3).stride(2)).bn(&(scope / "bn1")).relu();
    let stem = stem.conv(&(scope / "conv2"), Conv::square(64, 3)).bn(&(scope / "bn2")).relu().node();
    let s2 = Map { node: stem, channels: 64 };
    let block = |channels, convolutions, stride, growth| Block { channels, convolutions, stride, growth };
    let first = Block { channels: 128, convolutions: 2, stride: 2, growth: Growth::FirstWithoutRelu };
    let s4 = first.build(g, s2, &(scope / "block1"));
    let s8 = block(256, 2, 2, Growth::First).build(g, s4, &(scope / "block2"));
    let mut s16 = block(728, 2, 2, Growth::First).build(g, s8, &(scope / "block3"));
    for number in 4..12 {
        s16 = block(728, 3, 1, Growth::First).build(g, s16, &(scope / format!("block{number}")));
    }
    let x = block(1024, 2, 2, Growth::Last).build(g, s16, &(scope / "block12"));
    let y = separable(g, x.node, &(scope / "conv3"), [1024, 1536], &(scope / "bn3"));
    let y = g.at(y).relu().node();
    let s32 = Map { node: separable(g, y, &(scope / "conv4"), [1536, 2048], &(scope / "bn4")), channels: 2048 };
    [Map { node: input, channels: 0 }, s2, s4, s8, s16, s32]
}

/// Where a block changes its channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Growth {
    /// In its first convolution, before which no ReLU is.
    FirstWithoutRelu,
    First,
    Last,
}

/// ReLU and separable convolutions, at last a pooling if there is a stride, and a shortcut.
#[derive(Clone, Copy, Debug)]
struct Block {
    channels: usize,
    convolutions: usize,
    stride: usize,
    growth: Growth,
}

impl Block {
    fn build(self, g: &mut Builder, x: Map, p: &Scope) -> Map {
        let Self { channels, convolutions, stride, growth } = self;
        let (mut node, mut own, mut place) = (x.node, x.channels, 0);
        for number in 0..convolutions {
            if number > 0 || growth != Growth::FirstWithoutRelu {
                node = g.at(node).relu().node();
                place += 1;
            }
            let wide = if growth == Growth::Last && number + 1 < convolutions { own } else { channels };
            let rep = p / "rep";
            node = separable(g, node, &(&rep / place), [own, wide], &(&rep / (place + 1)));
            own = wide;
            place += 2;
        }
        if stride == 2 {
            node = g.at(node).max_pool(3, 2, 1).node();
        }
        let skip = if stride == 1 && x.channels == channels {
            x.node
        } else {
            g.conv(x.node, &(p / "skip"), Conv::square(channels, 1).stride(stride)).bn(&(p / "skipbn")).node()
        };
        Map { node: g.add(node, skip).node(), channels }
    }
}

/// A depthwise convolution, one of 1x1, and a normalisation.
fn separable(g: &mut Builder, x: NodeId, p: &Scope, [from, to]: [usize; 2], norm: &Scope) -> NodeId {
    let depthwise = g.conv(x, &(p / "conv1"), Conv::square(from, 3).groups(from));
    depthwise.conv(&(p / "pointwise"), Conv::square(to, 1)).bn(norm).node()
}
