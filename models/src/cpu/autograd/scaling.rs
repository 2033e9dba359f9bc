//! Scaling per channel, by learned factors or by the batch's own mean and variance, and its gradient.

use rayon::prelude::*;

use super::columns::sum_columns;
use super::element_wise::chunk;
use super::mask::Mask;
use crate::Activation;
use crate::cpu::kernels::{Isa, Pixels, PixelsMut};
use crate::cpu::ops::vectorised;

/// `(x - mean) * scale + bias` per channel, and a function of it.
#[derive(Debug)]
pub(super) struct Scaling {
    pub(super) mean: Vec<f32>,
    pub(super) scale: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) activation: Option<Activation>,
}

/// Of one channel, over samples and positions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GradientSums {
    /// Sum of the gradient with respect to the scaled value.
    pub(super) plain: f64,
    /// Sum of its products with `x - mean`.
    pub(super) centred: f64,
}

/// What the gradient with respect to `x` is made of, per channel: `scale * gradient + slope * (x - mean) + shift`.
#[derive(Debug)]
pub(super) struct Backward {
    pub(super) slope: Vec<f32>,
    pub(super) shift: Vec<f32>,
}

impl Scaling {
    fn channels(&self) -> usize {
        self.mean.len()
    }

    /// Writes the scaled values.
    pub(super) fn run(&self, isa: Isa, x: Pixels<'_, f32>, y: PixelsMut<'_, f32>) {
        let (pixels, factors) = (chunk(self.channels()), Factors::new(self));
        y.par_parts(pixels).enumerate().for_each(|(at, y)| scale_pixels(isa, &factors, x.line(at, pixels), y));
    }

    /// What the gradients of the factors are made of.
    pub(super) fn gradient_sums(&self, isa: Isa, x: Pixels<'_, f32>, dy: Pixels<'_, f32>) -> Vec<GradientSums> {
        let channels = self.channels();
        let pixels = chunk(channels);
        let count = x.values.len().div_ceil(x.stride);
        let pieces: Vec<Vec<[f32; 2]>> = (0..count.div_ceil(pixels))
            .into_par_iter()
            .map(|at| {
                let mut sums = vec![[0.0; 2]; channels];
                gradient_sums(isa, self, x.line(at, pixels), dy.line(at, pixels), &mut sums);
                sums
            })
            .collect();
        let mut all = vec![GradientSums::default(); channels];
        for piece in pieces {
            for (all, [plain, centred]) in all.iter_mut().zip(piece) {
                all.plain += f64::from(plain);
                all.centred += f64::from(centred);
            }
        }
        all
    }

    /// Writes the gradient with respect to `x`.
    pub(super) fn input_gradient(
        &self,
        isa: Isa,
        backward: &Backward,
        x: Pixels<'_, f32>,
        dy: Pixels<'_, f32>,
        dx: PixelsMut<'_, f32>,
    ) {
        let (pixels, factors) = (chunk(self.channels()), Factors::backward(self, backward));
        let parts = dx.par_parts(pixels).enumerate();
        parts.for_each(|(at, dx)| input_gradient(isa, &factors, x.line(at, pixels), dy.line(at, pixels), dx));
    }

    /// The same in the place of the gradient with respect to the result.
    pub(super) fn input_gradient_in_place(&self, isa: Isa, backward: &Backward, x: Pixels<'_, f32>, dy: PixelsMut<'_, f32>) {
        let (pixels, factors) = (chunk(self.channels()), Factors::backward(self, backward));
        let parts = dy.par_parts(pixels).enumerate();
        parts.for_each(|(at, dy)| input_gradient_in_place(isa, &factors, x.line(at, pixels), dy));
    }

    /// How a gradient passes the activation.
    fn mask(&self) -> Mask {
        self.activation.and_then(Mask::of).unwrap_or(Mask::NONE)
    }
}

/// Values over which loops with factors per channel go at once, at least: with few channels, several pixels.
const RUN: usize = 128;

/// Factors per channel, repeated for as many pixels as a loop goes over.
pub(super) struct Factors {
    channels: usize,
    pixels: usize,
    mean: Vec<f32>,
    scale: Vec<f32>,
    bias: Vec<f32>,
    slope: Vec<f32>,
    shift: Vec<f32>,
    activation: Option<Activation>,
    mask: Mask,
}

impl Factors {
    fn new(scaling: &Scaling) -> Self {
        Self::backward(scaling, &Backward { slope: Vec::new(), shift: Vec::new() })
    }

    fn backward(scaling: &Scaling, backward: &Backward) -> Self {
        let channels = scaling.channels();
        let pixels = RUN.div_ceil(channels);
        Self {
            channels,
            pixels,
            mean: scaling.mean.repeat(pixels),
            scale: scaling.scale.repeat(pixels),
            bias: scaling.bias.repeat(pixels),
            slope: backward.slope.repeat(pixels),
            shift: backward.shift.repeat(pixels),
            activation: scaling.activation,
            mask: scaling.mask(),
        }
    }

    /// Pixels that a loop goes over at once: several only where nothing lies between them in any array.
    #[inline]
    fn pixels(&self, strides: &[usize]) -> usize {
        if strides.iter().all(|stride| *stride == self.channels) { self.pixels } else { 1 }
    }
}

