//! ParseNet: "ParseNet: Looking Wider to See Better", Liu et al. 2015 (arXiv 1506.04579), on VGG-16 with a large field of view.

use super::vgg::CaffeStage;
use crate::{Builder, Conv, Coordinates, Graph, Interpolation, Rank, Result, Scope};

/// Features and their mean over the whole tile, each normalised to a length that is learned per channel (`fc7_norm`, `pool6_norm`), side by side before
/// the classifier `fc8` (section 3.2); scores of stride 8 are resized bilinearly to the input. Gives logits.
pub(super) fn parsenet(name: &str, bands: usize, classes: usize) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let input = g.input();
    let mut x = input;
    for number in 1..=5 {
        x = CaffeStage::same(number, if number == 5 { 2 } else { 1 }).build(&mut g, x);
        let pooled = g.at(x);
        x = if number <= 3 { pooled.max_pool_up(3, 2, 1) } else { pooled.max_pool(3, 1, 1) }.node();
    }
    let x = g.conv(x, &Scope::root("fc6"), Conv::square(1024, 3).dilation(12).biased()).relu();
    let x = x.conv(&Scope::root("fc7"), Conv::square(1024, 1).biased()).relu().node();
    let own = g.at(x).l2_norm(&Scope::root("fc7_norm")).node();
    let mean = g.at(x).global_average().l2_norm(&Scope::root("pool6_norm")).node();
    let everywhere = g.resize(mean, x, Interpolation::NearestFloor, Coordinates::Asymmetric).node();
    let both = g.concat(vec![own, everywhere]).node();
    let scores = g.conv(both, &Scope::root("fc8"), Conv::square(classes, 1).biased()).node();
    let logits = g.resize_like(scores, input).node();
    g.build(logits)
}
