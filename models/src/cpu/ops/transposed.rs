//! Transposed convolutions as plain ones.
//!
//! The output positions that leave the same rest when divided by the stride (a phase) see the same taps of the kernel, and see the input as a
//! plain convolution with these taps does (Shi et al. 2016, arXiv 1609.07009). Phases of the same shape are computed at once, as
//! more output channels: all of them where kernel and stride are equal.

use rayon::prelude::*;

use super::activation::{Split, activate_pixels, activate_slice};
use super::combine::Operand;
use crate::cpu::kernels::{Conditions, Convolution, Element, Epilogue, Held, Isa, PixelsMut, Scratch};
use crate::windows::windowed;
use crate::{Activation, Axes, Conv, ConvTranspose, Extent, Padding, Shape};

/// A transposed convolution with packed weights.
pub(in crate::cpu) struct Transposed<E: Element> {
    parts: Vec<Part<E>>,
    kernel: Axes<usize>,
    stride: Axes<usize>,
    groups: usize,
    in_channels: usize,
    out_channels: usize,
    /// Of the phases that see no tap at all.
    untouched: Option<Vec<f32>>,
}

/// Phases that are computed by one convolution.
struct Part<E: Element> {
    convolution: Convolution<E>,
    conv: Conv,
    /// Results of the convolution before the first one that is wanted.
    skip: Axes<usize>,
    /// Its output channels are those of the first phase, then those of the second, ... within each group.
    phases: Vec<Phase>,
}

/// The output positions `at`, `at + stride`, ...
struct Phase {
    at: Axes<usize>,
    seen: Axes<Seen>,
}

/// What one phase sees along one axis.
struct Seen {
    /// Taps of the kernel, in the order of the input positions that they read.
    taps: Vec<usize>,
    dilation: usize,
    padding: Padding,
    skip: usize,
}

impl<E: Element> Transposed<E> {
    /// `weight`: `(in, out / groups, kernel z, kernel y, kernel x)`.
    pub(in crate::cpu) fn new(c: ConvTranspose, in_channels: usize, weight: &[f32], bias: Option<&[f32]>, isa: Isa) -> Self {
        let mut transposed = Self::zero(c, in_channels, isa);
        transposed.set(weight, bias);
        transposed
    }

    /// With weights and a bias of zero.
    pub(in crate::cpu) fn zero(c: ConvTranspose, in_channels: usize, isa: Isa) -> Self {
        let mut alike: Vec<Vec<Phase>> = Vec::new();
        let mut untouched = None;
        for at in positions(c.stride) {
            let Some(seen) = Seen::along_all(&c, at) else {
                untouched = Some(vec![0.0; c.out_channels]);
                continue;
            };
            let phase = Phase { at, seen };
            match alike.iter_mut().find(|phases| phases[0].is_like(&phase)) {
                Some(phases) => phases.push(phase),
                None => alike.push(vec![phase]),
            }
        }
        let parts = alike.into_iter().map(|phases| Part::zero(&c, phases, in_channels, isa)).collect();
        Self { parts, kernel: c.kernel, stride: c.stride, groups: c.groups, in_channels, out_channels: c.out_channels, untouched }
    }

    /// Packs other weights, and another bias if there is one, in the place of those before.
    pub(in crate::cpu) fn set(&mut self, weight: &[f32], bias: Option<&[f32]>) {
        if let (Some(untouched), Some(bias)) = (&mut self.untouched, bias) {
            untouched.copy_from_slice(bias);
        }
        let (kernel, groups) = (self.kernel, self.groups);
        let (ins, outs) = (self.in_channels / groups, self.out_channels / groups);
        for part in &mut self.parts {
            let phases = part.phases.len();
            let own_bias: Option<Vec<f32>> =
                bias.map(|bias| bias.chunks_exact(outs).flat_map(|bias| bias.repeat(phases)).collect());
            let size = ins * part.conv.kernel.product();
            let mut own = Scratch::take(part.conv.out_channels * size);
            let own = &mut own.as_mut_slice()[..part.conv.out_channels * size];
            own.par_chunks_exact_mut(size).enumerate().for_each(|(channel, own)| {
                let (phase, out) = (channel / outs, channel % outs);
                let (group, Phase { seen, .. }) = (phase / phases, &part.phases[phase % phases]);
                for (input, own) in own.chunks_exact_mut(part.conv.kernel.product()).enumerate() {
                    let weight = &weight[((group * ins + input) * outs + out) * kernel.product()..][..kernel.product()];
                    let lines = seen.z.taps.iter().flat_map(|z| seen.y.taps.iter().map(move |y| z * kernel.y + y));
                    let taps = lines.flat_map(|line| seen.x.taps.iter().map(move |x| line * kernel.x + x));
                    own.iter_mut().zip(taps).for_each(|(to, tap)| *to = weight[tap]);
                }
            });
            part.convolution.set(own, own_bias.as_deref());
        }
    }

