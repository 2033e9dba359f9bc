//! ParseNet: "ParseNet: Looking Wider to See Better", Liu et al. 2015 (arXiv 1506.04579), on VGG-16 with a large field of view.

use super::deeplab_vgg16::{enlarge, features};
use crate::{Builder, Conv, Coordinates, Graph, Interpolation, Rank, Result, Scope};

/// Features and their mean over the whole tile, each normalised to a length that is learned per channel (`fc7_norm`, `pool6_norm`), side by side before
/// the classifier `fc8` (section 3.2). Gives logits.
pub(super) fn parsenet(name: &str, bands: usize, classes: usize) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let input = g.input();
    let x = features(&mut g, input);
    let x = g.conv(x, &Scope::root("fc6"), Conv::square(1024, 3).dilation(12).biased()).relu();
    let x = x.conv(&Scope::root("fc7"), Conv::square(1024, 1).biased()).relu().node();
    let own = g.at(x).l2_norm(&Scope::root("fc7_norm")).node();
    let mean = g.at(x).global_average().l2_norm(&Scope::root("pool6_norm")).node();
    let everywhere = g.resize(mean, x, Interpolation::NearestFloor, Coordinates::Asymmetric).node();
    let both = g.concat(vec![own, everywhere]).node();
    let scores = g.conv(both, &Scope::root("fc8"), Conv::square(classes, 1).biased()).node();
    let logits = enlarge(&mut g, scores, input);
    g.build(logits)
}
