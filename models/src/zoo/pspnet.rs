//! PSPNet: "Pyramid Scene Parsing Network", Zhao et al. 2017 (arXiv 1612.01105), as segmentation_models_pytorch's `PSPNet`.

use super::encoder::Encoder;
use crate::{Builder, Conv, Coordinates, Graph, Interpolation, Rank, Result, Scope};

/// Bins along each axis.
const BINS: [usize; 4] = [1, 2, 3, 6];
/// Channels after the pyramid.
const JOINED: usize = 512;

/// The first three stages of an encoder, stride 8, and means of 1, 4, 9 and 36 bins; for extents that are multiples of 8. The later stages of the
/// encoder have no part in the scores, but files hold their tensors. Gives logits.
pub(super) fn pspnet(name: &str, bands: usize, classes: usize, encoder: Encoder) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let map = encoder.build(&mut g, 32)?[3];
    let decoder = Scope::root("decoder");
    let mut parts = Vec::new();
    for (number, bins) in BINS.into_iter().enumerate() {
        let scope = &(&(&decoder / "psp.blocks") / number) / "pool.1";
        let conv = Conv { bias: bins == 1, ..Conv::square(map.channels / BINS.len(), 1) };
        let pooled = g.at(map.node).bins(bins).conv(&(&scope / 0), conv);
        // A normalisation of a single value per channel would leave nothing.
        let pooled = if bins == 1 { pooled } else { pooled.bn(&(&scope / 1)) }.relu().node();
        parts.push(g.resize(pooled, map.node, Interpolation::Linear, Coordinates::AlignCorners).node());
    }
    parts.push(map.node);
    let joined = g.concat(parts).node();
    let own = &decoder / "conv";
    let x = g.conv(joined, &(&own / 0), Conv::square(JOINED, 1)).bn(&(&own / 1)).relu();
    let scores = x.conv(&Scope::root("segmentation_head.0"), Conv::square(classes, 3).biased());
    let logits = scores.enlarge(8, Interpolation::Linear, Coordinates::AlignCorners).node();
    g.build(logits)
}