    /// Bytes of the packed weights.
    pub(in crate::cpu) fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.convolution.bytes()).sum()
    }

    /// Values that [`Transposed::run`] needs room for, beside input and output.
    pub(in crate::cpu) fn scratch(&self, input: Extent) -> usize {
        let sizes = self.parts.iter().map(|part| part.extent(input).map_or(0, |e| e.product() * part.conv.out_channels));
        sizes.max().unwrap_or(0)
    }

    /// What its convolutions hold while they run.
    pub(in crate::cpu) fn held(&self, input: Shape, threads: usize) -> Held {
        self.parts.iter().map(|part| part.convolution.held(input, threads)).fold(Held::default(), Held::most)
    }

    /// Writes the result, which is `extent` large.
    pub(in crate::cpu) fn run(
        &self,
        isa: Isa,
        input: Operand<'_, E>,
        activation: Option<Activation>,
        scratch: &mut [E],
        (mut output, extent): (PixelsMut<'_, E>, Extent),
    ) {
        let Operand { pixels: input, shape } = input;
        let Split { inside: activation, after } = Split::of(activation);
        if let Some(bias) = &self.untouched {
            let mut pixel: Vec<E> = bias.iter().map(|&bias| E::new(bias)).collect();
            if let Some(activation) = activation {
                activate_slice(isa, activation, &mut pixel);
            }
            let rows = output.reborrow().par_parts(extent.x);
            rows.for_each(|row| row.channels(pixel.len()).for_each(|to| to.copy_from_slice(&pixel)));
        }
        for part in &self.parts {
            // An output so small that it has no position of these phases.
            let Some(own) = part.extent(shape.extent) else { continue };
            let results = &mut scratch[..own.product() * part.conv.out_channels];
            let dense = PixelsMut { values: &mut *results, stride: part.conv.out_channels };
            part.convolution.run(input, shape, &Epilogue { residual: None, activation }, dense);
            self.scatter(part, results, own, output.reborrow(), extent);
        }
        if let Some(after) = after {
            activate_pixels(isa, after, self.out_channels, output);
        }
    }

    /// Puts the results of each phase in their places.
    fn scatter(&self, part: &Part<E>, results: &[E], own: Extent, output: PixelsMut<'_, E>, extent: Extent) {
        let (stride, count) = (self.stride, self.out_channels / self.groups);
        output.par_parts(extent.x).enumerate().for_each(|(row, mut row_pixels)| {
            let at = Axes { z: row / extent.y, y: row % extent.y, x: 0 };
            for (place, phase) in part.phases.iter().enumerate() {
                if (at.z % stride.z, at.y % stride.y) != (phase.at.z, phase.at.y) {
                    continue;
                }
                let line = (at.z / stride.z + part.skip.z) * own.y + at.y / stride.y + part.skip.y;
                let line = &results[(line * own.x + part.skip.x) * part.conv.out_channels..];
                let pixels = row_pixels.reborrow().channels(self.out_channels).skip(phase.at.x).step_by(stride.x);
                for (pixel, result) in pixels.zip(line.chunks_exact(part.conv.out_channels)) {
                    for (group, channels) in pixel.chunks_exact_mut(count).enumerate() {
                        channels.copy_from_slice(&result[(group * part.phases.len() + place) * count..][..count]);
                    }
                }
            }
        });
    }
}

