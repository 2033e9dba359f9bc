//! How fast whole networks run: labelled pixels per second, for every arithmetic. `cargo bench -p swath-models --bench network`; a part of it with
//! a name, as in `-- fcn_resnet50/512/f32/winograd`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use swath_models::{Arithmetic, Convolutions, Executor, Fused, Graph, Precision, Result, ScoreActivation, Shape, Tensor, zoo};

const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::Bf16];
const CONVOLUTIONS: [Convolutions; 2] = [Convolutions::Direct, Convolutions::Winograd];

fn fcn_resnet50() -> Result<Graph> {
    Ok(zoo::build("fcn_resnet50", 3, 6)?.with_activation(ScoreActivation::Softmax))
}

fn network(c: &mut Criterion) {
    let Ok(graph) = fcn_resnet50() else { return };
    let weights = zoo::random_weights(&graph, 1);
    let mut group = c.benchmark_group("fcn_resnet50");
    group.sample_size(20);
    for (precision, convolutions) in PRECISIONS.into_iter().flat_map(|precision| CONVOLUTIONS.map(|way| (precision, way))) {
        let Ok(executor) = Fused::new(graph.clone(), &weights, Arithmetic { precision, convolutions }) else { continue };
        for side in [256, 512, 1024] {
            let shape = Shape::planar(3, side, side);
            let Ok(tile) = Tensor::new(shape, (0..shape.elements()).map(|i| (i % 251) as f32 / 251.0).collect()) else {
                continue;
            };
            group.throughput(Throughput::Elements(shape.extent.product() as u64));
            let name = BenchmarkId::from_parameter(format!("{side}/{}/{}", precision.name(), convolutions.name()));
            group.bench_with_input(name, &tile, |b, tile| {
                b.iter(|| black_box(executor.run(tile.clone())).map(drop).unwrap_or_default());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, network);
criterion_main!(benches);
