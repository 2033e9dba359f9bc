//! The kernels against a convolution written down naively in `f64`, on every vector unit of this machine.

use proptest::prelude::*;

use super::{Convolution, Epilogue, Isa, window::Window};
use crate::{Activation, Axes, Conv, Extent, Padding, Shape};

/// A convolution to test, with what it is applied to.
#[derive(Clone, Debug)]
struct Case {
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

    fn layer(&self, isa: Isa) -> Convolution {
        Convolution::new(self.conv, self.shape.channels, &self.weight(), self.bias().as_deref(), isa)
    }

    fn run(&self, isa: Isa) -> Vec<f32> {
        // What the output held before must not matter.
        let mut output = vec![f32::NAN; self.output().product() * self.conv.out_channels];
        let residual = self.residual();
        let epilogue = Epilogue { residual: residual.as_deref(), activation: self.activation };
        self.layer(isa).run(&self.input(), self.shape, &epilogue, &mut output);
        output
    }

    /// Expected values and the sums of magnitudes that their errors are relative to.
    fn naive(&self) -> Vec<[f64; 2]> {
        let (conv, input, weight, bias, residual) = (&self.conv, self.input(), self.weight(), self.bias(), self.residual());
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
                Some(Activation::Clip { min, max }) => {
                    sum.max(min.unwrap_or(f64::NEG_INFINITY)).min(max.unwrap_or(f64::INFINITY))
                }
            };
            result.push([value, magnitude]);
        }
        result
    }

    fn check(&self, tolerance: f64) {
        let naive = self.naive();
        for isa in Isa::available() {
            for (index, (&got, [expected, magnitude])) in self.run(isa).iter().zip(&naive).enumerate() {
                let error = (f64::from(got) - expected).abs();
                assert!(error <= tolerance * magnitude, "{} at {index}: expected {expected}, got {got}", isa.name());
            }
        }
    }
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
    let geometry = (axes(1..4_usize), axes(1..4_usize), axes(padding), axes(1..3_usize), axes(0..8_usize));
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
            let extent = reach.zip(padding).zip(extra);
            let extent = extent.map(|((reach, padding), extra)| reach.saturating_sub(padding.total()).max(1) + extra);
            let conv = Conv { out_channels: group_out * groups, kernel, stride, padding, dilation, groups, bias };
            let shape = Shape { channels: group_in * groups, extent };
            Case { conv, shape, activation, residual, seed: seed.into() }
        },
    )
}

