//! How fast whole networks run: labelled pixels per second. `cargo bench -p swath-models --bench network`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use swath_models::{Arithmetic, Convolutions, Executor, Extent, Fused, Precision, Result, ScoreActivation, Shape, Tensor, zoo};

fn fcn_resnet50(arithmetic: Arithmetic) -> Result<Fused> {
    let graph = zoo::build("fcn_resnet50", 3, 6)?.with_activation(ScoreActivation::Softmax);
    let weights = zoo::random_weights(&graph, 1);
    Fused::new(graph, &weights, arithmetic)
}

fn network(c: &mut Criterion) {
    for precision in [Precision::F32, Precision::Bf16] {
        for convolutions in [Convolutions::Direct, Convolutions::Winograd] {
            let Ok(executor) = fcn_resnet50(Arithmetic { precision, convolutions }) else { return };
            let mut group = c.benchmark_group(format!("fcn_resnet50/{}/{}", precision.name(), convolutions.name()));
            for side in [256, 512, 1024] {
                let shape = Shape { channels: 3, extent: Extent::planar(side, side) };
                let Ok(tile) = Tensor::new(shape, (0..shape.elements()).map(|i| (i % 251) as f32 / 251.0).collect()) else {
                    continue;
                };
                group.throughput(Throughput::Elements(shape.extent.product() as u64));
                group.sample_size(20);
                group.bench_with_input(BenchmarkId::from_parameter(side), &tile, |b, tile| {
                    b.iter(|| black_box(executor.run(tile.clone())).map(drop).unwrap_or_default());
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, network);
criterion_main!(benches);
