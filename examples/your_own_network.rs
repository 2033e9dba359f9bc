//! A network as data, and what follows from it: `cargo run --release --example your_own_network`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use swath_models::{Builder, Conv, Executor, Extent, Rank, Reference, Scope, Shape, Tensor, zoo};

fn main() -> Result<(), Box<dyn Error>> {
    // A small U-shaped network: down by 2, up again, and the fine map beside the coarse one.
    let mut g = Builder::new("small_u", Rank::Planar, 4);
    let encoder = Scope::root("encoder");
    let input = g.input();
    let fine = g.conv(input, &(&encoder / "conv1"), Conv::square(16, 3)).bn(&(&encoder / "bn1")).relu().node();
    let coarse = g.at(fine).max_pool(2, 2, 0).node();
    let coarse = g.conv(coarse, &(&encoder / "conv2"), Conv::square(32, 3)).bn(&(&encoder / "bn2")).relu().node();
    let up = g.resize_like(coarse, fine).node();
    let both = g.concat(vec![fine, up]).node();
    let head = g.conv(both, &Scope::root("head"), Conv::square(3, 1).biased()).softmax().node();
    let graph = g.build(head)?;

    // All of this is derived from the nodes.
    let geometry = graph.geometry()?;
    let cost = graph.cost(Extent::planar(256, 256))?;
    println!("{}: {} parameters, {} kFLOP per pixel", graph.name(), cost.parameters, cost.flops / 256 / 256 / 1000);
    println!(
        "tiles start on multiples of {}, a pixel sees {:?} pixels around it",
        geometry.stride.x,
        geometry.halo().map(|h| h.x)
    );
    for tensor in graph.tensors() {
        println!("  {:<28} {:?}", tensor.name, tensor.shape);
    }

    // Weights are strict: `Reference::new` refuses missing, misshapen, unused and NaN tensors.
    let weights = zoo::random_weights(&graph, 42);
    let executor = Reference::new(graph, &weights)?;
    let shape = Shape::planar(4, 30, 50);
    let scores = executor.run(Tensor::new(shape, vec![0.25; shape.elements()])?)?;
    println!(
        "{shape} in, {} out; the first pixel's probabilities: {:?}",
        scores.shape(),
        [0, 1, 2].map(|c| scores.channel(c)[0])
    );
    Ok(())
}
