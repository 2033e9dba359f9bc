//! The residual block of shallow networks: "Deep Residual Learning for Image Recognition", He et al. 2015 (arXiv 1512.03385), fig. 5 left.

use crate::{Builder, Conv, NodeId, Scope};

/// Two 3x3 convolutions with batch normalisation, and a sum with what they start from.
#[derive(Clone, Copy)]
pub(super) struct BasicBlock {
    pub(super) in_channels: usize,
    pub(super) width: usize,
    pub(super) stride: usize,
}

/// Blocks of one width, `layer.0`, `layer.1` and so on; the first one strides and changes the channels.
pub(super) fn stage(g: &mut Builder, x: NodeId, layer: &str, first: BasicBlock, blocks: usize) -> NodeId {
    let layer = Scope::root(layer);
    let x = first.build(g, x, &(&layer / 0));
    let later = BasicBlock { in_channels: first.width, stride: 1, ..first };
    (1..blocks).fold(x, |x, block| later.build(g, x, &(&layer / block)))
}

impl BasicBlock {
    fn build(self, g: &mut Builder, x: NodeId, p: &Scope) -> NodeId {
        let Self { in_channels, width, stride } = self;
        let y = g.conv(x, &(p / "conv1"), Conv::square(width, 3).stride(stride)).bn(&(p / "bn1")).relu().node();
        let y = g.conv(y, &(p / "conv2"), Conv::square(width, 3)).bn(&(p / "bn2")).node();
        let skip = if stride == 1 && in_channels == width {
            x
        } else {
            let p = p / "skip";
            g.conv(x, &(&p / 0), Conv::square(width, 1).stride(stride)).bn(&(&p / 1)).node()
        };
        g.add(y, skip).relu().node()
    }
}
