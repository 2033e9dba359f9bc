//! Resampling, separably: first along depth and height, then along width.

use rayon::prelude::*;

use super::combine::Operand;
use super::vectorised::vectorised;
use crate::cpu::kernels::{Element, Isa, PixelsMut};
use crate::resample::{Taps, taps};
use crate::{Axes, Extent, Resize, Shape};

/// Where a resampling finds its values, along each axis.
#[derive(Debug)]
pub(in crate::cpu) struct Sampling {
    taps: Axes<Vec<Taps>>,
    /// Output positions along width that lie between the same two input positions.
    runs: Vec<Run>,
    /// Of every output position along width: how much of the higher input position there is.
    fractions: Vec<f32>,
}

/// Neighbouring output positions between the same two input positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    low: usize,
    high: usize,
    end: usize,
}

impl Sampling {
    pub(in crate::cpu) fn new(resize: Resize, input: Extent, output: Extent) -> Self {
        let taps = input
            .zip(output)
            .map(|(input, output)| -> Vec<Taps> { taps(input, output, resize.interpolation, resize.coordinates).collect() });
        let mut runs: Vec<Run> = Vec::new();
        for (x, tap) in taps.x.iter().enumerate() {
            match runs.last_mut() {
                Some(run) if (run.low, run.high) == (tap.low, tap.high) => run.end = x + 1,
                _ => runs.push(Run { low: tap.low, high: tap.high, end: x + 1 }),
            }
        }
        let fractions = taps.x.iter().map(|tap| tap.fraction).collect();
        Self { taps, runs, fractions }
    }

    /// Writes the resized value.
    pub(in crate::cpu) fn run<E: Element>(&self, isa: Isa, input: Operand<'_, E>, output: PixelsMut<'_, E>) {
        let channels = input.shape.channels;
        output.par_parts(self.taps.x.len()).enumerate().for_each_init(Vec::new, |line, (row, values)| {
            self.line(isa, input, row, line);
            blend_pixels(isa, &self.taps.x, line, channels, values);
        });
    }

    /// Resamples one row along depth and height, as wide as the input.
    pub(super) fn line<E: Element>(&self, isa: Isa, input: Operand<'_, E>, row: usize, line: &mut Vec<f32>) {
        let height = self.taps.y.len();
        let (z, y) = (self.taps.z[row / height], self.taps.y[row % height]);
        let Shape { channels, extent } = input.shape;
        let at = |z: usize, y: usize| input.pixels.line(z * extent.y + y, extent.x);
        line.resize(extent.x * channels, 0.0);
        let lows = at(z.low, y.low).pieces_for(channels, line).zip(at(z.low, y.high).pieces(channels));
        let highs = at(z.high, y.low).pieces(channels).zip(at(z.high, y.high).pieces(channels));
        for (((line, low_low), low_high), (high_low, high_high)) in lows.zip(highs) {
            blend_lines(isa, [low_low, low_high, high_low, high_high], [z.fraction, y.fraction], line);
        }
    }

    /// Adds one channel of a line, resampled along width, to a row; the first one is put there.
    pub(super) fn add_channel(&self, isa: Isa, line: &[f32], from: ChannelOf, first: bool, row: &mut [f32]) {
        blend_runs(isa, &self.runs, &self.fractions, line, from, first, row);
    }
}

/// A channel among the channels of every pixel.
#[derive(Clone, Copy)]
pub(super) struct ChannelOf {
    pub(super) channel: usize,
    pub(super) channels: usize,
}

/// `(1 - fraction) * low + fraction * high`
#[expect(clippy::inline_always, reason = "it must take on the instruction set of its caller")]
#[inline(always)]
fn blend(low: f32, high: f32, fraction: f32) -> f32 {
    (1.0 - fraction) * low + fraction * high
}

vectorised! {
    /// Blends four lines: of the lower and the higher depth, that of the lower and the higher height.
    fn blend_lines<E>(lines: [&[E]; 4], fractions: [f32; 2], output: &mut [f32]) {
        let [low_low, low_high, high_low, high_high] = lines;
        let [z, y] = fractions;
        // An exact zero is no blend, so that a value far away and infinite does not matter, and nothing is read twice.
        if z == 0.0 && y == 0.0 {
            output.iter_mut().zip(low_low).for_each(|(o, a)| *o = a.to_f32());
        } else if z == 0.0 {
            output.iter_mut().zip(low_low).zip(low_high).for_each(|((o, a), b)| *o = blend(a.to_f32(), b.to_f32(), y));
        } else {
            let pairs = low_low.iter().zip(low_high).zip(high_low.iter().zip(high_high));
            output.iter_mut().zip(pairs).for_each(|(o, ((a, b), (c, d)))| {
                *o = blend(blend(a.to_f32(), c.to_f32(), z), blend(b.to_f32(), d.to_f32(), z), y);
            });
        }
    }
}

vectorised! {
    /// Resamples a line along width, all channels of a pixel at once.
    fn blend_pixels<E>(taps: &[Taps], line: &[f32], channels: usize, output: PixelsMut<'_, E>) {
        for (pixel, tap) in output.channels(channels).zip(taps) {
            let low = &line[tap.low * channels..(tap.low + 1) * channels];
            if tap.fraction == 0.0 {
                pixel.iter_mut().zip(low).for_each(|(o, a)| *o = E::new(*a));
            } else {
                let high = &line[tap.high * channels..(tap.high + 1) * channels];
                pixel.iter_mut().zip(low).zip(high).for_each(|((o, a), b)| *o = E::new(blend(*a, *b, tap.fraction)));
            }
        }
    }
}

vectorised! {
    /// Resamples one channel of a line along width, run by run.
    fn blend_runs(runs: &[Run], fractions: &[f32], line: &[f32], from: ChannelOf, first: bool, row: &mut [f32]) {
        let at = |x: usize| line[x * from.channels + from.channel];
        let mut start = 0;
        for run in runs {
            let (low, high) = (at(run.low), at(run.high));
            let blended = row[start..run.end].iter_mut().zip(&fractions[start..run.end]);
            if first {
                blended.for_each(|(sum, f)| *sum = blend(low, high, *f));
            } else {
                blended.for_each(|(sum, f)| *sum += blend(low, high, *f));
            }
            start = run.end;
        }
    }
}
