//! Global convolutional network: "Large Kernel Matters: Improve Semantic Segmentation by Global Convolutional Network", Peng et al. 2017 (arXiv
//! 1703.02719).

use super::resnet::{Depth, Dilation, resnet};
use crate::{Axes, Builder, Conv, Graph, NodeId, Padding, Rank, Result, Scope};

/// Side of the large kernels.
const KERNEL: usize = 15;

/// A ResNet (`backbone`), large separable kernels on its maps of strides 32 to 4 (`gcm1` to `gcm4`), and boundary refinements (`brm1` to `brm9`) of
/// scores that are resized and added to those of the next finer stride. Gives logits.
pub(super) fn gcn(name: &str, bands: usize, classes: usize, depth: Depth) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let input = g.input();
    let maps = resnet(&mut g, input, &Scope::root("backbone"), depth, Dilation::None);
    let scores: Vec<NodeId> = (1..=4)
        .map(|number| {
            let x = global_convolution(&mut g, maps[6 - number].node, &Scope::root(format!("gcm{number}")), classes);
            refine(&mut g, x, number, classes)
        })
        .collect();
    let mut x = scores[0];
    for (number, finer) in (5..).zip(&scores[1..]) {
        let larger = g.resize_like(x, *finer).node();
        let sum = g.add(larger, *finer).node();
        x = refine(&mut g, sum, number, classes);
    }
    for (number, like) in (8..).zip([maps[1].node, input]) {
        let larger = g.resize_like(x, like).node();
        x = refine(&mut g, larger, number, classes);
    }
    g.build(x)
}

/// A column and then a row, and a row and then a column, summed (fig. 2 B).
fn global_convolution(g: &mut Builder, x: NodeId, p: &Scope, classes: usize) -> NodeId {
    let column = Conv {
        kernel: Axes { y: KERNEL, ..Axes::cube(1) },
        padding: Axes { y: Padding::both(KERNEL / 2), ..Axes::default() },
        ..Conv::square(classes, 1).biased()
    };
    let row = Conv {
        kernel: Axes { x: KERNEL, ..Axes::cube(1) },
        padding: Axes { x: Padding::both(KERNEL / 2), ..Axes::default() },
        ..column
    };
    let left = g.conv(x, &(p / "conv_l1"), column).conv(&(p / "conv_l2"), row).node();
    let right = g.conv(x, &(p / "conv_r1"), row).conv(&(p / "conv_r2"), column).node();
    g.add(left, right).node()
}

/// Two convolutions whose result is added (fig. 2 C).
fn refine(g: &mut Builder, x: NodeId, number: usize, classes: usize) -> NodeId {
    let p = Scope::root(format!("brm{number}"));
    let conv = Conv::square(classes, 3).biased();
    let y = g.conv(x, &(&p / "conv1"), conv).relu().conv(&(&p / "conv2"), conv).node();
    g.add(x, y).node()
}
