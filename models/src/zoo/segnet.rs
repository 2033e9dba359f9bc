//! SegNet: "SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image Segmentation", Badrinarayanan et al. 2015 (arXiv 1511.00561),
//! with the tensor names of the authors' Caffe models: `conv1_1` to `conv5_3` with `conv1_1_bn`, and `conv5_3_D` to `conv1_1_D` back.

use super::vgg::STAGES;
use crate::{Axes, Builder, Conv, Graph, MaxUnpool, Rank, Result, Scope};

/// SegNet on VGG-16: every pooling is undone by its indices. Gives logits.
pub(super) fn segnet(name: &str, bands: usize, classes: usize) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let mut x = g.input();
    let mut pooled = Vec::new();
    for (number, stage) in STAGES.into_iter().enumerate() {
        for place in 1..=stage.convolutions {
            let conv = format!("conv{}_{place}", number + 1);
            let bn = Scope::root(format!("{conv}_bn"));
            x = g.conv(x, &Scope::root(conv), Conv::square(stage.channels, 3).biased()).bn(&bn).relu().node();
        }
        pooled.push(x);
        x = g.at(x).max_pool(2, 2, 0).node();
    }
    let unpool = MaxUnpool { kernel: Axes::plane(2), stride: Axes::plane(2) };
    for (number, stage) in STAGES.into_iter().enumerate().rev() {
        x = g.max_unpool(x, pooled[number], unpool).node();
        for place in (1..=stage.convolutions).rev() {
            let is_last = (number, place) == (0, 1);
            // The first convolution of a stage gives as many channels as the stage before has.
            let channels = match (number, place) {
                (0, 1) => classes,
                (_, 1) => STAGES[number - 1].channels,
                _ => stage.channels,
            };
            let conv = format!("conv{}_{place}_D", number + 1);
            let bn = Scope::root(format!("{conv}_bn"));
            let convolved = g.conv(x, &Scope::root(conv), Conv::square(channels, 3).biased());
            x = if is_last { convolved.node() } else { convolved.bn(&bn).relu().node() };
        }
    }
    g.build(x)
}
