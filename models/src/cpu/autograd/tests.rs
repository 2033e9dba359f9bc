//! Learned convolutions against gradients written down naively in `f64`, on every vector unit of this machine.

use super::convolution::LearnedConvolution;
use super::transposed::LearnedTransposed;
use crate::cpu::kernels::{Conditions, Isa, Maps, Pixels, PixelsMut};
use crate::windows::{transposed, windowed};
use crate::{Axes, Conv, ConvTranspose, Convolutions, Extent, Padding, Shape};

/// The next of some numbers that a seed gives again (splitmix64, Steele et al. 2014).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    fn values(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
    }
}

/// Values with others between the pixels, which no result may depend on.
#[derive(Clone)]
struct Apart {
    values: Vec<f32>,
    channels: usize,
    stride: usize,
}

impl Apart {
    fn new(values: &[f32], channels: usize, gap: usize) -> Self {
        let stride = channels + gap;
        let mut apart = vec![f32::NAN; values.len() / channels * stride - gap];
        for (to, from) in apart.chunks_mut(stride).zip(values.chunks(channels)) {
            to[..channels].copy_from_slice(from);
        }
        Self { values: apart, channels, stride }
    }

    fn empty(pixels: usize, channels: usize, gap: usize) -> Self {
        Self::new(&vec![7.0; pixels * channels], channels, gap)
    }

    fn pixels(&self) -> Pixels<'_, f32> {
        Pixels { values: &self.values, stride: self.stride }
    }

    fn pixels_mut(&mut self) -> PixelsMut<'_, f32> {
        PixelsMut { values: &mut self.values, stride: self.stride }
    }

    fn dense(&self) -> Vec<f32> {
        let pixels = self.values.chunks(self.stride);
        assert!(
            pixels.clone().all(|pixel| pixel[self.channels..].iter().all(|value| value.is_nan())),
            "values between pixels are lost"
        );
        pixels.flat_map(|pixel| pixel[..self.channels].to_vec()).collect()
    }
}

/// A layer with what it is applied to. `Transposed` swaps the parts of input and output.
#[derive(Clone, Copy, Debug)]
enum Layer {
    Plain(Conv),
    Transposed(ConvTranspose),
}

#[derive(Clone, Debug)]
struct Case {
    layer: Layer,
    samples: usize,
    input: Shape,
    gap: usize,
    how: Conditions,
    seed: u64,
}

/// What is compared.
#[derive(Debug, PartialEq)]
struct Results<T> {
    y: Vec<T>,
    dx: Vec<T>,
    dw: Vec<T>,
    db: Vec<T>,
}

impl Case {
    fn output(&self) -> Shape {
        let (channels, extent) = match &self.layer {
            Layer::Plain(c) => (c.out_channels, windowed(self.input.extent, c.kernel, c.stride, c.padding, c.dilation)),
            Layer::Transposed(c) => (c.out_channels, transposed(self.input.extent, c)),
        };
        Shape { channels, extent: extent.expect("the window fits") }
    }

    /// Input, gradient of the output, weight, bias.
    fn values(&self) -> [Vec<f32>; 4] {
        let mut noise = Noise(self.seed);
        let (input, output) = (self.input, self.output());
        let weight = match self.layer {
            Layer::Plain(c) => c.out_channels * input.channels / c.groups * c.kernel.product(),
            Layer::Transposed(c) => input.channels * c.out_channels / c.groups * c.kernel.product(),
        };
        [self.samples * input.elements(), self.samples * output.elements(), weight, output.channels].map(|len| noise.values(len))
    }

    fn run(&self, isa: Isa) -> Results<f32> {
        let [x, dy, weight, bias] = self.values();
        let (n, input, output) = (self.samples, self.input, self.output());
        let (pixels_in, pixels_out) = (n * input.extent.product(), n * output.extent.product());
        let x = Apart::new(&x, input.channels, 2 * self.gap);
        let dy = Apart::new(&dy, output.channels, self.gap);
        let mut y = Apart::empty(pixels_out, output.channels, self.gap);
        let mut dx = Apart::empty(pixels_in, input.channels, 3 * self.gap);
        // Gradients are added.
        let (mut dw, mut db) = (vec![1.0; weight.len()], vec![1.0; bias.len()]);
        match self.layer {
            Layer::Plain(c) => {
                let mut layer = LearnedConvolution::new(c, input.channels, isa, self.how);
                layer.set(&weight, Some(&bias));
                layer.forward(n, input, x.pixels(), y.pixels_mut());
                layer.input_gradient(n, input, dy.pixels(), dx.pixels_mut());
                layer.weight_gradient(n, input, x.pixels(), dy.pixels(), &mut dw, Some(&mut db));
            }
            Layer::Transposed(c) => {
                let mut layer = LearnedTransposed::new(c, input.channels, isa, self.how);
                layer.set(&weight, Some(&bias));
                layer.forward(n, input, x.pixels(), y.pixels_mut());
                layer.input_gradient(n, input, dy.pixels(), dx.pixels_mut());
                layer.weight_gradient(n, input, x.pixels(), dy.pixels(), &mut dw, Some(&mut db));
            }
        }
        Results { y: y.dense(), dx: dx.dense(), dw, db }
    }

