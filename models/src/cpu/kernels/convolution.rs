//! A convolution as a layer of a plan.

use rayon::prelude::*;

use super::{Epilogue, Isa, depthwise::Depthwise, direct::Direct, portable::Portable, simd::Simd};
use crate::{Activation, Conv, Shape};

/// A convolution with its weights packed for an ISA. Any kernel, stride, padding, dilation, groups (depthwise included), planar or volumetric,
/// any channel counts.
#[derive(Debug)]
pub(crate) struct Convolution {
    isa: Isa,
    method: Method,
}

/// How it is computed; depends on the layer and the ISA, never on the tile.
#[derive(Debug)]
enum Method {
    Direct(Direct),
    Depthwise(Depthwise),
}

impl Convolution {
    /// Packs the weights, `(out, in / groups, kernel z, kernel y, kernel x)`, and the bias, one value per output channel.
    pub(crate) fn new(conv: Conv, in_channels: usize, weight: &[f32], bias: Option<&[f32]>, isa: Isa) -> Self {
        let bias = bias.map_or_else(|| vec![0.0; conv.out_channels], <[f32]>::to_vec);
        let method = if Depthwise::fits(&conv, in_channels) {
            Method::Depthwise(Depthwise::new(&conv, weight, bias, isa))
        } else {
            Method::Direct(Direct::new(&conv, in_channels, weight, bias, isa))
        };
        Self { isa, method }
    }

    /// Computes the convolution of an input of the given shape on all threads of the current pool. Both arrays are
    /// `(depth, height, width, channels)`; the output has the extent that the parameters give.
    pub(crate) fn run(&self, input: &[f32], shape: Shape, epilogue: &Epilogue<'_>, output: &mut [f32]) {
        match self.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(simd) => self.run_on(simd, input, shape, epilogue, output),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(simd) => self.run_on(simd, input, shape, epilogue, output),
            Isa::Portable => self.run_on(Portable, input, shape, epilogue, output),
        }
        if epilogue.activation == Some(Activation::Sigmoid) {
            output.par_chunks_mut(SIGMOIDS).for_each(|values| {
                for value in values {
                    *value = 1.0 / (1.0 + (-*value).exp());
                }
            });
        }
    }

    /// Bytes of packed weights.
    pub(crate) fn bytes(&self) -> usize {
        match &self.method {
            Method::Direct(direct) => direct.bytes(),
            Method::Depthwise(depthwise) => depthwise.bytes(),
        }
    }

    /// Bytes that [`Convolution::run`] holds beside its arguments on a pool of so many threads, apart from tables of less than 1 MiB per thread. They are
    /// kept for the next layer: a network holds about as much as its hungriest layer.
    pub(crate) fn scratch_bytes(&self, input: Shape, _threads: usize) -> usize {
        let values = match &self.method {
            Method::Direct(direct) => direct.scratch(input),
            Method::Depthwise(_) => 0,
        };
        values * size_of::<f32>()
    }

    fn run_on(&self, simd: impl Simd, input: &[f32], shape: Shape, epilogue: &Epilogue<'_>, output: &mut [f32]) {
        match &self.method {
            Method::Direct(direct) => direct.run(simd, input, shape, epilogue, output),
            Method::Depthwise(depthwise) => depthwise.run(simd, input, shape, epilogue, output),
        }
    }
}

/// Values per job of the pass that computes sigmoids.
const SIGMOIDS: usize = 16 * 1024;
