//! Atrous spatial pyramid pooling: "Rethinking Atrous Convolution for Semantic Image Segmentation", Chen et al. 2017 (arXiv 1706.05587), section 3.3.

use super::features::Map;
use crate::{Builder, Conv, NodeId, Scope};

/// Channels of every branch, and of the result.
pub(super) const CHANNELS: usize = 256;

/// How the dilated convolutions are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separable {
    No,
    /// Depthwise and pointwise ("Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation", Chen et al. 2018, arXiv
    /// 1802.02611).
    Yes,
}

/// A 1x1 convolution, three of dilations 12, 24 and 36, and the mean over all positions, joined by a 1x1 convolution; names are those of torchvision
/// and segmentation_models_pytorch.
pub(super) fn aspp(g: &mut Builder, x: Map, scope: &Scope, separable: Separable) -> NodeId {
    let convs = &(scope / "convs");
    let first = convs / 0;
    let mut branches = vec![g.conv(x.node, &(&first / 0), Conv::square(CHANNELS, 1)).bn(&(&first / 1)).relu().node()];
    for (number, dilation) in [12, 24, 36].into_iter().enumerate() {
        let own = convs / (number + 1);
        let convolved = match separable {
            Separable::No => g.conv(x.node, &(&own / 0), Conv::square(CHANNELS, 3).dilation(dilation)).node(),
            Separable::Yes => separable_conv(g, x, &(&own / 0), dilation),
        };
        branches.push(g.at(convolved).bn(&(&own / 1)).relu().node());
    }
    let own = convs / 4;
    let mean = g.at(x.node).global_average().conv(&(&own / 1), Conv::square(CHANNELS, 1)).bn(&(&own / 2)).relu().node();
    branches.push(g.resize_like(mean, x.node).node());
    let joined = g.concat(branches).node();
    let project = scope / "project";
    g.conv(joined, &(&project / 0), Conv::square(CHANNELS, 1)).bn(&(&project / 1)).relu().node()
}

/// A depthwise 3x3 convolution and one of 1x1.
pub(super) fn separable_conv(g: &mut Builder, x: Map, scope: &Scope, dilation: usize) -> NodeId {
    let depthwise = g.conv(x.node, &(scope / 0), Conv::square(x.channels, 3).dilation(dilation).groups(x.channels));
    depthwise.conv(&(scope / 1), Conv::square(CHANNELS, 1)).node()
}
