//! MobileNets: "MobileNetV2: Inverted Residuals and Linear Bottlenecks", Sandler et al. 2018 (arXiv 1801.04381), and "Searching for
//! MobileNetV3", Howard et al. 2019 (arXiv 1905.02244), with torchvision's tensor names.

use super::features::{Map, Pyramid};
use super::squeeze::squeeze_and_excite;
use crate::{Activation, Builder, Conv, NodeId, Scope};

/// `min(max(x, 0), 6)`
const RELU6: Activation = Activation::Clip { min: Some(0.0), max: Some(6.0) };

/// Epsilon of the normalisations of `MobileNetV3`.
const EPSILON_V3: f64 = 1e-3;

/// An inverted residual block.
#[derive(Clone, Copy)]
struct Inverted {
    kernel: usize,
    expanded: usize,
    channels: usize,
    /// Without a dilation, which takes its place.
    stride: usize,
    dilation: usize,
    squeeze: bool,
    activation: Activation,
    epsilon: f64,
}

impl Inverted {
    /// Expansion, depthwise convolution and, if any, squeeze and excitation, named by their places; gives the next place too.
    fn body(self, g: &mut Builder, x: Map, p: &Scope) -> (NodeId, usize) {
        let Self { kernel, expanded, dilation, activation, epsilon, .. } = self;
        let (mut node, mut place) = (x.node, 0);
        if expanded != x.channels {
            let p = p / place;
            node = g.conv(node, &(&p / 0), Conv::square(expanded, 1)).bn_with(&(&p / 1), epsilon).activate(activation).node();
            place += 1;
        }
        let stride = if dilation > 1 { 1 } else { self.stride };
        let depthwise = Conv::square(expanded, kernel).dilation(dilation).stride(stride).groups(expanded);
        let own = p / place;
        node = g.conv(node, &(&own / 0), depthwise).bn_with(&(&own / 1), epsilon).activate(activation).node();
        place += 1;
        if self.squeeze {
            let own = p / place;
            let names = [&own / "fc1", &own / "fc2"];
            let functions = [Activation::Relu, Activation::HardSigmoid];
            node = squeeze_and_excite(g, node, &names, [divisible(expanded / 4), expanded], functions);
            place += 1;
        }
        (node, place)
    }

    /// With what the block starts from, where that is as large.
    fn residual(self, g: &mut Builder, x: Map, y: NodeId) -> Map {
        let is_alike = self.stride == 1 && x.channels == self.channels;
        Map { node: if is_alike { g.add(x.node, y).node() } else { y }, channels: self.channels }
    }
}

/// The multiple of 8 that is nearest, or the next one if that is below nine tenths.
fn divisible(channels: usize) -> usize {
    let near = ((channels + 4) / 8 * 8).max(8);
    if near * 10 < channels * 9 { near + 8 } else { near }
}

/// Expansion, channels, blocks and first stride of each stage of `MobileNetV2` (table 2).
const STAGES_V2: [[usize; 4]; 7] =
    [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]];

/// `MobileNetV2` without its classifier. Strides beyond `output_stride`, one of 8, 16 and 32, are dilations, all blocks alike
/// (segmentation_models_pytorch's `make_dilated`).
pub(super) fn mobilenet_v2(g: &mut Builder, x: NodeId, scope: &Scope, output_stride: usize) -> Pyramid {
    let features = scope / "features";
    let first = &features / 0;
    let stem = g.conv(x, &(&first / 0), Conv::square(32, 3).stride(2)).bn(&(&first / 1)).activate(RELU6).node();
    let mut map = Map { node: stem, channels: 32 };
    let mut maps = [Map { node: x, channels: 0 }; 6];
    let (mut number, mut stride) = (1, 2);
    for [expansion, channels, blocks, first_stride] in STAGES_V2 {
        for block in 0..blocks {
            let own_stride = if block == 0 { first_stride } else { 1 };
            stride *= own_stride;
            let block = Inverted {
                kernel: 3,
                expanded: map.channels * expansion,
                channels,
                stride: own_stride,
                dilation: (stride / output_stride).max(1),
                squeeze: false,
                activation: RELU6,
                epsilon: 1e-5,
            };
            let p = &(&features / number) / "conv";
            let (y, place) = block.body(g, map, &p);
            let y = g.conv(y, &(&p / place), Conv::square(channels, 1)).bn(&(&p / (place + 1))).node();
            map = block.residual(g, map, y);
            number += 1;
        }
        maps[stride.ilog2() as usize] = map;
    }
    let last = &features / number;
    let node = g.conv(map.node, &(&last / 0), Conv::square(1280, 1)).bn(&(&last / 1)).activate(RELU6).node();
    maps[5] = Map { node, channels: 1280 };
    maps
}

/// Kernel, expanded channels, channels, stride, and whether there are squeezes and hard swishes, of each block of `MobileNetV3`-Large (table 1).
const BLOCKS_V3: [(usize, usize, usize, usize, bool, bool); 15] = [
    (3, 16, 16, 1, false, false),
    (3, 64, 24, 2, false, false),
    (3, 72, 24, 1, false, false),
    (5, 72, 40, 2, true, false),
    (5, 120, 40, 1, true, false),
    (5, 120, 40, 1, true, false),
    (3, 240, 80, 2, false, true),
    (3, 200, 80, 1, false, true),
    (3, 184, 80, 1, false, true),
    (3, 184, 80, 1, false, true),
    (3, 480, 112, 1, true, true),
    (3, 672, 112, 1, true, true),
    (5, 672, 160, 2, true, true),
    (5, 960, 160, 1, true, true),
    (5, 960, 160, 1, true, true),
];

/// `MobileNetV3`-Large without its classifier, stride 16: the last three blocks are dilated by 2 (torchvision's `dilated`).
pub(super) fn mobilenet_v3_large(g: &mut Builder, x: NodeId, scope: &Scope) -> Map {
    let first = scope / 0;
    let stem = g.conv(x, &(&first / 0), Conv::square(16, 3).stride(2)).bn_with(&(&first / 1), EPSILON_V3);
    let mut map = Map { node: stem.activate(Activation::HardSwish).node(), channels: 16 };
    for (number, (kernel, expanded, channels, stride, squeeze, is_swish)) in BLOCKS_V3.into_iter().enumerate() {
        let block = Inverted {
            kernel,
            expanded,
            channels,
            stride,
            dilation: if number >= 12 { 2 } else { 1 },
            squeeze,
            activation: if is_swish { Activation::HardSwish } else { Activation::Relu },
            epsilon: EPSILON_V3,
        };
        let p = &(scope / (number + 1)) / "block";
        let (y, place) = block.body(g, map, &p);
        let p = &p / place;
        let y = g.conv(y, &(&p / 0), Conv::square(channels, 1)).bn_with(&(&p / 1), EPSILON_V3).node();
        map = block.residual(g, map, y);
    }
    let last = scope / (BLOCKS_V3.len() + 1);
    let channels = 6 * map.channels;
    let node = g.conv(map.node, &(&last / 0), Conv::square(channels, 1)).bn_with(&(&last / 1), EPSILON_V3);
    Map { node: node.activate(Activation::HardSwish).node(), channels }
}
