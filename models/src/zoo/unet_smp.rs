//! U-Net with a classifier's encoder, as segmentation_models_pytorch's `Unet`: after "U-Net: Convolutional Networks for Biomedical Image Segmentation",
//! Ronneberger et al. 2015 (arXiv 1505.04597).

use super::encoder::Encoder;
use crate::{Builder, Conv, Coordinates, Graph, Interpolation, Rank, Result, Scope};

/// Channels of each step back, the coarsest first.
const WIDTHS: [usize; 5] = [256, 128, 64, 32, 16];

/// An encoder of stride 32 and five steps back, each to the extent of the next finer map. Gives logits.
pub(super) fn unet_smp(name: &str, bands: usize, classes: usize, encoder: Encoder) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let maps = encoder.build(&mut g, 32)?;
    let mut x = maps[5].node;
    if matches!(encoder, Encoder::Vgg16(_)) {
        // Two more convolutions, as this encoder ends with a pooling.
        let center = &Scope::root("decoder.center");
        for number in 0..2 {
            let p = center / number;
            x = g.conv(x, &(&p / 0), Conv::square(maps[5].channels, 3)).bn(&(&p / 1)).relu().node();
        }
    }
    for (number, width) in WIDTHS.into_iter().enumerate() {
        let level = 4 - number;
        let larger = g.resize(x, maps[level].node, Interpolation::NearestFloor, Coordinates::Asymmetric).node();
        // At the input's own stride nothing joins.
        let joined = if level == 0 { larger } else { g.concat(vec![larger, maps[level].node]).node() };
        let block = &Scope::root("decoder.blocks") / number;
        let [first, second] = [&block / "conv1", &block / "conv2"];
        let y = g.conv(joined, &(&first / 0), Conv::square(width, 3)).bn(&(&first / 1)).relu();
        x = y.conv(&(&second / 0), Conv::square(width, 3)).bn(&(&second / 1)).relu().node();
    }
    let logits = g.conv(x, &Scope::root("segmentation_head.0"), Conv::square(classes, 3).biased()).node();
    g.build(logits)
}
