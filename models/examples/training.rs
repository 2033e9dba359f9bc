//! How long a pass of training takes, and its operators: `cargo run --release -p swath-models --example training -- unet|fcn PASSES`.
//!
//! The networks are a U-Net (16 to 256 channels at strides 1 to 16) and an FCN on a ResNet-18, the batch has 8 samples of 256 x 256.
#![expect(clippy::print_stdout, reason = "the figures")]

use std::env;
use std::error::Error;
use std::time::{Duration, Instant};

use swath_models::train::{Autograd, Batch, FusedAutograd, Parameters};
use swath_models::{Axes, Builder, Conv, ConvTranspose, Convolutions, Graph, NodeId, Op, Rank, Result, Scope, Shape, zoo};

const USAGE: &str = "training unet|fcn PASSES";
const SAMPLES: usize = 8;
const SIDE: usize = 256;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [network, passes] = arguments.as_slice() else { return Err(USAGE.into()) };
    let graph = match network.as_str() {
        "unet" => unet()?,
        "fcn" => fcn_resnet18()?,
        _ => return Err(USAGE.into()),
    };
    let mut parameters = Parameters::new(&graph, &zoo::random_weights(&graph, 1))?;
    let mut autograd = FusedAutograd::new(graph, Convolutions::Winograd)?;
    let shape = Shape::planar(3, SIDE, SIDE);
    let input = Batch::new(SAMPLES, shape, (0..SAMPLES * shape.elements()).map(|i| (i % 251) as f32 / 251.0).collect())?;
    let mut fastest = Duration::MAX;
    for _ in 0..passes.parse::<usize>()? {
        let start = Instant::now();
        let mut scored = start;
        autograd.pass(&mut parameters, &input, &mut |scores| {
            scored = Instant::now();
            Ok(scores.clone())
        })?;
        let end = Instant::now();
        if end - start >= fastest {
            continue;
        }
        fastest = end - start;
        println!("{:.1} ms, forward {:.1}", milliseconds(fastest), milliseconds(scored - start));
        for (kind, timing) in autograd.timings().kinds() {
            let [forward, backward, kernels] = [timing.forward, timing.backward, timing.kernels].map(milliseconds);
            println!("  {kind:20} forward {forward:7.1}  backward {backward:7.1}  kernels {kernels:7.1}");
        }
    }
    Ok(())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn normalised(g: &mut Builder, x: NodeId, name: &str, conv: Conv) -> NodeId {
    g.conv(x, &Scope::root(name), conv).bn(&Scope::root(format!("{name}_bn"))).node()
}

fn activated(g: &mut Builder, x: NodeId, name: &str, conv: Conv) -> NodeId {
    let x = normalised(g, x, name, conv);
    g.at(x).relu().node()
}

fn double(g: &mut Builder, x: NodeId, name: &str, width: usize) -> NodeId {
    let x = activated(g, x, &format!("{name}_1"), Conv::square(width, 3));
    activated(g, x, &format!("{name}_2"), Conv::square(width, 3))
}

fn unet() -> Result<Graph> {
    let mut g = Builder::new("unet", Rank::Planar, 3);
    let mut x = g.input();
    let mut skips = Vec::new();
    for width in [16, 32, 64, 128] {
        x = double(&mut g, x, &format!("down{width}"), width);
        skips.push((width, x));
        x = g.at(x).max_pool(2, 2, 0).node();
    }
    x = double(&mut g, x, "bottom", 256);
    for (width, skip) in skips.into_iter().rev() {
        let up = ConvTranspose {
            out_channels: width,
            kernel: Axes::plane(2),
            stride: Axes::plane(2),
            padding: Axes::default(),
            output_padding: Axes::cube(0),
            dilation: Axes::cube(1),
            groups: 1,
            bias: true,
        };
        let up = g.push(format!("up{width}"), Op::ConvTranspose(up), vec![x]).node();
        let both = g.concat(vec![skip, up]).node();
        x = double(&mut g, both, &format!("decoded{width}"), width);
    }
    let head = g.conv(x, &Scope::root("head"), Conv::square(2, 1).biased()).node();
    g.build(head)
}

fn fcn_resnet18() -> Result<Graph> {
    let mut g = Builder::new("fcn_resnet18", Rank::Planar, 3);
    let input = g.input();
    let x = activated(&mut g, input, "stem", Conv::square(64, 7).stride(2));
    let mut x = g.at(x).max_pool(3, 2, 1).node();
    let [_, s8, s16, s32] = [(64, 1), (128, 2), (256, 2), (512, 2)].map(|(width, stride)| {
        x = block(&mut g, x, &format!("layer{width}_0"), width, stride);
        x = block(&mut g, x, &format!("layer{width}_1"), width, 1);
        x
    });
    let head = |g: &mut Builder, name: &str, x: NodeId| g.conv(x, &Scope::root(name), Conv::square(2, 1).biased()).node();
    let mut y = head(&mut g, "head32", s32);
    for (name, map) in [("head16", s16), ("head8", s8)] {
        let skip = head(&mut g, name, map);
        let up = g.resize_like(y, skip).node();
        y = g.add(up, skip).node();
    }
    let output = g.resize_like(y, input).node();
    g.build(output)
}

/// Two convolutions, and what goes past them.
fn block(g: &mut Builder, x: NodeId, name: &str, width: usize, stride: usize) -> NodeId {
    let y = activated(g, x, &format!("{name}_1"), Conv::square(width, 3).stride(stride));
    let y = normalised(g, y, &format!("{name}_2"), Conv::square(width, 3));
    let past = if stride == 1 { x } else { normalised(g, x, &format!("{name}_past"), Conv::square(width, 1).stride(stride)) };
    g.add(y, past).relu().node()
}