    /// All sums in `f64`, term by term.
    fn naive(&self) -> Results<f64> {
        let [x, dy, weight, bias] = self.values();
        let output = self.output();
        let mut y: Vec<f64> = (0..dy.len()).map(|at| f64::from(bias[at % output.channels])).collect();
        let (mut dx, mut dw, mut db) = (vec![0.0; x.len()], vec![1.0; weight.len()], vec![1.0; bias.len()]);
        for (at, &value) in dy.iter().enumerate() {
            db[at % output.channels] += f64::from(value);
        }
        self.terms(|at_x, at_w, at_y| {
            y[at_y] += f64::from(x[at_x]) * f64::from(weight[at_w]);
            dx[at_x] += f64::from(dy[at_y]) * f64::from(weight[at_w]);
            dw[at_w] += f64::from(dy[at_y]) * f64::from(x[at_x]);
        });
        Results { y, dx, dw, db }
    }

    /// Which elements of input, weight and output meet.
    fn terms(&self, mut each: impl FnMut(usize, usize, usize)) {
        let (input, output) = (self.input, self.output());
        // In the terms of the plain convolution, which reads `wide` and gives `narrow`.
        let (conv, wide, narrow) = match self.layer {
            Layer::Plain(c) => (c, input, output),
            Layer::Transposed(c) => {
                let ConvTranspose { kernel, stride, padding, dilation, groups, .. } = c;
                (Conv { out_channels: input.channels, kernel, stride, padding, dilation, groups, bias: false }, output, input)
            }
        };
        let (ins, outs) = (wide.channels / conv.groups, conv.out_channels / conv.groups);
        let place = |pixel: usize, extent: Extent| {
            let line = pixel / extent.x;
            Axes { z: line / extent.y, y: line % extent.y, x: pixel % extent.x }
        };
        for sample in 0..self.samples {
            for pixel in 0..narrow.extent.product() {
                for tap in 0..conv.kernel.product() {
                    let at = place(pixel, narrow.extent).zip(place(tap, conv.kernel)).zip(conv.stride.zip(conv.dilation));
                    let at = at.map(|((at, tap), (stride, dilation))| at * stride + tap * dilation);
                    let at = at.zip(conv.padding).zip(wide.extent);
                    let at = at.map(|((at, padding), len)| at.checked_sub(padding.before).filter(|&at| at < len));
                    let Axes { z: Some(z), y: Some(y), x: Some(x) } = at else { continue };
                    let read = sample * wide.extent.product() + (z * wide.extent.y + y) * wide.extent.x + x;
                    let given = sample * narrow.extent.product() + pixel;
                    for out in 0..conv.out_channels {
                        for channel in 0..ins {
                            let at_wide = read * wide.channels + out / outs * ins + channel;
                            let at_narrow = given * narrow.channels + out;
                            let at_weight = (out * ins + channel) * conv.kernel.product() + tap;
                            match self.layer {
                                Layer::Plain(_) => each(at_wide, at_weight, at_narrow),
                                Layer::Transposed(_) => each(at_narrow, at_weight, at_wide),
                            }
                        }
                    }
                }
            }
        }
    }

    fn check(&self) {
        let expected = self.naive();
        let tolerance = if self.how.convolutions == Convolutions::Winograd { 3e-5 } else { 1e-5 };
        for isa in Isa::available() {
            let got = self.run(isa);
            let all = [
                ("y", &got.y, &expected.y),
                ("dx", &got.dx, &expected.dx),
                ("dw", &got.dw, &expected.dw),
                ("db", &got.db, &expected.db),
            ];
            for (name, got, expected) in all {
                let largest = expected.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
                for (index, (&got, expected)) in got.iter().zip(expected).enumerate() {
                    let error = (f64::from(got) - expected).abs();
                    assert!(
                        error <= tolerance * largest,
                        "{} {name}[{index}]: expected {expected}, got {got}: {self:?}",
                        isa.name()
                    );
                }
            }
        }
    }
}

const WINOGRAD: Conditions = Conditions { convolutions: Convolutions::Winograd, maps: Maps::Large };

