//! How long the convolutions of two networks take in a step of training: setting the weights, forward, gradient of the input, gradient of the
//! weights, for a batch of 8 x 256 x 256. `cargo bench -p swath-models --bench gradient`.
//!
//! The layers are private to the crate, so they are compiled in here once more.
#![allow(dead_code, unused_imports, reason = "the bench uses a part of the kernels")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use swath_models::{Activation, Axes, Conv, ConvTranspose, Convolutions, Extent, Padding, Shape};

#[path = "../src/cpu"]
mod cpu {
    pub(crate) mod kernels;
    pub(crate) mod ops {
        mod activation;
        mod combine;
        mod exp;
        mod transposed;
        mod vectorised;
        pub(super) use activation::activate_slice;
        pub(super) use combine::Operand;
        pub(super) use transposed::Transposed;
    }
    pub(crate) mod autograd {
        pub(crate) mod convolution;
        pub(crate) mod transposed;
    }
}

#[path = "../src/windows.rs"]
mod windows;

use cpu::autograd::{convolution::LearnedConvolution, transposed::LearnedTransposed};
use cpu::kernels::{Conditions, Isa, Maps, Pixels, PixelsMut};

const SAMPLES: usize = 8;

/// Either kind of layer.
enum Layer {
    Plain(LearnedConvolution),
    Transposed(LearnedTransposed),
}

/// Name, input channels, side of the square input, and the convolution.
fn layers() -> Vec<(String, usize, usize, Conv)> {
    let mut layers = vec![
        ("unet 3x3 3->16 @256".into(), 3, 256, Conv::square(16, 3)),
        ("unet 1x1 16->2 @256".into(), 16, 256, Conv::square(2, 1)),
        ("fcn 7x7s2 3->64 @256".into(), 3, 256, Conv::square(64, 7).stride(2)),
        ("fcn 1x1 512->2 @8".into(), 512, 8, Conv::square(2, 1)),
    ];
    for (width, side) in [(16, 256), (32, 128), (64, 64), (128, 32), (256, 16)] {
        layers.push((format!("unet 3x3 {width}->{width} @{side}"), width, side, Conv::square(width, 3)));
        if width > 16 {
            layers.push((format!("unet 3x3 {}->{width} @{side}", width / 2), width / 2, side, Conv::square(width, 3)));
        }
        if width < 256 {
            layers.push((format!("unet 3x3 {}->{width} @{side}", width * 2), width * 2, side, Conv::square(width, 3)));
        }
    }
    for (width, side) in [(64, 64), (128, 32), (256, 16), (512, 8)] {
        layers.push((format!("fcn 3x3 {width}->{width} @{side}"), width, side, Conv::square(width, 3)));
        if width > 64 {
            layers.push((
                format!("fcn 3x3s2 {}->{width} @{}", width / 2, side * 2),
                width / 2,
                side * 2,
                Conv::square(width, 3).stride(2),
            ));
            layers.push((
                format!("fcn 1x1s2 {}->{width} @{}", width / 2, side * 2),
                width / 2,
                side * 2,
                Conv::square(width, 1).stride(2),
            ));
        }
    }
    layers
}

fn up(width: usize) -> ConvTranspose {
    ConvTranspose {
        out_channels: width,
        kernel: Axes::plane(2),
        stride: Axes::plane(2),
        padding: Axes::default(),
        output_padding: Axes { z: 0, y: 0, x: 0 },
        dilation: Axes::cube(1),
        groups: 1,
        bias: true,
    }
}

fn gradient(c: &mut Criterion) {
    let isa = Isa::detect().expect("a vector unit");
    let plain = layers().into_iter().map(|(name, channels, side, conv)| {
        let maps = if side / conv.stride.x > 16 { Maps::Large } else { Maps::Small };
        let conditions = Conditions { convolutions: Convolutions::Winograd, maps };
        let taps = channels * conv.kernel.product();
        let side_out = side.div_ceil(conv.stride.x);
        let layer = Layer::Plain(LearnedConvolution::new(conv, channels, isa, conditions));
        (
            name,
            layer,
            Shape::planar(channels, side, side),
            Shape::planar(conv.out_channels, side_out, side_out),
            taps * conv.out_channels,
            taps * side_out * side_out * conv.out_channels,
        )
    });
    let ups = [(256, 16), (128, 32), (64, 64), (32, 128)].map(|(channels, side)| {
        let c = up(channels / 2);
        let layer = Layer::Transposed(LearnedTransposed::new(c, channels, isa, Conditions::DIRECT));
        let name = format!("unet up {channels}->{} @{side}", c.out_channels);
        (
            name,
            layer,
            Shape::planar(channels, side, side),
            Shape::planar(c.out_channels, 2 * side, 2 * side),
            4 * channels * c.out_channels,
            4 * channels * c.out_channels * side * side,
        )
    });
    for (name, mut layer, input, output, weights, products) in plain.chain(ups) {
        let mut group = c.benchmark_group(name);
        group
            .sample_size(10)
            .warm_up_time(std::time::Duration::from_millis(50))
            .measurement_time(std::time::Duration::from_millis(200));
        let values = |len: usize| (0..len).map(|index| (index % 13) as f32 / 13.0 - 0.5).collect::<Vec<f32>>();
        let (weight, mut dw) = (values(weights), values(weights));
        let (x, dy) = (values(SAMPLES * input.elements()), values(SAMPLES * output.elements()));
        let (mut y, mut dx) = (dy.clone(), x.clone());
        let pixels = |values, shape: Shape| Pixels { values, stride: shape.channels };
        let (x, dy) = (pixels(&x, input), pixels(&dy, output));
        group.bench_function("set", |b| {
            b.iter(|| match &mut layer {
                Layer::Plain(layer) => layer.set(black_box(&weight), None),
                Layer::Transposed(layer) => layer.set(black_box(&weight), None),
            });
        });
        group.throughput(Throughput::Elements((2 * SAMPLES * products) as u64));
        group.bench_function("forward", |b| {
            b.iter(|| {
                let y = PixelsMut { values: black_box(y.as_mut_slice()), stride: output.channels };
                match &layer {
                    Layer::Plain(layer) => layer.forward(SAMPLES, input, x, y),
                    Layer::Transposed(layer) => layer.forward(SAMPLES, input, x, y),
                }
            });
        });
        group.bench_function("input", |b| {
            b.iter(|| {
                let dx = PixelsMut { values: black_box(dx.as_mut_slice()), stride: input.channels };
                match &layer {
                    Layer::Plain(layer) => layer.input_gradient(SAMPLES, input, dy, dx),
                    Layer::Transposed(layer) => layer.input_gradient(SAMPLES, input, dy, dx),
                }
            });
        });
        group.bench_function("weight", |b| {
            b.iter(|| {
                let dw = black_box(dw.as_mut_slice());
                match &layer {
                    Layer::Plain(layer) => layer.weight_gradient(SAMPLES, input, x, dy, dw, None),
                    Layer::Transposed(layer) => layer.weight_gradient(SAMPLES, input, x, dy, dw, None),
                }
            });
        });
        group.finish();
    }
}

criterion_group!(benches, gradient);
criterion_main!(benches);
