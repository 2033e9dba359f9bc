//! Convolutions, plainly: to be replaced.

use rayon::prelude::*;

use crate::infer::windowed;
use crate::{Activation, Axes, Conv, Shape};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isa {
    Avx512(()),
    Avx2(()),
    Portable,
}

impl Isa {
    pub(crate) fn detect() -> Result<Self, String> {
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512vl") {
                return Ok(Self::Avx512(()));
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                return Ok(Self::Avx2(()));
            }
        }
        Ok(Self::Portable)
    }
}

pub(crate) struct Epilogue<'a> {
    pub(crate) residual: Option<&'a [f32]>,
    pub(crate) activation: Option<Activation>,
}

pub(crate) struct Convolution {
    conv: Conv,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Convolution {
    pub(crate) fn new(conv: Conv, _in_channels: usize, weight: &[f32], bias: Option<&[f32]>, _isa: Isa) -> Self {
        Self { conv, weight: weight.to_vec(), bias: bias.map_or(vec![0.0; conv.out_channels], <[f32]>::to_vec) }
    }

    pub(crate) fn run(&self, input: &[f32], shape: Shape, epilogue: &Epilogue<'_>, output: &mut [f32]) {
        let Conv { kernel, stride, padding, dilation, groups, out_channels, .. } = self.conv;
        let Some(out) = windowed(shape.extent, kernel, stride, padding, dilation) else { return };
        assert_eq!(output.len(), out.product() * out_channels);
        assert_eq!(input.len(), shape.elements());
        let (ci, co) = (shape.channels / groups, out_channels / groups);
        let inside =
            |o: usize, s: usize, k: usize, d: usize, p: usize, n: usize| (o * s + k * d).checked_sub(p).filter(|i| *i < n);
        output.par_chunks_mut(out_channels).enumerate().for_each(|(at, pixel)| {
            let o = Axes { z: at / (out.y * out.x), y: at / out.x % out.y, x: at % out.x };
            for (c, value) in pixel.iter_mut().enumerate() {
                let mut sum = 0.0;
                for t in 0..kernel.product() {
                    let k = Axes { z: t / (kernel.y * kernel.x), y: t / kernel.x % kernel.y, x: t % kernel.x };
                    let (Some(z), Some(y), Some(x)) = (
                        inside(o.z, stride.z, k.z, dilation.z, padding.z.before, shape.extent.z),
                        inside(o.y, stride.y, k.y, dilation.y, padding.y.before, shape.extent.y),
                        inside(o.x, stride.x, k.x, dilation.x, padding.x.before, shape.extent.x),
                    ) else {
                        continue;
                    };
                    let from = ((z * shape.extent.y + y) * shape.extent.x + x) * shape.channels + c / co * ci;
                    for i in 0..ci {
                        sum += input[from + i] * self.weight[(c * ci + i) * kernel.product() + t];
                    }
                }
                sum += self.bias[c];
                if let Some(residual) = epilogue.residual {
                    sum += residual[at * out_channels + c];
                }
                *value = match epilogue.activation {
                    None => sum,
                    Some(Activation::Relu) => sum.max(0.0),
                    Some(Activation::LeakyRelu { slope }) => {
                        if sum > 0.0 {
                            sum
                        } else {
                            sum * slope as f32
                        }
                    }
                    Some(Activation::Sigmoid) => 1.0 / (1.0 + (-sum).exp()),
                    Some(Activation::Clip { min, max }) => {
                        let low = min.map_or(sum, |m| sum.max(m as f32));
                        max.map_or(low, |m| low.min(m as f32))
                    }
                };
            }
        });
    }

    pub(crate) fn bytes(&self) -> usize {
        (self.weight.len() + self.bias.len()) * 4
    }
}
