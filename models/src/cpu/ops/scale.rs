//! A factor and a summand per channel.

use rayon::prelude::*;

use super::activation::activate_slice;
use super::vectorised::vectorised;
use crate::Activation;
use crate::cpu::kernels::{Element, Isa};

/// `x * scale + shift` per channel.
pub(in crate::cpu) struct Scale {
    pub(in crate::cpu) scale: Vec<f32>,
    pub(in crate::cpu) shift: Vec<f32>,
}

impl Scale {
    /// Scales every pixel and applies an activation.
    pub(in crate::cpu) fn run<E: Element>(&self, isa: Isa, activation: Option<Activation>, width: usize, values: &mut [E]) {
        values.par_chunks_mut(width * self.scale.len()).for_each(|row| {
            scale_row(isa, &self.scale, &self.shift, row);
            if let Some(activation) = activation {
                activate_slice(isa, activation, row);
            }
        });
    }

    /// Bytes of the tensors.
    pub(in crate::cpu) fn bytes(&self) -> usize {
        (self.scale.len() + self.shift.len()) * size_of::<f32>()
    }
}

vectorised! {
    /// Scales every pixel of a row.
    fn scale_row<E>(scale: &[f32], shift: &[f32], row: &mut [E]) {
        for pixel in row.chunks_exact_mut(scale.len()) {
            pixel.iter_mut().zip(scale).zip(shift).for_each(|((v, scale), shift)| *v = E::new(v.to_f32() * scale + shift));
        }
    }
}
