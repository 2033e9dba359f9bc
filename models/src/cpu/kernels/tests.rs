//! The kernels against a convolution written down naively in `f64`, on every vector unit of this machine.

use proptest::prelude::*;

use super::{Bf16, Conditions, Convolution, Element, Epilogue, Isa, Maps, Pixels, PixelsMut, window::Window, winograd};
use crate::{Activation, Axes, Conv, Convolutions, Extent, Padding, Shape};

/// A convolution to test, with what it is applied to.
#[derive(Clone, Debug)]
struct Case {
    how: Conditions,
    conv: Conv,
    shape: Shape,
    activation: Option<Activation>,
    residual: bool,
    seed: u64,
}

/// Values in -1..1 that any seed gives again (splitmix64, Steele et al. 2014).
fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mix = |index: usize| {
        let mut x = seed.wrapping_add((index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) >> 40
    };
    (0..len).map(|index| mix(index) as f32 / (1 << 23) as f32 - 1.0).collect()
}

impl Case {
    fn weight(&self) -> Vec<f32> {
        noise(self.conv.out_channels * (self.shape.channels / self.conv.groups) * self.conv.kernel.product(), self.seed + 1)
    }

    fn bias(&self) -> Option<Vec<f32>> {
        self.conv.bias.then(|| noise(self.conv.out_channels, self.seed + 2))
    }

    fn input(&self) -> Vec<f32> {
        noise(self.shape.elements(), self.seed + 3)
    }

    fn output(&self) -> Extent {
        Window::new(&self.conv).output(self.shape.extent)
    }

    fn residual(&self) -> Option<Vec<f32>> {
        self.residual.then(|| noise(self.output().product() * self.conv.out_channels, self.seed + 4))
    }

    /// Whether Winograd's algorithm may be used.
    fn is_winograd(&self) -> bool {
        self.how.convolutions == Convolutions::Winograd && winograd::fits(&self.conv, self.shape.channels)
    }

    /// Whether the weights are kept in `f32`, whatever the elements.
    fn keeps_weights<E: Element>(&self) -> bool {
        let depthwise = self.conv.groups == self.shape.channels && self.conv.out_channels == self.shape.channels;
        depthwise || self.is_winograd() && (E::CHANNELS == 1 || self.how.maps == Maps::Large)
    }

    fn layer<E: Element>(&self, isa: Isa) -> Convolution<E> {
        Convolution::new(self.conv, self.shape.channels, &self.weight(), self.bias().as_deref(), isa, self.how)
    }

    fn run<E: Element>(&self, isa: Isa) -> Vec<E> {
        self.run_apart(isa, 0)
    }

    /// Runs with so many more values between the pixels of the output, twice as many between those of the input, and three times as many between
    /// those of the residual.
    fn run_apart<E: Element>(&self, isa: Isa, gap: usize) -> Vec<E> {
        let (channels, out_channels) = (self.shape.channels, self.conv.out_channels);
        // What the output held before must not matter.
        let mut output = apart(&elements(&vec![f32::NAN; self.output().product() * out_channels]), out_channels, gap);
        let residual = self.residual().map(|residual| apart(&elements::<E>(&residual), out_channels, 3 * gap));
        let residual = residual.as_ref().map(|values| Pixels { values, stride: out_channels + 3 * gap });
        let epilogue = Epilogue { residual, activation: self.activation };
        let input = apart(&elements(&self.input()), channels, 2 * gap);
        let input = Pixels { values: &input, stride: channels + 2 * gap };
        let stride = out_channels + gap;
        self.layer(isa).run(input, self.shape, &epilogue, PixelsMut { values: &mut output, stride });
        let others = output.chunks(stride).flat_map(|pixel| &pixel[out_channels..]);
        assert!(
            others.into_iter().all(|other| other.to_f32().to_bits() == OTHER.to_bits()),
            "what lies between the pixels is lost"
        );
        output.chunks(stride).flat_map(|pixel| pixel[..out_channels].to_vec()).collect()
    }

