//! RefineNet: "RefineNet: Multi-Path Refinement Networks for High-Resolution Semantic Segmentation", Lin et al. 2017 (arXiv 1611.06612).

use super::features::Map;
use super::resnet::{Depth, Dilation, resnet};
use crate::{Builder, Conv, Graph, NodeId, Rank, Result, Scope};

/// A ResNet (`backbone`) and the cascade of four blocks (fig. 2 c), `refine4` on the map of stride 32 to `refine1` on that of stride 4, of 512 channels
/// in the first and 256 in the others; at last a 3x3 `classifier`, resized bilinearly. Gives logits.
pub(super) fn refinenet(name: &str, bands: usize, classes: usize, depth: Depth) -> Result<Graph> {
    let mut g = Builder::new(name, Rank::Planar, bands);
    let input = g.input();
    let maps = resnet(&mut g, input, &Scope::root("backbone"), depth, Dilation::None);
    let mut x: Option<Map> = None;
    for number in (1..=4).rev() {
        let width = if number == 4 { 512 } else { 256 };
        let p = Scope::root(format!("refine{number}"));
        let own = g.conv(maps[number + 1].node, &(&p / "reduce"), Conv::square(width, 3)).node();
        let paths: Vec<Map> = [Map { node: own, channels: width }].into_iter().chain(x).collect();
        let node = block(&mut g, &paths, &p, width);
        x = Some(Map { node, channels: width });
    }
    let x = x.map_or(input, |map| map.node);
    let x = units(&mut g, x, &Scope::root("output"), 2, 256);
    let scores = g.conv(x, &Scope::root("classifier"), Conv::square(classes, 3).biased()).node();
    let logits = g.resize_like(scores, input).node();
    g.build(logits)
}

/// Residual units of every path, their fusion, chained residual pooling, and a last residual unit (fig. 3).
fn block(g: &mut Builder, paths: &[Map], p: &Scope, width: usize) -> NodeId {
    let fused: Vec<NodeId> = paths
        .iter()
        .enumerate()
        .map(|(number, path)| {
            let x = units(g, path.node, &(&(p / "adapt") / number), 2, path.channels);
            if paths.len() == 1 { x } else { g.conv(x, &(&(p / "fuse") / number), Conv::square(width, 3)).node() }
        })
        .collect();
    let mut x = fused[0];
    for coarser in &fused[1..] {
        let larger = g.resize_like(*coarser, x).node();
        x = g.add(x, larger).node();
    }
    let x = chained_pooling(g, x, &(p / "pool"), width);
    units(g, x, &(p / "output"), 1, width)
}

/// Residual convolution units (fig. 3 b): ReLU and convolution twice, and a sum.
fn units(g: &mut Builder, x: NodeId, p: &Scope, count: usize, width: usize) -> NodeId {
    (0..count).fold(x, |x, number| {
        let p = p / number;
        let conv = Conv::square(width, 3);
        let y = g.at(x).relu().conv(&(&p / "conv1"), conv.biased()).relu().conv(&(&p / "conv2"), conv).node();
        g.add(x, y).node()
    })
}

/// Two poolings of 5x5, each of the one before, with a convolution after each, all added to what they start from (fig. 3 d).
fn chained_pooling(g: &mut Builder, x: NodeId, p: &Scope, width: usize) -> NodeId {
    let start = g.at(x).relu().node();
    let (mut sum, mut path) = (start, start);
    for number in 0..2 {
        path = g.at(path).max_pool(5, 1, 2).conv(&(p / number), Conv::square(width, 3)).node();
        sum = g.add(sum, path).node();
    }
    sum
}
