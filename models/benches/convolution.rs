//! How fast single convolutions run: FLOP/s (multiply and add counted apart) of the layers of an FCN-ResNet50 on a 512 x 512 tile, for every vector
//! unit of the machine. `cargo bench -p swath-models --bench convolution`.
//!
//! The kernels are private to the crate, so they are compiled in here once more.
#![allow(dead_code, unused_imports, reason = "the bench uses a part of the kernels")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use swath_models::{Activation, Axes, Conv, Convolutions, Extent, Padding, Shape};

#[path = "../src/cpu"]
mod cpu {
    pub(crate) mod kernels;
    pub(crate) mod ops {
        mod activation;
        mod exp;
        mod vectorised;
        pub(super) use activation::activate_slice;
    }
}

use cpu::kernels::{Bf16, Conditions, Convolution, Element, Epilogue, Isa, Maps, Pixels, PixelsMut};

/// Input channels, side of the square input, and the convolution.
fn layers() -> Vec<(&'static str, usize, usize, Conv)> {
    vec![
        ("7x7s2 3->64 @512", 3, 512, Conv::square(64, 7).stride(2)),
        ("1x1 64->256 @128", 64, 128, Conv::square(256, 1)),
        ("1x1 256->64 @128", 256, 128, Conv::square(64, 1)),
        ("1x1 1024->256 @32", 1024, 32, Conv::square(256, 1)),
        ("1x1 256->1024 @32", 256, 32, Conv::square(1024, 1)),
        ("1x1 2048->512 @16", 2048, 16, Conv::square(512, 1)),
        ("1x1 64->6 @128", 64, 128, Conv::square(6, 1)),
        ("3x3s2 128->128 @128", 128, 128, Conv::square(128, 3).stride(2)),
        ("3x3 depthwise 96 @128", 96, 128, Conv::square(96, 3).groups(96)),
        ("3x3 64->64 @128", 64, 128, Conv::square(64, 3)),
        ("3x3 128->128 @64", 128, 64, Conv::square(128, 3)),
        ("3x3 256->256 @32", 256, 32, Conv::square(256, 3)),
        ("3x3 512->512 @16", 512, 16, Conv::square(512, 3)),
    ]
}

fn bench<E: Element>(c: &mut Criterion, isa: Isa, precision: &str, convolutions: Convolutions) {
    let mut group = c.benchmark_group(format!("{}/{precision}/{}", isa.name(), convolutions.name()));
    for (name, channels, side, conv) in layers() {
        let is_plain = conv.kernel == Axes::plane(3) && conv.stride == Axes::cube(1) && conv.groups == 1;
        if convolutions == Convolutions::Winograd && !is_plain {
            continue;
        }
        let taps = channels / conv.groups * conv.kernel.product();
        let weight: Vec<f32> = (0..conv.out_channels * taps).map(|index| (index % 17) as f32 / 17.0 - 0.5).collect();
        let input: Vec<E> = (0..channels * side * side).map(|index| E::new((index % 13) as f32 / 13.0)).collect();
        let side_out = side.div_ceil(conv.stride.x);
        let mut output = vec![E::default(); side_out * side_out * conv.out_channels];
        let maps = if side_out > 16 { Maps::Large } else { Maps::Small };
        let layer = Convolution::new(conv, channels, &weight, None, isa, Conditions { convolutions, maps });
        let epilogue = Epilogue { residual: None, activation: Some(Activation::Relu) };
        group.throughput(Throughput::Elements((2 * taps * output.len()) as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                let input = Pixels { values: black_box(input.as_slice()), stride: channels };
                let output = PixelsMut { values: black_box(output.as_mut_slice()), stride: conv.out_channels };
                layer.run(input, Shape::planar(channels, side, side), &epilogue, output);
            });
        });
    }
    group.finish();
}

fn convolution(c: &mut Criterion) {
    for isa in Isa::available() {
        bench::<f32>(c, isa, "f32", Convolutions::Direct);
        bench::<f32>(c, isa, "f32", Convolutions::Winograd);
        bench::<Bf16>(c, isa, "bf16", Convolutions::Direct);
        bench::<Bf16>(c, isa, "bf16", Convolutions::Winograd);
    }
}

criterion_group!(benches, convolution);
criterion_main!(benches);