/// 3x3 layers that Winograd's algorithm takes: any extent, padding and depth.
fn winograd_case() -> impl Strategy<Value = Case> {
    let padding = (0..3_usize, 0..3_usize).prop_map(|(before, after)| Padding { before, after });
    let extent = (1..4_usize, 1..19_usize, 1..19_usize).prop_map(|(z, y, x)| Axes { z, y, x });
    ((16..80_usize, 16..90_usize), extent, (padding.clone(), padding), any::<bool>(), activation(), any::<bool>(), any::<u32>())
        .prop_map(|((inputs, outputs), extent, (pad_y, pad_x), bias, activation, residual, seed)| {
            let padding = Axes { z: Padding::default(), y: pad_y, x: pad_x };
            let extent = Axes { y: extent.y.max(3), x: extent.x.max(3), ..extent };
            let conv = Conv { padding, bias, ..Conv::square(outputs, 3) };
            Case { conv, shape: Shape { channels: inputs, extent }, activation, residual, seed: seed.into() }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_convolution_equals_the_naive_one(case in any_case()) {
        case.check(TOLERANCE);
    }

    #[test]
    fn winograd_equals_the_naive_convolution(case in winograd_case()) {
        prop_assert_eq!(case.layer(Isa::Portable).block(), 4);
        case.check(WINOGRAD_TOLERANCE);
    }
}

fn planar(conv: Conv, channels: usize, height: usize, width: usize) -> Case {
    Case { conv, shape: Shape::planar(channels, height, width), activation: Some(Activation::Relu), residual: true, seed: 7 }
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

/// Volumetric, with an activation that takes another pass.
fn volume() -> Case {
    let conv = Conv { kernel: Axes::cube(3), padding: Axes::cube(1).map(Padding::both), ..Conv::square(40, 3) };
    let shape = Shape { channels: 24, extent: Axes { z: 5, y: 14, x: 13 } };
    Case { conv, shape, activation: Some(Activation::Sigmoid), residual: true, seed: 8 }
}

#[test]
fn large_layers_equal_the_naive_ones() {
    for case in large().into_iter().chain([volume()]) {
        let winograd = case.layer(Isa::Portable).block() > 1;
        case.check(if winograd { WINOGRAD_TOLERANCE } else { TOLERANCE });
    }
}

#[test]
fn threads_change_no_bit() {
    for case in large().into_iter().chain([volume()]) {
        for isa in Isa::available() {
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
                pool.install(|| case.run(isa).into_iter().map(f32::to_bits).collect::<Vec<_>>())
            };
            let one = on(1);
            assert!(on(2) == one && on(4) == one, "{} {:?}", isa.name(), case.conv);
        }
    }
}

/// A part of the input gives the same bits as the whole wherever it shows all that a block of outputs looks at.
#[test]
fn a_crop_equals_the_whole() {
    for case in large() {
        for isa in Isa::available() {
            let (c, block, whole) = (case.conv, case.layer(isa).block(), Case { residual: false, ..case.clone() });
            // Starts on a multiple of the block in the output, ends anywhere.
            let (first, whole_out) = (Extent::planar(block, 2 * block), case.output());
            let origin = first.zip(c.stride).map(|(first, stride)| first * stride);
            let origin = Axes { z: 0, ..origin };
            let extent = Extent::planar(case.shape.extent.y - origin.y - 1, case.shape.extent.x - origin.x - 2);
            let crop = Shape { channels: case.shape.channels, extent };
            let (input, mut cropped) = (whole.input(), Vec::new());
            for y in 0..extent.y {
                let start = ((y + origin.y) * case.shape.extent.x + origin.x) * crop.channels;
                cropped.extend_from_slice(&input[start..][..extent.x * crop.channels]);
            }
            let output = Window::new(&c).output(extent);
            let mut part = vec![f32::NAN; output.product() * c.out_channels];
            let epilogue = Epilogue { residual: None, activation: case.activation };
            whole.layer(isa).run(&cropped, crop, &epilogue, &mut part);
            let whole = whole.run(isa);
            // Blocks whose inputs reach over the crop's edges differ.
            let margin = |padding: Padding, stride: usize| {
                (padding.before.max(padding.after) + block).div_ceil(stride).next_multiple_of(block)
            };
            let (margin_y, margin_x) = (margin(c.padding.y, c.stride.y), margin(c.padding.x, c.stride.x));
            let mut compared = 0;
            for y in margin_y..output.y.saturating_sub(margin_y) {
                for x in margin_x..output.x.saturating_sub(margin_x) {
                    let at = ((y + first.y) * whole_out.x + x + first.x) * c.out_channels;
                    let (whole, part) =
                        (&whole[at..][..c.out_channels], &part[(y * output.x + x) * c.out_channels..][..c.out_channels]);
                    assert!(whole.iter().zip(part).all(|(a, b)| a.to_bits() == b.to_bits()), "{} {c:?} at {x}, {y}", isa.name());
                    compared += 1;
                }
            }
            assert!(compared > 0, "{c:?}: nothing is compared");
        }
    }
}

#[test]
fn nan_stays_nan() {
    for isa in Isa::available() {
        for activation in
            [Activation::Relu, Activation::LeakyRelu { slope: 0.1 }, Activation::Clip { min: Some(0.0), max: Some(6.0) }]
        {
            let epilogue = Epilogue { residual: None, activation: Some(activation) };
            let mut output = [0.0];
            let layer = Convolution::new(Conv::square(1, 1), 2, &[1.0, 1.0], None, isa);
            layer.run(&[1.0, f32::NAN], Shape::planar(2, 1, 1), &epilogue, &mut output);
            assert!(output[0].is_nan(), "{} {activation:?}", isa.name());
        }
    }
}