    /// Expected values and the sums of magnitudes that their errors are relative to, for inputs and weights that are rounded to elements; the
    /// weights of some methods are not.
    fn naive<E: Element>(&self) -> Vec<[f64; 2]> {
        let weight = if self.keeps_weights::<E>() { self.weight() } else { rounded::<E>(&self.weight()) };
        let (conv, input, bias) = (&self.conv, rounded::<E>(&self.input()), self.bias());
        let residual = self.residual().map(|residual| rounded::<E>(&residual));
        let (extent, output, channels) = (self.shape.extent, self.output(), self.shape.channels);
        let (group_in, group_out) = (channels / conv.groups, conv.out_channels / conv.groups);
        let at = |output: usize, tap: usize, stride: usize, dilation: usize, padding: Padding, len: usize| {
            (output * stride + tap * dilation).checked_sub(padding.before).filter(|&at| at < len)
        };
        let mut result = Vec::new();
        for index in 0..output.product() * conv.out_channels {
            let (pixel, out) = (index / conv.out_channels, index % conv.out_channels);
            let (line, ox) = (pixel / output.x, pixel % output.x);
            let (oz, oy) = (line / output.y, line % output.y);
            // A sigmoid rounds relative to its own size, which is at most 1.
            let (mut sum, mut magnitude) = (0.0, if self.activation == Some(Activation::Sigmoid) { 1.0 } else { 1e-6 });
            for tap in 0..conv.kernel.product() {
                let (line, tx) = (tap / conv.kernel.x, tap % conv.kernel.x);
                let (tz, ty) = (line / conv.kernel.y, line % conv.kernel.y);
                let Some(z) = at(oz, tz, conv.stride.z, conv.dilation.z, conv.padding.z, extent.z) else { continue };
                let Some(y) = at(oy, ty, conv.stride.y, conv.dilation.y, conv.padding.y, extent.y) else { continue };
                let Some(x) = at(ox, tx, conv.stride.x, conv.dilation.x, conv.padding.x, extent.x) else { continue };
                for input_channel in 0..group_in {
                    let value =
                        input[((z * extent.y + y) * extent.x + x) * channels + out / group_out * group_in + input_channel];
                    let term =
                        f64::from(value) * f64::from(weight[(out * group_in + input_channel) * conv.kernel.product() + tap]);
                    sum += term;
                    magnitude += term.abs();
                }
            }
            for term in
                [bias.as_ref().map(|bias| bias[out]), residual.as_ref().map(|residual| residual[index])].into_iter().flatten()
            {
                sum += f64::from(term);
                magnitude += f64::from(term).abs();
            }
            let value = match self.activation {
                None => sum,
                Some(Activation::Relu) => sum.max(0.0),
                Some(Activation::LeakyRelu { slope }) => {
                    if sum < 0.0 {
                        sum * slope
                    } else {
                        sum
                    }
                }
                Some(Activation::Sigmoid) => 1.0 / (1.0 + (-sum).exp()),
                Some(Activation::HardSigmoid | Activation::HardSwish | Activation::Silu) => unreachable!("left to the caller"),
                Some(Activation::Clip { min, max }) => {
                    sum.max(min.unwrap_or(f64::NEG_INFINITY)).min(max.unwrap_or(f64::INFINITY))
                }
            };
            result.push([value, magnitude]);
        }
        result
    }

