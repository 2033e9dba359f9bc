//! MONAI's U-Nets: `UNet`, after "Left-Ventricle Quantification Using Residual U-Net", Kerfoot et al. 2019 (DOI 10.1007/978-3-030-12029-0_40), and
//! `BasicUNet`, after "U-Net: deep learning for cell counting, detection, and morphometry", Falk et al. 2019 (DOI 10.1038/s41592-018-0261-2).

use super::unet::sides;
use crate::{
    Activation, Axes, Builder, Conv, ConvTranspose, CropPlace, Graph, NodeId, Op, PadFill, Padding, Pool, PoolKind, Rank, Result,
    Scope,
};

/// Channels of every level of `UNet`, the finest first.
const WIDTHS: [usize; 5] = [16, 32, 64, 128, 256];

/// The same padding along every axis that there is.
fn around(rank: Rank, padding: Padding) -> Axes<Padding> {
    let z = if rank == Rank::Planar { Padding::default() } else { padding };
    Axes { z, y: padding, x: padding }
}

/// A convolution with kernel 3 that keeps the extent but for its stride.
fn conv3(rank: Rank, channels: usize, stride: usize) -> Conv {
    Conv {
        kernel: sides(rank, 3),
        stride: sides(rank, stride),
        padding: around(rank, Padding::both(1)),
        ..Conv::square(channels, 3).biased()
    }
}

/// MONAI's `UNet` with channels 16 to 256, strides of 2 and two residual units, instance normalisation and PReLU, for extents that are multiples of
/// 16. Gives logits.
pub(super) fn monai_unet(name: &str, rank: Rank, bands: usize, classes: usize) -> Result<Graph> {
    let mut g = Builder::new(name, rank, bands);
    let input = g.input();
    let net = Residual { rank };
    let x = net.level(&mut g, input, &Scope::root("model"), bands, classes, &WIDTHS);
    g.build(x)
}

/// The parts of `UNet`.
#[derive(Clone, Copy)]
struct Residual {
    rank: Rank,
}

impl Residual {
    /// A level and all coarser ones: down (`0`), the coarser levels with a skip connection (`1.submodule`), and up (`2`).
    fn level(self, g: &mut Builder, x: NodeId, p: &Scope, inputs: usize, outputs: usize, widths: &[usize]) -> NodeId {
        let (width, is_top) = (widths[0], p.to_string() == "model");
        let down = self.unit(g, x, &(p / 0), Unit { inputs, width, stride: 2, subunits: 2, last_is_plain: false });
        let inside = p / "1.submodule";
        let below = if let [_, bottom] = *widths {
            self.unit(g, down, &inside, Unit { inputs: width, width: bottom, stride: 1, subunits: 2, last_is_plain: false })
        } else {
            self.level(g, down, &inside, width, width, &widths[1..])
        };
        let both = g.concat(vec![down, below]).node();
        let up = p / 2;
        let transposed = ConvTranspose {
            kernel: sides(self.rank, 3),
            stride: sides(self.rank, 2),
            padding: around(self.rank, Padding::both(1)),
            output_padding: sides(self.rank, 2).map(|stride| stride - 1),
            ..ConvTranspose::square(outputs, 3, 2).biased()
        };
        let first = &up / 0;
        let x = g.conv_transpose(both, &(&first / "conv"), transposed).node();
        let x = normed(g, x, &first);
        self.unit(g, x, &(&up / 1), Unit { inputs: outputs, width: outputs, stride: 1, subunits: 1, last_is_plain: is_top })
    }

