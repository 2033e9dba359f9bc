//! Residual networks: "Deep Residual Learning for Image Recognition", He et al. 2015 (arXiv 1512.03385), with torchvision's tensor names and,
//! like torchvision, the stride in the 3x3 convolution of a block rather than in its first 1x1 (ResNet v1.5).

use super::features::{Map, Pyramid};
use crate::{Builder, Conv, NodeId, Scope};

/// How many layers with weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    R18,
    R34,
    R50,
    R101,
    R152,
}

impl Depth {
    /// Blocks of each stage (table 1).
    fn blocks(self) -> [usize; 4] {
        match self {
            Self::R18 => [2, 2, 2, 2],
            Self::R34 | Self::R50 => [3, 4, 6, 3],
            Self::R101 => [3, 4, 23, 3],
            Self::R152 => [3, 8, 36, 3],
        }
    }

    /// Channels of a stage's result per channel of its width.
    fn expansion(self) -> usize {
        if matches!(self, Self::R18 | Self::R34) { 1 } else { 4 }
    }
}

/// Which strides became dilations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dilation {
    /// None: stride 32.
    None,
    /// Those beyond an output stride of 8 or 16, the first block of a stage still with the dilation of the one before (torchvision's
    /// `replace_stride_with_dilation`).
    Behind(usize),
    /// Those beyond an output stride of 8 or 16, all blocks of a stage alike (segmentation_models_pytorch's `make_dilated`).
    Alike(usize),
}

/// What a stage does with its strides.
#[derive(Clone, Copy, Debug)]
struct Steps {
    stride: usize,
    first_dilation: usize,
    dilation: usize,
}

impl Dilation {
    /// Of the stage that has `stride` without dilations.
    fn steps(self, stride: usize) -> Steps {
        let step = if stride == 4 { 1 } else { 2 };
        match self {
            Self::Behind(least) if stride > least => {
                Steps { stride: 1, first_dilation: stride / least / 2, dilation: stride / least }
            }
            Self::Alike(least) if stride > least => Steps { stride: 1, first_dilation: stride / least, dilation: stride / least },
            _ => Steps { stride: step, first_dilation: 1, dilation: 1 },
        }
    }
}

/// A residual network without its classifier, whose tensors' names begin with `scope`.
pub(super) fn resnet(g: &mut Builder, x: NodeId, scope: &Scope, depth: Depth, dilation: Dilation) -> Pyramid {
    stages(g, x, scope, depth, dilation, 4)
}

/// Its first stages only; maps of later ones are the input.
pub(super) fn stages(g: &mut Builder, x: NodeId, scope: &Scope, depth: Depth, dilation: Dilation, count: usize) -> Pyramid {
    let stem = stem(g, x, scope);
    let mut maps = [Map { node: x, channels: 0 }; 6];
    maps[1] = stem;
    let mut map = Map { node: g.at(stem.node).max_pool(3, 2, 1).node(), ..stem };
    for (number, blocks) in depth.blocks().into_iter().enumerate().take(count) {
        let steps = dilation.steps(4 << number);
        let mut dilations = vec![steps.dilation; blocks];
        dilations[0] = steps.first_dilation;
        let stage = Stage { depth, width: 64 << number, stride: steps.stride, dilations: &dilations };
        map = stage.build(g, map, &(scope / format!("layer{}", number + 1)));
        maps[number + 2] = map;
    }
    maps
}

/// The first convolution, of stride 2.
fn stem(g: &mut Builder, x: NodeId, scope: &Scope) -> Map {
    let node = g.conv(x, &(scope / "conv1"), Conv::square(64, 7).stride(2)).bn(&(scope / "bn1")).relu().node();
    Map { node, channels: 64 }
}

/// Blocks of one width; the first one strides and changes the channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage<'a> {
    pub(super) depth: Depth,
    pub(super) width: usize,
    pub(super) stride: usize,
    /// Of each block.
    pub(super) dilations: &'a [usize],
}

impl Stage<'_> {
    /// Adds the blocks.
    pub(super) fn build(self, g: &mut Builder, x: Map, scope: &Scope) -> Map {
        let Self { depth, width, stride, dilations } = self;
        dilations.iter().enumerate().fold(x, |x, (number, &dilation)| {
            let stride = if number == 0 { stride } else { 1 };
            Block { depth, width, stride, dilation }.build(g, x, &(scope / number))
        })
    }
}

/// One residual block.
#[derive(Clone, Copy, Debug)]
struct Block {
    depth: Depth,
    width: usize,
    stride: usize,
    dilation: usize,
}

impl Block {
    fn build(self, g: &mut Builder, x: Map, p: &Scope) -> Map {
        let Self { depth, width, stride, dilation } = self;
        let channels = width * depth.expansion();
        let y = if depth.expansion() == 1 {
            // Two 3x3 (fig. 5 left).
            let first = Conv::square(width, 3).dilation(dilation).stride(stride);
            let y = g.conv(x.node, &(p / "conv1"), first).bn(&(p / "bn1")).relu();
            y.conv(&(p / "conv2"), Conv::square(width, 3).dilation(dilation)).bn(&(p / "bn2")).node()
        } else {
            // 1x1 reduce, 3x3, 1x1 expand (fig. 5 right).
            let y = g.conv(x.node, &(p / "conv1"), Conv::square(width, 1)).bn(&(p / "bn1")).relu();
            let y = y.conv(&(p / "conv2"), Conv::square(width, 3).dilation(dilation).stride(stride)).bn(&(p / "bn2")).relu();
            y.conv(&(p / "conv3"), Conv::square(channels, 1)).bn(&(p / "bn3")).node()
        };
        let skip = if stride == 1 && x.channels == channels {
            x.node
        } else {
            let p = p / "downsample";
            g.conv(x.node, &(&p / 0), Conv::square(channels, 1).stride(stride)).bn(&(&p / 1)).node()
        };
        Map { node: g.add(y, skip).relu().node(), channels }
    }
}
