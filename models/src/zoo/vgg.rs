//! VGG-16: "Very Deep Convolutional Networks for Large-Scale Image Recognition", Simonyan & Zisserman 2014 (arXiv 1409.1556), configuration D.

use super::features::{Map, Pyramid};
use crate::{Builder, Conv, NodeId, Scope};

/// Channels and number of the 3x3 convolutions of each of the five stages.
pub(super) const STAGES: [Stage; 5] = [
    Stage { channels: 64, convolutions: 2 },
    Stage { channels: 128, convolutions: 2 },
    Stage { channels: 256, convolutions: 3 },
    Stage { channels: 512, convolutions: 3 },
    Stage { channels: 512, convolutions: 3 },
];

/// Convolutions between two poolings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    pub(super) channels: usize,
    pub(super) convolutions: usize,
}

/// Whether convolutions are followed by batch normalisations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Norm {
    None,
    Batch,
}

/// The convolutions without the classifier, named by their places as in torchvision's `features`; maps are those before each pooling, and that after
/// the last.
pub(super) fn vgg16(g: &mut Builder, x: NodeId, scope: &Scope, norm: Norm) -> Pyramid {
    let mut maps = [Map { node: x, channels: 0 }; 6];
    let (mut node, mut place) = (x, 0);
    for (number, Stage { channels, convolutions }) in STAGES.into_iter().enumerate() {
        for _ in 0..convolutions {
            let convolved = g.conv(node, &(scope / place), Conv::square(channels, 3).biased());
            let normed = if norm == Norm::Batch { convolved.bn(&(scope / (place + 1))) } else { convolved };
            node = normed.relu().node();
            place += if norm == Norm::Batch { 3 } else { 2 };
        }
        maps[number] = Map { node, channels };
        node = g.at(node).max_pool(2, 2, 0).node();
        place += 1;
        maps[number + 1] = Map { node, channels };
    }
    maps
}

/// How a stage is computed, with the names of the papers' Caffe models: `conv1_1` and so on.
#[derive(Clone, Copy, Debug)]
pub(super) struct CaffeStage {
    /// From 1 on.
    pub(super) number: usize,
    pub(super) dilation: usize,
    /// Zeros around the input of the first convolution.
    pub(super) first_padding: usize,
    /// Zeros around the inputs of the others.
    pub(super) padding: usize,
}

impl CaffeStage {
    /// A stage whose convolutions keep the extent.
    pub(super) fn same(number: usize, dilation: usize) -> Self {
        Self { number, dilation, first_padding: dilation, padding: dilation }
    }

    /// Adds the convolutions of the stage.
    pub(super) fn build(self, g: &mut Builder, x: NodeId) -> NodeId {
        let Stage { channels, convolutions } = STAGES[self.number - 1];
        (1..=convolutions).fold(x, |x, place| {
            let padding = if place == 1 { self.first_padding } else { self.padding };
            let conv = Conv::square(channels, 3).dilation(self.dilation).padding(padding).biased();
            g.conv(x, &Scope::root(format!("conv{}_{place}", self.number)), conv).relu().node()
        })
    }
}
