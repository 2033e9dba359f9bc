//! A convolution as a layer of a plan.

use rayon::prelude::*;

use super::{
    Epilogue, Isa, Pixels, PixelsMut,
    depthwise::Depthwise,
    direct::Direct,
    element::Element,
    portable::Portable,
    scratch::Held,
    simd::Simd,
    transform::{F2, F4},
    winograd::{self, Winograd},
};
use crate::{Activation, Conv, Convolutions, Shape};

/// A convolution of `E` with its weights packed for an ISA. Any kernel, stride, padding, dilation, groups (depthwise included), planar or
/// volumetric, any channel counts.
#[derive(Debug)]
pub(crate) struct Convolution<E: Element> {
    isa: Isa,
    out_channels: usize,
    method: Method<E>,
}

/// How it is computed; depends on the layer, the ISA and the [`Conditions`], never on the tile.
#[derive(Debug)]
enum Method<E: Element> {
    Direct(Direct<E>),
    Depthwise(Depthwise),
    Blocks2(Winograd<F2, 2, 4>),
    Blocks4(Winograd<F4, 4, 6>),
}

/// What decides how a layer is computed, beside the layer itself and the vector unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conditions {
    pub(crate) convolutions: Convolutions,
    pub(crate) maps: Maps,
}

impl Conditions {
    /// Always directly.
    pub(crate) const DIRECT: Self = Self { convolutions: Convolutions::Direct, maps: Maps::Large };
}

/// How large a layer's maps usually are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maps {
    /// So small that reading the weights takes longer than multiplying: 16 x 16 or less.
    Small,
    /// Larger.
    Large,
}

impl<E: Element> Convolution<E> {
    /// Packs the weights, `(out, in / groups, kernel z, kernel y, kernel x)`, and the bias, one value per output channel.
    pub(crate) fn new(
        conv: Conv,
        in_channels: usize,
        weight: &[f32],
        bias: Option<&[f32]>,
        isa: Isa,
        conditions: Conditions,
    ) -> Self {
        let mut convolution = Self::zero(conv, in_channels, isa, conditions);
        convolution.set(weight, bias);
        convolution
    }

    /// With weights and a bias of zero.
    pub(crate) fn zero(conv: Conv, in_channels: usize, isa: Isa, conditions: Conditions) -> Self {
        let method = if Depthwise::fits(&conv, in_channels) {
            Method::Depthwise(Depthwise::new(&conv, isa))
        } else if conditions.convolutions == Convolutions::Winograd && winograd::fits(&conv, in_channels) {
            match conditions.maps {
                // Twice the products of 16 bits take as long as those of F(2x2), with a quarter of the weights.
                Maps::Small if E::CHANNELS > 1 => Method::Direct(Direct::new(&conv, in_channels, isa)),
                Maps::Small => Method::Blocks2(Winograd::new(F2, &conv, in_channels, isa)),
                Maps::Large => Method::Blocks4(Winograd::new(F4, &conv, in_channels, isa)),
            }
        } else {
            Method::Direct(Direct::new(&conv, in_channels, isa))
        };
        Self { isa, out_channels: conv.out_channels, method }
    }

    /// Packs other weights, and another bias if there is one, in the place of those before.
    pub(crate) fn set(&mut self, weight: &[f32], bias: Option<&[f32]>) {
        match &mut self.method {
            Method::Direct(direct) => direct.set(weight, bias),
            Method::Depthwise(depthwise) => depthwise.set(weight, bias),
            Method::Blocks2(winograd) => winograd.set(weight, bias),
            Method::Blocks4(winograd) => winograd.set(weight, bias),
        }
    }

    /// Computes the convolution of an input of the given shape on all threads of the current pool. Both arrays are
    /// `(depth, height, width, channels)`; the output has the extent that the parameters give.
    pub(crate) fn run(&self, input: Pixels<'_, E>, shape: Shape, epilogue: &Epilogue<'_, E>, mut output: PixelsMut<'_, E>) {
        match self.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16(simd) => self.run_on(simd, input, shape, epilogue, output.reborrow()),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(simd) => self.run_on(simd, input, shape, epilogue, output.reborrow()),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(simd) => self.run_on(simd, input, shape, epilogue, output.reborrow()),
            Isa::Portable => self.run_on(Portable, input, shape, epilogue, output.reborrow()),
        }
        if epilogue.activation == Some(Activation::Sigmoid) {
            output.par_parts(SIGMOIDS.div_ceil(self.out_channels)).for_each(|pixels| {
                for value in pixels.channels(self.out_channels).flatten() {
                    *value = E::new(1.0 / (1.0 + (-value.to_f32()).exp()));
                }
            });
        }
    }

    /// Bytes of packed weights.
    pub(crate) fn bytes(&self) -> usize {
        match &self.method {
            Method::Direct(direct) => direct.bytes(),
            Method::Depthwise(depthwise) => depthwise.bytes(),
            Method::Blocks2(winograd) => winograd.bytes(),
            Method::Blocks4(winograd) => winograd.bytes(),
        }
    }

    /// What [`Convolution::run`] holds beside its arguments on a pool of so many threads, apart from small tables.
    pub(crate) fn held(&self, input: Shape, threads: usize) -> Held {
        match &self.method {
            Method::Direct(direct) => Held { lines: direct.scratch(input) * size_of::<E>(), ..Held::default() },
            Method::Depthwise(_) => Held::default(),
            Method::Blocks2(winograd) => winograd.held(input, threads),
            Method::Blocks4(winograd) => winograd.held(input, threads),
        }
    }

    fn run_on(&self, simd: impl Simd, input: Pixels<'_, E>, shape: Shape, epilogue: &Epilogue<'_, E>, output: PixelsMut<'_, E>) {
        match &self.method {
            Method::Direct(direct) => direct.run(simd, input, shape, epilogue, output),
            Method::Depthwise(depthwise) => depthwise.run(simd, input, shape, epilogue, output),
            Method::Blocks2(winograd) => winograd.run(simd, input, shape, epilogue, output),
            Method::Blocks4(winograd) => winograd.run(simd, input, shape, epilogue, output),
        }
    }
}

/// Values per job of the pass that computes sigmoids.
const SIGMOIDS: usize = 16 * 1024;