    /// Compares with the naive convolution, on every vector unit.
    fn check<E: Element>(&self) {
        // The results themselves are rounded, too: by half a unit in the last of so many places, a sigmoid's argument before it.
        let places = if size_of::<E>() == size_of::<f32>() { 24 } else { 8 };
        let argument = if self.activation == Some(Activation::Sigmoid) { 0.25 } else { 0.0 };
        let naive = self.naive::<E>();
        let tolerance = if self.is_winograd() { WINOGRAD_TOLERANCE } else { TOLERANCE };
        for isa in Isa::available() {
            let results = self.run::<E>(isa);
            let same = |(a, b): (&E, &E)| a.to_f32().to_bits() == b.to_f32().to_bits();
            assert!(
                results.iter().zip(&self.run_apart::<E>(isa, 3)).all(same),
                "{}: other bits where pixels lie apart",
                isa.name()
            );
            for (index, (&got, [expected, magnitude])) in results.iter().zip(&naive).enumerate() {
                let (got, allowed) = (got.to_f32(), tolerance * magnitude + (expected.abs() + argument) * 0.5_f64.powi(places));
                let error = (f64::from(got) - expected).abs();
                assert!(error <= allowed, "{} {:?} at {index}: expected {expected}, got {got}", isa.name(), self.how);
            }
        }
    }
}

/// What lies between pixels: nothing that a result may depend on.
const OTHER: f32 = f32::INFINITY;

/// Values with so many others between the pixels.
fn apart<E: Element>(values: &[E], channels: usize, gap: usize) -> Vec<E> {
    let mut apart = Vec::new();
    for pixel in values.chunks(channels) {
        apart.extend_from_slice(pixel);
        apart.resize(apart.len() + gap, E::new(OTHER));
    }
    apart.truncate(apart.len() - gap);
    apart
}

fn elements<E: Element>(values: &[f32]) -> Vec<E> {
    values.iter().map(|&value| E::new(value)).collect()
}

fn rounded<E: Element>(values: &[f32]) -> Vec<f32> {
    values.iter().map(|&value| E::new(value).to_f32()).collect()
}

/// Exact to rounding: sums of up to some thousand terms.
const TOLERANCE: f64 = 1e-5;
/// Winograd's transforms add and subtract values larger than the result.
const WINOGRAD_TOLERANCE: f64 = 3e-5;

fn axes<T: Clone + std::fmt::Debug>(value: impl Strategy<Value = T> + Clone) -> impl Strategy<Value = Axes<T>> {
    (value.clone(), value.clone(), value).prop_map(|(z, y, x)| Axes { z, y, x })
}

fn activation() -> impl Strategy<Value = Option<Activation>> {
    prop_oneof![
        Just(None),
        Just(Some(Activation::Relu)),
        Just(Some(Activation::LeakyRelu { slope: 0.01 })),
        Just(Some(Activation::Sigmoid)),
        Just(Some(Activation::Clip { min: Some(-0.5), max: Some(1.5) })),
        Just(Some(Activation::Clip { min: None, max: Some(0.25) })),
    ]
}

/// All parameters at random; channels per group are no multiple of anything.
fn any_case() -> impl Strategy<Value = Case> {
    let padding = (0..3_usize, 0..3_usize).prop_map(|(before, after)| Padding { before, after });
    let groups = prop_oneof![3 => Just([1, 1, 1]), 1 => Just([3, 1, 1]), 1 => Just([37, 0, 0]), 1 => Just([2, 9, 0])];
    let geometry = (axes(1..4_usize), axes(1..4_usize), axes(padding), axes(1..3_usize), (0..5_usize, 0..6_usize, 0..20_usize));
    let channels = (groups, 1..40_usize, 1..90_usize);
    (geometry, channels, any::<bool>(), activation(), any::<bool>(), any::<u32>()).prop_map(
        |(
            (kernel, stride, padding, dilation, extra),
            ([groups, fixed, _], inputs, outputs),
            bias,
            activation,
            residual,
            seed,
        )| {
            let (group_in, group_out) = match (groups, fixed) {
                (1, _) => (inputs, outputs),
                (37, _) => (1, 1),
                (_, 1) => (inputs % 5 + 1, outputs % 20 + 1),
                (_, fixed) => (fixed, outputs % 3 + 1),
            };
            let reach = kernel.zip(dilation).map(|(kernel, dilation)| dilation * (kernel - 1) + 1);
            let extra = Axes { z: extra.0, y: extra.1, x: extra.2 };
            let extent = reach.zip(padding).zip(extra);
            let extent = extent.map(|((reach, padding), extra)| reach.saturating_sub(padding.total()).max(1) + extra);
            let conv = Conv { out_channels: group_out * groups, kernel, stride, padding, dilation, groups, bias };
            let shape = Shape { channels: group_in * groups, extent };
            Case { how: Conditions::DIRECT, conv, shape, activation, residual, seed: seed.into() }
        },
    )
}