/// Calls `f` with runs of two arrays as long as factors are.
#[expect(clippy::inline_always, reason = "it must take on the instruction set of its caller")]
#[inline(always)]
fn runs(factors: &Factors, x: Pixels<'_, f32>, y: PixelsMut<'_, f32>, f: impl Fn(&[f32], &mut [f32])) {
    let pixels = factors.pixels(&[x.stride, y.stride]);
    let length = pixels * factors.channels;
    let PixelsMut { values, stride } = y;
    for (y, x) in values.chunks_mut(pixels * stride).zip(x.values.chunks(pixels * x.stride)) {
        let length = length.min(y.len());
        f(&x[..length], &mut y[..length]);
    }
}

/// Writes what `f` makes of every scaled value.
#[expect(clippy::inline_always, reason = "it must take on the instruction set of its caller")]
#[inline(always)]
fn scale_each(factors: &Factors, x: Pixels<'_, f32>, y: PixelsMut<'_, f32>, f: impl Fn(f32) -> f32) {
    runs(factors, x, y, |x, y| {
        let factors = factors.mean.iter().zip(&factors.scale).zip(&factors.bias);
        for ((y, x), ((mean, scale), bias)) in y.iter_mut().zip(x).zip(factors) {
            *y = f((x - mean) * scale + bias);
        }
    });
}

vectorised! {
    /// Compares as the operator for activations does.
    fn scale_pixels(factors: &Factors, x: Pixels<'_, f32>, y: PixelsMut<'_, f32>) {
        match factors.activation {
            Some(Activation::Relu) => scale_each(factors, x, y, |v| if v < 0.0 { 0.0 } else { v }),
            Some(Activation::LeakyRelu { slope }) => {
                let slope = slope as f32;
                scale_each(factors, x, y, |v| if v > 0.0 { v } else { slope * v });
            }
            Some(Activation::Clip { min, max }) => {
                let (min, max) = (min.map_or(f32::NEG_INFINITY, |m| m as f32), max.map_or(f32::INFINITY, |m| m as f32));
                scale_each(factors, x, y, |v| {
                    let v = if v < min { min } else { v };
                    if v > max { max } else { v }
                });
            }
            // Others are steps of their own.
            None | Some(Activation::Sigmoid | Activation::HardSigmoid | Activation::HardSwish | Activation::Silu) => {
                scale_each(factors, x, y, |v| v);
            }
        }
    }
}

/// The gradient with respect to one value.
#[expect(clippy::inline_always, reason = "it must take on the instruction set of its caller")]
#[inline(always)]
fn gradient_of(mask: Mask, x: f32, dy: f32, [mean, scale, bias, slope, shift]: [f32; 5]) -> f32 {
    let centred = x - mean;
    scale * mask.pass(centred * scale + bias, dy) + (slope * centred + shift)
}

vectorised! {
    fn input_gradient(factors: &Factors, x: Pixels<'_, f32>, dy: Pixels<'_, f32>, dx: PixelsMut<'_, f32>) {
        let Factors { channels, mean, scale, bias, slope, shift, mask, .. } = factors;
        let pixels = factors.pixels(&[x.stride, dy.stride, dx.stride]);
        let inputs = x.values.chunks(pixels * x.stride).zip(dy.values.chunks(pixels * dy.stride));
        for (dx, (x, dy)) in dx.values.chunks_mut(pixels * dx.stride).zip(inputs) {
            let length = (pixels * channels).min(dx.len());
            let factors = mean.iter().zip(scale).zip(bias).zip(slope).zip(shift);
            let values = dx[..length].iter_mut().zip(&x[..length]).zip(&dy[..length]);
            for (((dx, x), dy), ((((mean, scale), bias), slope), shift)) in values.zip(factors) {
                *dx = gradient_of(*mask, *x, *dy, [*mean, *scale, *bias, *slope, *shift]);
            }
        }
    }
}

vectorised! {
    fn input_gradient_in_place(factors: &Factors, x: Pixels<'_, f32>, dy: PixelsMut<'_, f32>) {
        let Factors { mean, scale, bias, slope, shift, mask, .. } = factors;
        runs(factors, x, dy, |x, dy| {
            let factors = mean.iter().zip(scale).zip(bias).zip(slope).zip(shift);
            for ((dy, x), ((((mean, scale), bias), slope), shift)) in dy.iter_mut().zip(x).zip(factors) {
                *dy = gradient_of(*mask, *x, *dy, [*mean, *scale, *bias, *slope, *shift]);
            }
        });
    }
}

vectorised! {
    /// Sums of the gradients with respect to scaled values, and of their products with `x - mean`.
    fn gradient_sums(scaling: &Scaling, x: Pixels<'_, f32>, dy: Pixels<'_, f32>, sums: &mut [[f32; 2]]) {
        let (mask, factors) = (scaling.mask(), [&*scaling.mean, &*scaling.scale, &*scaling.bias]);
        sum_columns(scaling.mean.len(), x, dy, factors, sums, |x, dy, [mean, scale, bias]| {
            let centred = x - mean;
            let gradient = mask.pass(centred * scale + bias, dy);
            [gradient, gradient * centred]
        });
    }
}
