//! Negative values times a factor per channel.

use rayon::prelude::*;

use super::vectorised::vectorised;
use crate::cpu::kernels::{Element, Isa};

/// `x` where positive, `slope * x` elsewhere.
pub(in crate::cpu) struct Slopes {
    /// One per channel.
    pub(in crate::cpu) slopes: Vec<f32>,
}

impl Slopes {
    /// Applies the function to every value.
    pub(in crate::cpu) fn run<E: Element>(&self, isa: Isa, width: usize, values: &mut [E]) {
        values.par_chunks_mut(width * self.slopes.len()).for_each(|row| bend_row(isa, &self.slopes, row));
    }

    /// Bytes of the tensor.
    pub(in crate::cpu) fn bytes(&self) -> usize {
        self.slopes.len() * size_of::<f32>()
    }
}

vectorised! {
    fn bend_row<E>(slopes: &[f32], row: &mut [E]) {
        for pixel in row.chunks_exact_mut(slopes.len()) {
            for (v, slope) in pixel.iter_mut().zip(slopes) {
                let x = v.to_f32();
                *v = E::new(if x > 0.0 { x } else { slope * x });
            }
        }
    }
}
