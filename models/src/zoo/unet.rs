//! U-Net: "U-Net: Convolutional Networks for Biomedical Image Segmentation", Ronneberger et al. 2015 (arXiv 1505.04597), with convolutions that
//! keep the extent, batch normalisation after each, and narrower than the paper's 64 to 1024 channels.

use crate::{Axes, Builder, Conv, ConvTranspose, Error, Graph, NodeId, Op, Padding, Rank, Result, Scope};

/// Channels of every level, the finest first.
const WIDTHS: [usize; 5] = [16, 32, 64, 128, 256];

/// A U-Net of widths 16 to 256, for extents that are multiples of 16. Gives logits.
///
/// # Errors
/// If bands or classes are 0.
pub fn unet(bands: usize, classes: usize) -> Result<Graph> {
    unet_of_widths(bands, classes, &WIDTHS)
}

/// A U-Net with one level per width, the finest first: two 3x3 convolutions per level (`down.{level}`), a 2x2 maximum between levels, and on the
/// way back a 2x2 transposed convolution (`up.{step}`) whose result follows the finer level's channels into two more convolutions (`dec.{step}`);
/// at last a 1x1 `head`. Extents are multiples of two to the power of the levels less one. Gives logits.
///
/// # Errors
/// If there is no width, or bands, classes or a width are 0.
pub fn unet_of_widths(bands: usize, classes: usize, widths: &[usize]) -> Result<Graph> {
    let mut g = Builder::new("unet", Rank::Planar, bands);
    let mut x = g.input();
    let mut levels = Vec::new();
    for (level, width) in widths.iter().enumerate() {
        let pooled = if level == 0 { x } else { g.at(x).max_pool(2, 2, 0).node() };
        x = double_conv(&mut g, pooled, &(&Scope::root("down") / level), *width);
        levels.push(Level { width: *width, map: x });
    }
    if levels.pop().is_none() {
        return Err(Error::Unsuitable { reason: "a U-Net needs at least one width".into() });
    }
    for (step, Level { width, map }) in levels.into_iter().rev().enumerate() {
        let up = &Scope::root("up") / step;
        let finer = g.push(up.to_string(), Op::ConvTranspose(doubling(width)), vec![x]).node();
        let joined = g.concat(vec![map, finer]).node();
        x = double_conv(&mut g, joined, &(&Scope::root("dec") / step), width);
    }
    let logits = g.conv(x, &Scope::root("head"), Conv::square(classes, 1).biased()).node();
    g.build(logits)
}

/// What a level keeps for the way back.
struct Level {
    width: usize,
    map: NodeId,
}

fn double_conv(g: &mut Builder, x: NodeId, p: &Scope, width: usize) -> NodeId {
    let x = g.conv(x, &(p / 0), Conv::square(width, 3)).bn(&(p / 1)).relu().node();
    g.conv(x, &(p / 3), Conv::square(width, 3)).bn(&(p / 4)).relu().node()
}

/// A 2x2 kernel with stride 2: every position becomes four of its own.
fn doubling(out_channels: usize) -> ConvTranspose {
    ConvTranspose {
        out_channels,
        kernel: Axes::plane(2),
        stride: Axes::plane(2),
        padding: Axes::from_array([Padding::default(); 3]),
        output_padding: Axes::default(),
        dilation: Axes::plane(1),
        groups: 1,
        bias: true,
    }
}
