//! DeconvNet: "Learning Deconvolution Network for Semantic Segmentation", Noh et al. 2015 (arXiv 1505.04366), with the tensor names of the
//! authors' Caffe model.

use super::vgg::STAGES;
use crate::{Axes, Builder, Conv, ConvTranspose, Graph, MaxUnpool, Rank, Result, Scope};

/// DeconvNet on VGG-16: 224 x 224 pixels become one vector and then scores again; larger extents give more vectors. Gives logits.
pub(super) fn deconvnet(name: &str, bands: usize, classes: usize) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let root = |name: &str| Scope::root(name);
    let mut x = g.input();
    let mut pooled = Vec::new();
    for (number, stage) in STAGES.into_iter().enumerate() {
        for place in 1..=stage.convolutions {
            let own = format!("{}_{place}", number + 1);
            let conv = Conv::square(stage.channels, 3).biased();
            x = g.conv(x, &root(&format!("conv{own}")), conv).bn(&root(&format!("bn{own}"))).relu().node();
        }
        pooled.push(x);
        x = g.at(x).max_pool(2, 2, 0).node();
    }
    let y = g.conv(x, &root("fc6"), Conv::square(4096, 7).padding(0).biased()).bn(&root("bnfc6")).relu();
    let y = y.conv(&root("fc7"), Conv::square(4096, 1).biased()).bn(&root("bnfc7")).relu().node();
    let back = ConvTranspose::square(512, 7, 1).biased();
    x = g.conv_transpose(y, &root("fc6-deconv"), back).bn(&root("fc6-deconv-bn")).relu().node();
    let unpool = MaxUnpool { kernel: Axes::plane(2), stride: Axes::plane(2) };
    for (number, stage) in STAGES.into_iter().enumerate().rev() {
        x = g.max_unpool(x, pooled[number], unpool).node();
        for place in 1..=stage.convolutions {
            // The last of a stage gives as many channels as the stage before has.
            let is_last = place == stage.convolutions && number > 0;
            let channels = if is_last { STAGES[number - 1].channels } else { stage.channels };
            let own = format!("{}_{place}", number + 1);
            let conv = ConvTranspose::square(channels, 3, 1).padding(1).biased();
            x = g.conv_transpose(x, &root(&format!("deconv{own}")), conv).bn(&root(&format!("debn{own}"))).relu().node();
        }
    }
    let logits = g.conv(x, &root("seg-score"), Conv::square(classes, 1).biased()).node();
    g.build(logits)
}
