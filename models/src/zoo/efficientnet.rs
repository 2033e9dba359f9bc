//! EfficientNet-B0: "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", Tan & Le 2019 (arXiv 1905.11946), with the tensor
//! names of efficientnet-pytorch, which segmentation_models_pytorch uses.

use super::features::{Map, Pyramid};
use super::squeeze::squeeze_and_excite;
use crate::{Activation, Axes, Builder, Conv, NodeId, Padding, Scope};

/// Epsilon of all normalisations.
const EPSILON: f64 = 1e-3;

/// Kernel, first stride, expansion, channels and blocks of each stage (table 1).
const STAGES: [[usize; 5]; 7] = [
    [3, 1, 1, 16, 1],
    [3, 2, 6, 24, 2],
    [5, 2, 6, 40, 2],
    [3, 2, 6, 80, 3],
    [5, 1, 6, 112, 3],
    [5, 2, 6, 192, 4],
    [3, 1, 6, 320, 1],
];

/// The blocks after which segmentation_models_pytorch takes maps of stride 4, 8, 16 and 32.
const MAPS: [usize; 4] = [2, 4, 8, 15];

/// EfficientNet-B0 without its classifier. Strided convolutions are padded as TensorFlow's `SAME` pads an even length. The last 1x1 convolution,
/// `_conv_head`, has no part in the maps, but files hold its tensors.
pub(super) fn efficientnet_b0(g: &mut Builder, x: NodeId, scope: &Scope) -> Pyramid {
    let stem = Conv { padding: same(3), ..Conv::square(32, 3).stride(2) };
    let stem = g.conv(x, &(scope / "_conv_stem"), stem).bn_with(&(scope / "_bn0"), EPSILON).activate(Activation::Silu).node();
    let mut map = Map { node: stem, channels: 32 };
    let mut maps = [Map { node: x, channels: 0 }, map, map, map, map, map];
    let mut number = 0;
    for [kernel, first_stride, expansion, channels, blocks] in STAGES {
        for block in 0..blocks {
            let own_stride = if block == 0 { first_stride } else { 1 };
            let block = Block { kernel, stride: own_stride, expansion, channels };
            map = block.build(g, map, &(&(scope / "_blocks") / number));
            if let Some(level) = MAPS.iter().position(|last| *last == number) {
                maps[level + 2] = map;
            }
            number += 1;
        }
    }
    let _ = g.conv(map.node, &(scope / "_conv_head"), Conv::square(1280, 1)).bn_with(&(scope / "_bn1"), EPSILON);
    maps
}

/// A mobile inverted bottleneck.
#[derive(Clone, Copy)]
struct Block {
    kernel: usize,
    stride: usize,
    expansion: usize,
    channels: usize,
}

impl Block {
    fn build(self, g: &mut Builder, x: Map, p: &Scope) -> Map {
        let Self { kernel, stride, expansion, channels } = self;
        let expanded = x.channels * expansion;
        let mut node = x.node;
        if expansion != 1 {
            let y = g.conv(node, &(p / "_expand_conv"), Conv::square(expanded, 1)).bn_with(&(p / "_bn0"), EPSILON);
            node = y.activate(Activation::Silu).node();
        }
        let mut depthwise = Conv::square(expanded, kernel).stride(stride).groups(expanded);
        if stride == 2 {
            depthwise.padding = same(kernel);
        }
        let y = g.conv(node, &(p / "_depthwise_conv"), depthwise).bn_with(&(p / "_bn1"), EPSILON);
        let y = y.activate(Activation::Silu).node();
        let names = [p / "_se_reduce", p / "_se_expand"];
        let y = squeeze_and_excite(g, y, &names, [x.channels / 4, expanded], [Activation::Silu, Activation::Sigmoid]);
        let y = g.conv(y, &(p / "_project_conv"), Conv::square(channels, 1)).bn_with(&(p / "_bn2"), EPSILON).node();
        Map { node: if stride == 1 && x.channels == channels { g.add(y, x.node).node() } else { y }, channels }
    }
}

/// What TensorFlow's `SAME` adds around an even length for a stride of 2.
fn same(kernel: usize) -> Axes<Padding> {
    let padding = Padding { before: (kernel - 2) / 2, after: (kernel - 2) - (kernel - 2) / 2 };
    Axes { z: Padding::default(), y: padding, x: padding }
}
