//! EncNet: "Context Encoding for Semantic Segmentation", Zhang et al. 2018 (arXiv 1803.08904), with the names of the authors' PyTorch code for the head
//! (`head.encmodule`), on torchvision's ResNets (`pretrained`) of stride 8.

use super::resnet::{Depth, Dilation, resnet};
use crate::{Activation, Builder, Conv, Coordinates, Encoding, Graph, Interpolation, Op, Rank, Result, Scope, Turn};

/// Channels of the head, and codewords of the encoding.
const WIDTH: usize = 512;
const CODEWORDS: usize = 32;

/// Channels weighted by how a tile's features lie around learned codewords. The weight of `head.encmodule.fc.0` is that of a 1x1 convolution, `(512, 512,
/// 1, 1)`; the branch that only the training's semantic encoding loss uses is left out. Gives logits.
pub(super) fn encnet(name: &str, bands: usize, classes: usize, depth: Depth) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let input = g.input();
    let [.., map] = resnet(&mut g, input, &Scope::root("pretrained"), depth, Dilation::Behind(8));
    let head = Scope::root("head");
    let [conv5, module] = [&head / "conv5", &head / "encmodule"];
    let encoding = &module / "encoding";
    let x = g.conv(map.node, &(&conv5 / 0), Conv::square(WIDTH, 3)).bn(&(&conv5 / 1)).relu().node();
    let reduced = g.conv(x, &(&encoding / 0), Conv::square(WIDTH, 1)).bn(&(&encoding / 1)).relu().node();
    let code = Op::Encoding(Encoding { codewords: CODEWORDS, channels: WIDTH });
    let code = g.push((&encoding / 3).to_string(), code, vec![reduced]).bn(&(&encoding / 4)).relu().node();
    let turned = g.push("turned", Op::Turn(Turn { channels: WIDTH, width: CODEWORDS }), vec![code]).node();
    // The mean over codewords.
    let weights = g.at(turned).global_average().conv(&(&module / "fc.0"), Conv::square(WIDTH, 1).biased());
    let weights = weights.activate(Activation::Sigmoid).node();
    let weighted = g.mul(x, weights).node();
    let sum = g.add(x, weighted).relu().node();
    let scores = g.conv(sum, &(&head / "conv6.1"), Conv::square(classes, 1).biased()).node();
    let logits = g.resize(scores, input, Interpolation::Linear, Coordinates::AlignCorners).node();
    g.build(logits)
}
