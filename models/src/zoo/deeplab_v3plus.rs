//! DeepLab version 3+: "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation", Chen et al. 2018 (arXiv 1802.02611), as
//! segmentation_models_pytorch's `DeepLabV3Plus`.

use super::aspp::{CHANNELS, Separable, aspp, separable_conv};
use super::encoder::Encoder;
use super::features::Map;
use crate::{Builder, Conv, Coordinates, Graph, Interpolation, Rank, Result, Scope};

/// Channels of the finer map that joins.
const FINE: usize = 48;

/// An encoder of stride 16, atrous separable convolutions, and a decoder at stride 4; for extents that are multiples of 16. Gives logits.
pub(super) fn deeplab_v3plus(name: &str, bands: usize, classes: usize, encoder: Encoder) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let [_, _, fine, .., coarse] = encoder.build(&mut g, 16)?;
    let (aspp_scope, fine_scope, join) =
        (Scope::root("decoder.aspp"), Scope::root("decoder.block1"), Scope::root("decoder.block2"));
    let x = aspp(&mut g, coarse, &(&aspp_scope / 0), Separable::Yes);
    let x = separable_conv(&mut g, Map { node: x, channels: CHANNELS }, &(&aspp_scope / 1), 1);
    let x = g.at(x).bn(&(&aspp_scope / 2)).relu().enlarge(4, Interpolation::Linear, Coordinates::AlignCorners).node();
    let fine = g.conv(fine.node, &(&fine_scope / 0), Conv::square(FINE, 1)).bn(&(&fine_scope / 1)).relu().node();
    let both = Map { node: g.concat(vec![x, fine]).node(), channels: CHANNELS + FINE };
    let x = separable_conv(&mut g, both, &(&join / 0), 1);
    let x = g.at(x).bn(&(&join / 1)).relu().conv(&Scope::root("segmentation_head.0"), Conv::square(classes, 1).biased());
    let logits = x.enlarge(4, Interpolation::Linear, Coordinates::AlignCorners).node();
    g.build(logits)
}
