//! Learned convolutions against gradients written down naively in `f64`, on every vector unit of this machine.

use super::convolution::LearnedConvolution;
use super::transposed::LearnedTransposed;
use crate::cpu::kernels::{Conditions, Isa, Maps, Pixels, PixelsMut, WeightGradient};
use crate::split_mix::SplitMix;
use crate::windows::{transposed, windowed};
use crate::{Axes, Conv, ConvTranspose, Convolutions, Extent, Padding, Shape};

/// Choices at random.
struct Noise(SplitMix);

impl Noise {
    fn new(seed: u64) -> Self {
        Self(SplitMix::new(seed))
    }

    fn below(&mut self, end: usize) -> usize {
        (self.0.bits() % end as u64) as usize
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    fn values(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.0.symmetric() as f32).collect()
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
        let mut noise = Noise::new(self.seed);
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
    let mut noise = Noise::new(seed);
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

/// All that is computed from the input is cut off.
#[test]
fn transposed_convolutions_may_give_nothing_of_their_input() {
    for before in [2, 3] {
        let c = ConvTranspose {
            out_channels: 5,
            kernel: Axes::plane(2),
            stride: Axes::plane(4),
            padding: Axes { z: Padding::default(), y: Padding { before, after: 0 }, x: Padding { before, after: 0 } },
            output_padding: Axes { z: 0, y: 3, x: 3 },
            dilation: Axes::cube(1),
            groups: 1,
            bias: true,
        };
        for extent in [Extent::planar(1, 1), Extent::planar(1, 3)] {
            let input = Shape { channels: 3, extent };
            Case { layer: Layer::Transposed(c), samples: 2, input, gap: 2, how: Conditions::DIRECT, seed: 4 }.check();
        }
    }
}

/// Sums of many terms of the same sign: each rounds by as much as the whole is large, were it not cut into parts.
#[test]
fn long_sums_of_weights_gradients_round_little() {
    let conv = Conv::square(3, 1);
    let (samples, input) = (8, Shape::planar(2, 512, 512));
    let mut noise = Noise::new(6);
    let mut positive = |len: usize| noise.values(len).into_iter().map(|value| 1.5 + value).collect::<Vec<f32>>();
    let (x, dy) = (positive(samples * input.elements()), positive(samples * 3 * input.extent.product()));
    let pixels = || x.chunks(2).zip(dy.chunks(3));
    for isa in Isa::available() {
        let mut dw = vec![0.0; 6];
        let gradient = WeightGradient::new(&conv, 2, isa, Conditions::DIRECT);
        gradient.add(samples, input, Pixels { values: &x, stride: 2 }, Pixels { values: &dy, stride: 3 }, &mut dw);
        for (index, got) in dw.iter().enumerate() {
            let expected: f64 = pixels().map(|(x, dy)| f64::from(x[index % 2]) * f64::from(dy[index / 2])).sum();
            let error = f64::from(*got) / expected - 1.0;
            assert!(error.abs() < 5e-7, "{} dw[{index}]: {error:e}", isa.name());
        }
    }
}

/// However few the blocks.
#[test]
fn winograds_gradients_of_weights_equal_the_naive_ones() {
    let around = |before: usize, after: usize| Padding { before, after };
    let cases = [
        // Channels, outputs, padding along height and width, extent.
        (8, 8, [around(1, 1), around(1, 1)], Extent::planar(4, 4)),
        (16, 17, [around(0, 2), around(2, 1)], Extent::planar(9, 14)),
        (17, 33, [around(2, 0), around(0, 0)], Extent { z: 5, y: 7, x: 6 }),
        (70, 66, [around(0, 0), around(1, 0)], Extent { z: 2, y: 12, x: 5 }),
        (9, 130, [around(2, 2), around(0, 2)], Extent { z: 3, y: 3, x: 21 }),
    ];
    for (channels, outputs, [y, x], extent) in cases {
        let padding = Axes { z: Padding::default(), y, x };
        let conv = Conv { padding, ..Conv::square(outputs, 3) };
        for (gap, least_blocks) in [(0, 1), (3, 1), (3, 5)] {
            let input = Shape { channels, extent };
            let case = Case { layer: Layer::Plain(conv), samples: 2, input, gap, how: WINOGRAD, seed: 8 };
            let (expected, [x, dy, ..]) = (case.naive().dw, case.values());
            let (x, dy) = (Apart::new(&x, channels, 2 * gap), Apart::new(&dy, outputs, gap));
            let largest = expected.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
            for isa in Isa::available() {
                let mut dw = vec![1.0; expected.len()];
                let gradient = WeightGradient::new(&conv, channels, isa, WINOGRAD).with_least_blocks(least_blocks);
                gradient.add(2, input, x.pixels(), dy.pixels(), &mut dw);
                for (index, (&got, expected)) in dw.iter().zip(&expected).enumerate() {
                    let error = (f64::from(got) - expected).abs();
                    assert!(error <= 3e-5 * largest, "{} dw[{index}]: expected {expected}, got {got}: {case:?}", isa.name());
                }
            }
        }
    }
}
