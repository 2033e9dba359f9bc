//! U-Net: "U-Net: Convolutional Networks for Biomedical Image Segmentation", Ronneberger et al. 2015 (arXiv 1505.04597), and its volumetric form, "3D
//! U-Net: Learning Dense Volumetric Segmentation from Sparse Annotation", Çiçek et al. 2016 (arXiv 1606.06650).

use crate::{
    Axes, Builder, Conv, ConvTranspose, Coordinates, CropPlace, Error, Graph, Interpolation, NodeId, Op, Padding, Pool, PoolKind,
    Rank, Resize, ResizeTo, Result, Scope,
};

/// Channels of every level, the finest first.
const WIDTHS: [usize; 5] = [16, 32, 64, 128, 256];

/// What a U-Net is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UNet {
    /// Planes or volumes.
    pub rank: Rank,
    /// Channels of every level, the finest first.
    pub widths: Vec<usize>,
    /// What 3x3 convolutions do at the borders.
    pub border: UNetBorder,
    /// What follows a convolution.
    pub norm: UNetNorm,
    /// How a level becomes as large as the finer one.
    pub up: UNetUp,
}

/// What the 3x3 convolutions of a [`UNet`] do at the borders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UNetBorder {
    /// Zeros around keep the extent.
    Same,
    /// Nothing around, as in the paper: each convolution loses a pixel at either side. Finer levels are cropped to where the coarser ones lie: to the
    /// middle for extents like the paper's 572, which every pooling halves, and a pixel or two beside it for others.
    Valid,
}

/// What follows a convolution of a [`UNet`], before the ReLU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UNetNorm {
    /// Nothing, as in the paper; convolutions have biases.
    None,
    /// Batch normalisation.
    Batch,
    /// Instance normalisation with weights and biases.
    Instance,
}

/// How a level of a [`UNet`] becomes as large as the finer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UNetUp {
    /// By a 2x2 transposed convolution.
    Transposed,
    /// Bilinearly, then by a 1x1 convolution.
    Bilinear,
}

impl Default for UNet {
    /// Widths 16 to 256, convolutions that keep the extent, batch normalisation, and transposed convolutions, on planes.
    fn default() -> Self {
        Self {
            rank: Rank::Planar,
            widths: WIDTHS.to_vec(),
            border: UNetBorder::Same,
            norm: UNetNorm::Batch,
            up: UNetUp::Transposed,
        }
    }
}

/// A U-Net of widths 16 to 256, for extents that are multiples of 16. Gives logits.
///
/// # Errors
/// If bands or classes are 0.
pub fn unet(bands: usize, classes: usize) -> Result<Graph> {
    UNet::default().build("unet", bands, classes)
}

/// The same length along every axis that there is.
pub(super) fn sides(rank: Rank, length: usize) -> Axes<usize> {
    if rank == Rank::Planar { Axes::plane(length) } else { Axes::cube(length) }
}

impl UNet {
    /// A U-Net with one level per width: two 3x3 convolutions per level (`down.{level}`), a 2x2 maximum between levels, and on the way back a step to the
    /// finer level's extent (`up.{step}`) whose result follows the finer level's channels into two more convolutions (`dec.{step}`); at last a 1x1
    /// `head`. Volumes have depth in all of these. Without cropping or bilinear steps, extents are multiples of two to the power of the levels less
    /// one. Gives logits.
    ///
    /// # Errors
    /// If there is no width, or bands, classes or a width are 0.
    pub fn build(&self, name: &str, bands: usize, classes: usize) -> Result<Graph> {
        let mut g = Builder::new(name, self.rank, bands);
        let mut x = g.input();
        let mut levels = Vec::new();
        for (level, width) in self.widths.iter().enumerate() {
            if level > 0 {
                x = g.push(format!("pool.{level}"), Op::Pool(self.halving()), vec![x]).node();
            }
            x = self.double_conv(&mut g, x, &(&Scope::root("down") / level), *width);
            levels.push(Level { width: *width, map: x });
        }
        if levels.pop().is_none() {
            return Err(Error::Unsuitable { reason: "a U-Net needs at least one width".into() });
        }
        // How much farther in the way back starts than the finer level does: what two convolutions of the coarser one lose.
        let mut before = 4;
        for (step, Level { width, map }) in levels.into_iter().rev().enumerate() {
            let up = &Scope::root("up") / step;
            let larger = self.enlarge(&mut g, x, map, &up, width);
            let finer = match self.border {
                UNetBorder::Same => map,
                UNetBorder::Valid => {
                    let z = if self.rank == Rank::Planar { 0 } else { before };
                    g.crop(map, larger, CropPlace::After { before: Axes { z, y: before, x: before } }).node()
                }
            };
            before = 2 * before + 8;
            let joined = g.concat(vec![finer, larger]).node();
            x = self.double_conv(&mut g, joined, &(&Scope::root("dec") / step), width);
        }
        let head = g.conv(x, &Scope::root("head"), Conv::square(classes, 1).biased()).node();
        g.build(head)
    }

    fn halving(&self) -> Pool {
        Pool { kind: PoolKind::Max, kernel: sides(self.rank, 2), stride: sides(self.rank, 2), padding: Axes::default() }
    }

    fn double_conv(&self, g: &mut Builder, x: NodeId, p: &Scope, width: usize) -> NodeId {
        let around = Padding::both(usize::from(self.border == UNetBorder::Same));
        let z = if self.rank == Rank::Planar { Padding::default() } else { around };
        let conv = Conv {
            kernel: sides(self.rank, 3),
            padding: Axes { z, y: around, x: around },
            bias: self.norm != UNetNorm::Batch,
            ..Conv::square(width, 3)
        };
        let after = |x: NodeId, g: &mut Builder, place: usize| {
            let convolved = g.conv(x, &(p / place), conv);
            let normed = match self.norm {
                UNetNorm::None => convolved,
                UNetNorm::Batch => convolved.bn(&(p / (place + 1))),
                UNetNorm::Instance => convolved.instance_norm(&(p / (place + 1)), true),
            };
            normed.relu().node()
        };
        let x = after(x, g, 0);
        after(x, g, if self.norm == UNetNorm::None { 2 } else { 3 })
    }

    /// As large as the finer level, but for what convolutions lost there.
    fn enlarge(&self, g: &mut Builder, x: NodeId, finer: NodeId, up: &Scope, width: usize) -> NodeId {
        match (self.up, self.border) {
            (UNetUp::Transposed, _) => {
                let conv = ConvTranspose {
                    kernel: sides(self.rank, 2),
                    stride: sides(self.rank, 2),
                    ..ConvTranspose::square(width, 2, 2).biased()
                };
                g.conv_transpose(x, up, conv).node()
            }
            (UNetUp::Bilinear, border) => {
                let (interpolation, coordinates) = (Interpolation::Linear, Coordinates::HalfPixel);
                let factor = sides(self.rank, 2).map(|n| n as f64);
                let resize = |to| Op::Resize(Resize { interpolation, coordinates, to });
                let larger = match border {
                    UNetBorder::Same => g.push(format!("{up}.0"), resize(ResizeTo::Like), vec![x, finer]),
                    UNetBorder::Valid => g.push(format!("{up}.0"), resize(ResizeTo::Factor { factor }), vec![x]),
                };
                larger.conv(&(up / 1), Conv::square(width, 1).biased()).node()
            }
        }
    }
}

/// What a level keeps for the way back.
struct Level {
    width: usize,
    map: NodeId,
}
