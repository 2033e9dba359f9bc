//! How fast tiles are stitched: labelled pixels per second, beside what the network takes. `cargo bench --bench stitch`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use swath_tiling::{Blend, Mosaic, Size, Taper, TileGrid};

const CLASSES: usize = 6;

fn stitch(c: &mut Criterion) {
    let mut group = c.benchmark_group("stitch");
    let raster = Size::plane(4096, 2048);
    group.throughput(Throughput::Elements(raster.area() as u64));
    for (name, blend) in [("hann", Blend::Taper(Taper::Hann)), ("crop", Blend::Crop)] {
        for overlap in [64, 256] {
            let overlaps = Size { depth: 0, height: overlap, width: overlap };
            let Ok(grid) = TileGrid::new(raster, Size::plane(512, 512), overlaps) else { continue };
            let scores = vec![0.5; CLASSES * grid.tile_size().area()];
            group.bench_with_input(BenchmarkId::new(name, overlap), &grid, |b, grid| {
                b.iter(|| {
                    let mut mosaic = Mosaic::new(grid, CLASSES, blend);
                    for tile in grid.tiles() {
                        black_box(mosaic.feed(&tile, Some(&scores))).map(drop).unwrap_or_default();
                    }
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, stitch);
criterion_main!(benches);