    /// Convolutions and a sum with what they start from, convolved itself where it is of another size.
    fn unit(self, g: &mut Builder, x: NodeId, p: &Scope, unit: Unit) -> NodeId {
        let Unit { inputs, width, stride, subunits, last_is_plain } = unit;
        let mut y = x;
        for number in 0..subunits {
            let own = &(p / "conv") / format!("unit{number}");
            let stride = if number == 0 { stride } else { 1 };
            y = g.conv(y, &(&own / "conv"), conv3(self.rank, width, stride)).node();
            if !(last_is_plain && number + 1 == subunits) {
                y = normed(g, y, &own);
            }
        }
        let skip = match (stride, inputs == width) {
            (1, true) => x,
            (1, false) => g.conv(x, &(p / "residual"), Conv::square(width, 1).biased()).node(),
            _ => g.conv(x, &(p / "residual"), conv3(self.rank, width, stride)).node(),
        };
        g.add(y, skip).node()
    }
}

/// A residual unit.
#[derive(Clone, Copy)]
struct Unit {
    inputs: usize,
    width: usize,
    stride: usize,
    subunits: usize,
    /// Whether the last convolution has neither normalisation nor activation.
    last_is_plain: bool,
}

/// Instance normalisation without weights, and PReLU.
fn normed(g: &mut Builder, x: NodeId, p: &Scope) -> NodeId {
    g.at(x).instance_norm(&(p / "adn.N"), false).prelu(&(p / "adn.A")).node()
}

/// Channels of the five levels of `BasicUNet`, the finest first, and of the last step.
const FEATURES: [usize; 6] = [32, 32, 64, 128, 256, 32];

/// MONAI's `BasicUNet` with its own channels, instance normalisation and leaky ReLU; maps of odd length are made longer by one at the end where a
/// finer one asks for it. Gives logits.
pub(super) fn monai_basic_unet(name: &str, rank: Rank, bands: usize, classes: usize) -> Result<Graph> {
    let mut g = Builder::new(name, rank, bands);
    let input = g.input();
    let mut x = two_conv(&mut g, rank, input, &Scope::root("conv_0"), FEATURES[0]);
    let mut levels = vec![x];
    let pool = Pool { kind: PoolKind::Max, kernel: sides(rank, 2), stride: sides(rank, 2), padding: Axes::default() };
    for (level, width) in FEATURES.into_iter().enumerate().take(5).skip(1) {
        let pooled = g.push(format!("down_{level}.max_pooling"), Op::Pool(pool), vec![x]).node();
        x = two_conv(&mut g, rank, pooled, &Scope::root(format!("down_{level}.convs")), width);
        levels.push(x);
    }
    levels.pop();
    for (level, finer) in levels.into_iter().enumerate().rev() {
        let scope = Scope::root(format!("upcat_{}", level + 1));
        // The last step keeps the channels.
        let from = FEATURES[level + 1];
        let [width, out] = if level == 0 { [from, FEATURES[5]] } else { [from / 2, FEATURES[level]] };
        let doubling =
            ConvTranspose { kernel: sides(rank, 2), stride: sides(rank, 2), ..ConvTranspose::square(width, 2, 2).biased() };
        let larger = g.conv_transpose(x, &(&scope / "upsample.deconv"), doubling).node();
        // One more at the end of every axis, cut off again where it is not needed.
        let longer = Op::Pad { padding: around(rank, Padding { before: 0, after: 1 }), fill: PadFill::Edge };
        let longer = g.push(format!("{scope}.pad"), longer, vec![larger]).node();
        let fitting = g.crop(longer, finer, CropPlace::After { before: Axes::cube(0) }).node();
        let both = g.concat(vec![finer, fitting]).node();
        x = two_conv(&mut g, rank, both, &(&scope / "convs"), out);
    }
    let logits = g.conv(x, &Scope::root("final_conv"), Conv::square(classes, 1).biased()).node();
    g.build(logits)
}

fn two_conv(g: &mut Builder, rank: Rank, x: NodeId, p: &Scope, width: usize) -> NodeId {
    ["conv_0", "conv_1"].into_iter().fold(x, |x, part| {
        let p = p / part;
        let y = g.conv(x, &(&p / "conv"), conv3(rank, width, 1)).instance_norm(&(&p / "adn.N"), true);
        y.activate(Activation::LeakyRelu { slope: 0.1 }).node()
    })
}