impl<E: Element> Part<E> {
    /// One convolution for phases that are alike, with weights and a bias of zero.
    fn zero(c: &ConvTranspose, phases: Vec<Phase>, in_channels: usize, isa: Isa) -> Self {
        let Axes { z, y, x } = &phases[0].seen;
        let conv = Conv {
            out_channels: c.out_channels * phases.len(),
            kernel: Axes { z: z.taps.len(), y: y.taps.len(), x: x.taps.len() },
            stride: Axes::cube(1),
            padding: Axes { z: z.padding, y: y.padding, x: x.padding },
            dilation: Axes { z: z.dilation, y: y.dilation, x: x.dilation },
            groups: c.groups,
            bias: c.bias,
        };
        let skip = Axes { z: z.skip, y: y.skip, x: x.skip };
        Self { convolution: Convolution::zero(conv, in_channels, isa, Conditions::DIRECT), conv, skip, phases }
    }

    /// The extent of the convolution's result.
    fn extent(&self, input: Extent) -> Option<Extent> {
        let Conv { kernel, stride, padding, dilation, .. } = self.conv;
        windowed(input, kernel, stride, padding, dilation)
    }
}

impl Seen {
    /// What the output positions `at`, `at + stride`, ... see along every axis; `None` if there is an axis along which they see nothing.
    fn along_all(c: &ConvTranspose, at: Axes<usize>) -> Option<Axes<Self>> {
        Some(Axes {
            z: Self::along(c.kernel.z, c.stride.z, c.dilation.z, c.padding.z, c.output_padding.z, at.z)?,
            y: Self::along(c.kernel.y, c.stride.y, c.dilation.y, c.padding.y, c.output_padding.y, at.y)?,
            x: Self::along(c.kernel.x, c.stride.x, c.dilation.x, c.padding.x, c.output_padding.x, at.x)?,
        })
    }

    fn along(kernel: usize, stride: usize, dilation: usize, cut: Padding, added: usize, phase: usize) -> Option<Self> {
        let [stride, wide] = [stride as i64, (phase + cut.before) as i64];
        // Output position `phase + stride * j` reads input position `j + offset`.
        let offset = |tap: usize| {
            let distance = wide - (tap * dilation) as i64;
            (distance.rem_euclid(stride) == 0).then(|| distance.div_euclid(stride))
        };
        let (taps, offsets): (Vec<usize>, Vec<i64>) = (0..kernel).rev().filter_map(|tap| Some((tap, offset(tap)?))).unzip();
        let (first, last) = (*offsets.first()?, *offsets.last()?);
        // The phase has so many positions more than the input: the full result is `stride * (input - 1) + dilation * (kernel - 1) + 1` long.
        let rest = (dilation * (kernel - 1) + 1 + added) as i64 - cut.total() as i64 - phase as i64 - stride;
        let more = -(-rest).div_euclid(stride);
        let positive = |n: i64| usize::try_from(n).unwrap_or(0);
        Some(Self {
            taps,
            dilation: offsets.get(1).map_or(1, |second| positive(second - first)),
            padding: Padding { before: positive(-first), after: positive(more + last) },
            skip: positive(first),
        })
    }

    fn is_like(&self, other: &Self) -> bool {
        let shape = |seen: &Self| (seen.taps.len(), seen.dilation, seen.padding, seen.skip);
        shape(self) == shape(other)
    }
}

impl Phase {
    /// Whether one convolution can compute both.
    fn is_like(&self, other: &Self) -> bool {
        let (own, other) = (&self.seen, &other.seen);
        own.z.is_like(&other.z) && own.y.is_like(&other.y) && own.x.is_like(&other.x)
    }
}

/// All positions of an extent.
fn positions(extent: Extent) -> impl Iterator<Item = Axes<usize>> {
    (0..extent.product()).map(move |i| Axes { z: i / (extent.y * extent.x), y: i / extent.x % extent.y, x: i % extent.x })
}
