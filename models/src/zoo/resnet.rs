//! Residual networks: "Deep Residual Learning for Image Recognition", He et al. 2015 (arXiv 1512.03385), with torchvision's tensor names and,
//! like torchvision, the stride in the 3x3 convolution of a block rather than in its first 1x1 (ResNet v1.5).

use crate::{Builder, Conv, NodeId, Scope};

/// The maps that a residual network gives at each stride.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maps {
    /// Stride 8.
    pub(super) s8: NodeId,
    /// Stride 16.
    pub(super) s16: NodeId,
    /// Stride 32.
    pub(super) s32: NodeId,
}

/// ResNet-50 without its classifier: 3, 4, 6 and 3 bottlenecks of widths 64, 128, 256 and 512.
pub(super) fn resnet50(g: &mut Builder, x: NodeId) -> Maps {
    let root = Scope::root("");
    let x = g.conv(x, &(&root / "conv1"), Conv::square(64, 7).stride(2)).bn(&(&root / "bn1")).relu().max_pool(3, 2, 1).node();
    let s4 = stage(g, x, &(&root / "layer1"), Stage { blocks: 3, width: 64, stride: 1, in_channels: 64 });
    let s8 = stage(g, s4, &(&root / "layer2"), Stage { blocks: 4, width: 128, stride: 2, in_channels: 256 });
    let s16 = stage(g, s8, &(&root / "layer3"), Stage { blocks: 6, width: 256, stride: 2, in_channels: 512 });
    let s32 = stage(g, s16, &(&root / "layer4"), Stage { blocks: 3, width: 512, stride: 2, in_channels: 1024 });
    Maps { s8, s16, s32 }
}

/// Bottlenecks of one width; the first one strides and changes the channels.
#[derive(Clone, Copy)]
struct Stage {
    blocks: usize,
    width: usize,
    stride: usize,
    in_channels: usize,
}

fn stage(g: &mut Builder, x: NodeId, scope: &Scope, stage: Stage) -> NodeId {
    let first = bottleneck(g, x, &(scope / 0), stage);
    let later = Stage { stride: 1, in_channels: 4 * stage.width, ..stage };
    (1..stage.blocks).fold(first, |x, block| bottleneck(g, x, &(scope / block), later))
}

/// One residual bottleneck: 1x1 reduce, 3x3, 1x1 expand, each with batch normalisation (fig. 5).
fn bottleneck(g: &mut Builder, x: NodeId, p: &Scope, stage: Stage) -> NodeId {
    let Stage { width, stride, in_channels, .. } = stage;
    let y = g.conv(x, &(p / "conv1"), Conv::square(width, 1)).bn(&(p / "bn1")).relu().node();
    let y = g.conv(y, &(p / "conv2"), Conv::square(width, 3).stride(stride)).bn(&(p / "bn2")).relu().node();
    let y = g.conv(y, &(p / "conv3"), Conv::square(4 * width, 1)).bn(&(p / "bn3")).node();
    let skip = if stride == 1 && in_channels == 4 * width {
        x
    } else {
        let p = p / "downsample";
        g.conv(x, &(&p / 0), Conv::square(4 * width, 1).stride(stride)).bn(&(&p / 1)).node()
    };
    g.add(y, skip).relu().node()
}