/// A layer with all parameters at random, on an input that is as large as it needs and a little larger.
fn any_case(seed: u64) -> Case {
    let mut noise = Noise(seed);
    let mut axes = |planar: usize, values: &[usize]| {
        let [y, x] = [noise.of(values), noise.of(values)];
        Axes { z: if seed.is_multiple_of(3) { noise.of(values) } else { planar }, y, x }
    };
    let (kernel, stride, dilation) = (axes(1, &[1, 2, 3, 3, 4]), axes(1, &[1, 1, 2, 3]), axes(1, &[1, 1, 2]));
    let (before, after, more) = (axes(0, &[0, 1, 2]), axes(0, &[0, 1, 2]), axes(0, &[0, 1, 4, 9]));
    let output_padding = axes(0, &[0, 0, 1, 3]);
    let padding = before.zip(after).map(|(before, after)| Padding { before, after });
    let [groups, ins, outs] =
        noise.of(&[[1, 1, 33], [1, 3, 5], [1, 17, 16], [1, 5, 17], [1, 33, 3], [1, 70, 20], [3, 2, 5], [2, 17, 4], [19, 1, 1]]);
    let reach = kernel.zip(dilation).map(|(kernel, dilation)| dilation * (kernel - 1) + 1);
    let (input, out_channels) = (ins * groups, outs * groups);
    let (layer, extent) = if noise.below(3) > 0 {
        let extent =
            reach.zip(padding).zip(more).map(|((reach, padding), more)| reach.saturating_sub(padding.total()).max(1) + more);
        (Layer::Plain(Conv { out_channels, kernel, stride, padding, dilation, groups, bias: true }), extent)
    } else {
        // As much padding as leaves something of a small result.
        let padding =
            padding.zip(reach).map(|(padding, reach)| if padding.total() < reach { padding } else { Padding::default() });
        let c = ConvTranspose { out_channels, kernel, stride, padding, output_padding, dilation, groups, bias: true };
        (Layer::Transposed(c), more.map(|more| more + 1))
    };
    let how = if noise.below(2) == 0 { Conditions::DIRECT } else { WINOGRAD };
    Case { layer, samples: 1 + noise.below(3), input: Shape { channels: input, extent }, gap: noise.of(&[0, 0, 3]), how, seed }
}

fn plain(conv: Conv, samples: usize, channels: usize, height: usize, width: usize) -> Case {
    let conv = Conv { bias: true, ..conv };
    let input = Shape::planar(channels, height, width);
    Case { layer: Layer::Plain(conv), samples, input, gap: 0, how: WINOGRAD, seed: 5 }
}

/// Layers large enough for several tasks, chunks and parts.
fn large() -> Vec<Case> {
    let up = ConvTranspose {
        out_channels: 24,
        kernel: Axes::plane(2),
        stride: Axes::plane(2),
        padding: Axes::default(),
        output_padding: Axes { z: 0, y: 0, x: 0 },
        dilation: Axes::cube(1),
        groups: 1,
        bias: true,
    };
    let input = Shape::planar(40, 19, 23);
    vec![
        plain(Conv::square(64, 7).stride(2).padding(3), 2, 3, 45, 47),
        plain(Conv::square(16, 3), 2, 16, 70, 50),
        plain(Conv::square(130, 3), 3, 68, 8, 9),
        plain(Conv::square(70, 3), 3, 68, 29, 25),
        plain(Conv::square(48, 3).stride(2), 2, 32, 27, 30),
        plain(Conv::square(140, 1).stride(2), 2, 66, 9, 12),
        Case { layer: Layer::Transposed(up), samples: 2, input, gap: 5, how: WINOGRAD, seed: 9 },
    ]
}

#[test]
fn any_layer_equals_the_naive_one() {
    for seed in 0..150 {
        any_case(seed).check();
    }
}

#[test]
fn large_layers_equal_the_naive_ones() {
    for case in large() {
        case.check();
        Case { how: Conditions::DIRECT, gap: 3, ..case }.check();
    }
}

#[test]
fn threads_change_no_bit() {
    for case in large() {
        let isa = Isa::available()[0];
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| case.run(isa))
        };
        let one = on(1);
        assert!(on(2) == one && on(3) == one, "{case:?}");
    }
}

/// `<y, dy>` without the bias is both `<x, dx>` and `<w, dw>`.
#[test]
fn gradients_are_adjoint() {
    for case in large() {
        let [x, dy, weight, bias] = case.values();
        let results = case.run(Isa::available()[0]);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
        let y: Vec<f32> =
            results.y.chunks(bias.len()).flat_map(|pixel| pixel.iter().zip(&bias).map(|(y, bias)| y - bias)).collect();
        let dw: Vec<f32> = results.dw.iter().map(|dw| dw - 1.0).collect();
        let (forward, size) = (dot(&y, &dy), dot(&y, &y).sqrt() * dot(&dy, &dy).sqrt());
        assert!((forward - dot(&x, &results.dx)).abs() < 1e-6 * size, "input: {case:?}");
        assert!((forward - dot(&weight, &dw)).abs() < 1e-6 * size, "weight: {case:?}");
    }
}