/// 3x3 layers that Winograd's algorithm takes: any extent, padding and depth.
fn winograd_case() -> impl Strategy<Value = Case> {
    let padding = (0..3_usize, 0..3_usize).prop_map(|(before, after)| Padding { before, after });
    let extent = (1..4_usize, 1..19_usize, 1..19_usize).prop_map(|(z, y, x)| Axes { z, y, x });
    let maps = prop_oneof![Just(Maps::Small), Just(Maps::Large)];
    let channels = (16..80_usize, 16..90_usize);
    (maps, channels, extent, (padding.clone(), padding), any::<bool>(), activation(), any::<bool>(), any::<u32>()).prop_map(
        |(maps, (inputs, outputs), extent, (pad_y, pad_x), bias, activation, residual, seed)| {
            let padding = Axes { z: Padding::default(), y: pad_y, x: pad_x };
            let extent = Axes { y: extent.y.max(3), x: extent.x.max(3), ..extent };
            let conv = Conv { padding, bias, ..Conv::square(outputs, 3) };
            let shape = Shape { channels: inputs, extent };
            Case {
                how: Conditions { convolutions: Convolutions::Winograd, maps },
                conv,
                shape,
                activation,
                residual,
                seed: seed.into(),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_convolution_equals_the_naive_one(case in any_case()) {
        case.check::<f32>();
        case.check::<Bf16>();
    }

    #[test]
    fn winograd_equals_the_naive_convolution(case in winograd_case()) {
        prop_assert!(case.is_winograd());
        case.check::<f32>();
        case.check::<Bf16>();
    }
}

fn planar(conv: Conv, channels: usize, height: usize, width: usize) -> Case {
    let shape = Shape::planar(channels, height, width);
    Case { how: Conditions::DIRECT, conv, shape, activation: Some(Activation::Relu), residual: true, seed: 7 }
}

/// One layer of every kind, large enough for several jobs per thread and for sums in several parts.
fn large() -> Vec<Case> {
    vec![
        planar(Conv::square(64, 7).stride(2).padding(3), 3, 65, 67),
        planar(Conv::square(70, 3).dilation(2), 33, 31, 29),
        planar(Conv::square(6, 1).biased(), 3000, 13, 17),
        planar(Conv::square(20, 3).stride(2), 700, 9, 11),
        planar(Conv::square(52, 5).groups(52), 52, 37, 41),
        planar(Conv::square(70, 3), 40, 46, 51),
        planar(Conv::square(130, 3), 140, 26, 31),
    ]
}

/// Those that Winograd's algorithm takes, and a volume with an activation that takes another pass.
fn large_in_blocks() -> Vec<Case> {
    let shape = Shape { channels: 24, extent: Axes { z: 5, y: 14, x: 13 } };
    let volume = Case { shape, activation: Some(Activation::Sigmoid), ..planar(Conv::square(40, 3), 24, 14, 13) };
    let cases = large().into_iter().chain([volume]);
    let how = [Maps::Small, Maps::Large].map(|maps| Conditions { convolutions: Convolutions::Winograd, maps });
    let cases = cases.flat_map(|case| how.map(|how| Case { how, ..case.clone() }));
    cases.filter(Case::is_winograd).collect()
}

#[test]
fn large_layers_equal_the_naive_ones() {
    assert_eq!(large_in_blocks().len(), 6);
    for case in large().into_iter().chain(large_in_blocks()) {
        case.check::<f32>();
        case.check::<Bf16>();
    }
}

fn check_threads<E: Element + PartialEq>(case: &Case, isa: Isa) {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| case.run::<E>(isa))
    };
    let one = on(1);
    assert!(on(2) == one && on(4) == one, "{} {:?} {:?}", isa.name(), case.how, case.conv);
}

#[test]
fn threads_change_no_bit() {
    for case in large().into_iter().chain(large_in_blocks()) {
        for isa in Isa::available() {
            check_threads::<f32>(&case, isa);
            check_threads::<Bf16>(&case, isa);
        }
    }
}

/// A part of the input gives the same bits as the whole wherever it shows all that an output looks at.
#[test]
fn a_crop_equals_the_whole() {
    for case in large() {
        for isa in Isa::available() {
            check_crop::<f32>(&case, isa);
            check_crop::<Bf16>(&case, isa);
        }
    }
}

fn check_crop<E: Element + PartialEq>(case: &Case, isa: Isa) {
    let (c, whole) = (case.conv, Case { residual: false, ..case.clone() });
    let (first, whole_out) = (Extent::planar(1, 2), case.output());
    let origin = first.zip(c.stride).map(|(first, stride)| first * stride);
    let origin = Axes { z: 0, ..origin };
    let extent = Extent::planar(case.shape.extent.y - origin.y - 1, case.shape.extent.x - origin.x - 2);
    let crop = Shape { channels: case.shape.channels, extent };
    let (input, mut cropped) = (elements::<E>(&whole.input()), Vec::new());
    for y in 0..extent.y {
        let start = ((y + origin.y) * case.shape.extent.x + origin.x) * crop.channels;
        cropped.extend_from_slice(&input[start..][..extent.x * crop.channels]);
    }
    let output = Window::new(&c).output(extent);
    let mut part = elements(&vec![f32::NAN; output.product() * c.out_channels]);
    let epilogue = Epilogue { residual: None, activation: case.activation };
    let input = Pixels { values: &cropped, stride: crop.channels };
    whole.layer::<E>(isa).run(input, crop, &epilogue, PixelsMut { values: &mut part, stride: c.out_channels });
    let whole = whole.run::<E>(isa);
    // Outputs that see the zeros around the crop differ.
    let margin = |padding: Padding, stride: usize| (padding.before.max(padding.after) + 1).div_ceil(stride);
    let (margin_y, margin_x) = (margin(c.padding.y, c.stride.y), margin(c.padding.x, c.stride.x));
    let mut compared = 0;
    for y in margin_y..output.y.saturating_sub(margin_y) {
        for x in margin_x..output.x.saturating_sub(margin_x) {
            let at = ((y + first.y) * whole_out.x + x + first.x) * c.out_channels;
            let (whole, part) = (&whole[at..][..c.out_channels], &part[(y * output.x + x) * c.out_channels..][..c.out_channels]);
            assert!(whole == part, "{} {c:?} at {x}, {y}", isa.name());
            compared += 1;
        }
    }
    assert!(compared > 0, "{c:?}: nothing is compared");
}

#[test]
fn nan_stays_nan() {
    for isa in Isa::available() {
        for activation in
            [Activation::Relu, Activation::LeakyRelu { slope: 0.1 }, Activation::Clip { min: Some(0.0), max: Some(6.0) }]
        {
            let epilogue = Epilogue { residual: None, activation: Some(activation) };
            let mut output = [0.0];
            let layer = Convolution::<f32>::new(Conv::square(1, 1), 2, &[1.0, 1.0], None, isa, Conditions::DIRECT);
            let input = Pixels { values: &[1.0, f32::NAN], stride: 2 };
            layer.run(input, Shape::planar(2, 1, 1), &epilogue, PixelsMut { values: &mut output, stride: 1 });
            assert!(output[0].is_nan(), "{} {activation:?}", isa.name());
        }
    }
}
