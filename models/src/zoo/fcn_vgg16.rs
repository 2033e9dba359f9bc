//! Fully convolutional networks on VGG-16: "Fully Convolutional Networks for Semantic Segmentation", Long et al. 2015 (arXiv 1411.4038), with
//! the tensor names of the authors' Caffe models and of pytorch-fcn: 100 zeros around the first convolution's input, pooled windows that may
//! lie partly beyond the end, scores that are cropped to fit.

use super::vgg::CaffeStage;
use crate::{
    Axes, Builder, Conv, ConvTranspose, Coordinates, CropPlace, Graph, Interpolation, NodeId, Op, PadFill, Padding, Rank, Result,
    Scope,
};

/// The finest stride whose scores are fused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finest {
    S32,
    S16,
    S8,
}

/// How scores are made larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upsampling {
    /// By transposed convolutions with learned weights.
    Learned,
    /// By transposed convolutions whose weights are bilinear interpolation and have no tensors.
    Bilinear,
}

/// FCN-32s, 16s or 8s. Gives logits.
pub(super) fn fcn_vgg16(name: &str, bands: usize, classes: usize, finest: Finest, upsampling: Upsampling) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let input = g.input();
    let up = Up { upsampling, classes };
    let (mut x, mut pools) = (input, Vec::new());
    for number in 1..=5 {
        let first_padding = if number == 1 { 100 } else { 1 };
        x = CaffeStage { first_padding, ..CaffeStage::same(number, 1) }.build(&mut g, x);
        x = g.at(x).max_pool_up(2, 2, 0).node();
        pools.push(x);
    }
    let x = g.conv(x, &Scope::root("fc6"), Conv::square(4096, 7).padding(0).biased()).relu();
    let x = x.conv(&Scope::root("fc7"), Conv::square(4096, 1).biased()).relu();
    let x = x.conv(&Scope::root("score_fr"), Conv::square(classes, 1).biased()).node();
    let score = Scores { pools, classes };
    let logits = match finest {
        Finest::S32 => up.build(&mut g, x, "upscore", 32),
        Finest::S16 => {
            let x = up.build(&mut g, x, "upscore2", 2);
            let fused = score.fuse(&mut g, x, 4, 5);
            up.build(&mut g, fused, "upscore16", 16)
        }
        Finest::S8 => {
            let x = up.build(&mut g, x, "upscore2", 2);
            let x = score.fuse(&mut g, x, 4, 5);
            let x = up.build(&mut g, x, "upscore_pool4", 2);
            let fused = score.fuse(&mut g, x, 3, 9);
            up.build(&mut g, fused, "upscore8", 8)
        }
    };
    let before = match finest {
        Finest::S32 => 19,
        Finest::S16 => 27,
        Finest::S8 => 31,
    };
    let logits = g.crop(logits, input, after(before)).node();
    g.build(logits)
}

/// The scores of the maps after poolings.
struct Scores {
    pools: Vec<NodeId>,
    classes: usize,
}

impl Scores {
    /// Adds the part of a pooling's scores that starts after so many positions.
    fn fuse(&self, g: &mut Builder, x: NodeId, pool: usize, before: usize) -> NodeId {
        let scope = Scope::root(format!("score_pool{pool}"));
        let scores = g.conv(self.pools[pool - 1], &scope, Conv::square(self.classes, 1).biased()).node();
        let part = g.crop(scores, x, after(before)).node();
        g.add(x, part).node()
    }
}

/// Makes scores larger: `n` positions become `(n + 1) * stride`.
#[derive(Clone, Copy)]
struct Up {
    upsampling: Upsampling,
    classes: usize,
}

impl Up {
    fn build(self, g: &mut Builder, x: NodeId, name: &str, stride: usize) -> NodeId {
        match self.upsampling {
            Upsampling::Learned => {
                let conv = ConvTranspose::square(self.classes, 2 * stride, stride);
                g.conv_transpose(x, &Scope::root(name), conv).node()
            }
            Upsampling::Bilinear => {
                // The kernel's middle lies half a stride farther out than that of a resizing, and sees zeros beyond the ends.
                let around = g.push(format!("{name}_around"), pad(1), vec![x]).node();
                let resized = g.at(around).enlarge(stride, Interpolation::Linear, Coordinates::HalfPixel).node();
                let behind = g.push(format!("{name}_behind"), pad(0), vec![x]).node();
                let like = g.at(behind).enlarge(stride, Interpolation::NearestFloor, Coordinates::Asymmetric).node();
                g.crop(resized, like, after(stride / 2)).node()
            }
        }
    }
}

/// Zeros before, and one after.
fn pad(before: usize) -> Op {
    let padding = Padding { before, after: 1 };
    Op::Pad { padding: Axes { z: Padding::default(), y: padding, x: padding }, fill: PadFill::Constant { value: 0.0 } }
}

/// The part after so many positions in the plane.
fn after(before: usize) -> CropPlace {
    CropPlace::After { before: Axes { z: 0, y: before, x: before } }
}
