//! DeepLab version 3: "Rethinking Atrous Convolution for Semantic Image Segmentation", Chen et al. 2017 (arXiv 1706.05587).

use super::aspp::{CHANNELS, Separable, aspp};
use super::mobilenet::mobilenet_v3_large;
use super::resnet::{Depth, Dilation, Stage, resnet, stages};
use crate::{Builder, Conv, Graph, Rank, Result, Scope};

/// torchvision's backbones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backbone {
    ResNet(Depth),
    MobileNetV3Large,
}

/// torchvision's `deeplabv3_*`, parallel atrous convolutions, without the head that only its training uses. Gives logits.
pub(super) fn deeplab_v3(name: &str, bands: usize, classes: usize, backbone: Backbone) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let (input, scope) = (g.input(), Scope::root("backbone"));
    let map = match backbone {
        Backbone::ResNet(depth) => {
            let [.., map] = resnet(&mut g, input, &scope, depth, Dilation::Behind(8));
            map
        }
        Backbone::MobileNetV3Large => mobilenet_v3_large(&mut g, input, &scope),
    };
    let head = Scope::root("classifier");
    let x = aspp(&mut g, map, &(&head / 0), Separable::No);
    let x = g.conv(x, &(&head / 1), Conv::square(CHANNELS, 3)).bn(&(&head / 2)).relu();
    let scores = x.conv(&(&head / 4), Conv::square(classes, 1).biased()).node();
    let logits = g.resize_like(scores, input).node();
    g.build(logits)
}

/// Cascaded atrous convolutions (section 3.2): three more copies of a ResNet's last stage, `layer5` to `layer7`, at stride 16, with dilations 2, 4, 8
/// and 16 from `layer4` on, times 1, 2 and 1 for the blocks of each. Gives logits.
pub(super) fn deeplab_v3_cascade(name: &str, bands: usize, classes: usize, depth: Depth) -> Result<Graph> {
    const GRID: [usize; 3] = [1, 2, 1];
    let mut g = Builder::new(name, Rank::Planar, bands);
    let (input, scope) = (g.input(), Scope::root("backbone"));
    let mut map = stages(&mut g, input, &scope, depth, Dilation::None, 3)[4];
    for (number, rate) in (4..=7).zip([2, 4, 8, 16]) {
        let dilations = GRID.map(|factor| factor * rate);
        let stage = Stage { depth, width: 512, stride: 1, dilations: &dilations };
        map = stage.build(&mut g, map, &(&scope / format!("layer{number}")));
    }
    let scores = g.conv(map.node, &Scope::root("classifier"), Conv::square(classes, 1).biased()).node();
    let logits = g.resize_like(scores, input).node();
    g.build(logits)
}
