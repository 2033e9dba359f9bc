//! Bounding the gradient.

use rayon::iter::ParallelIterator;
use rayon::slice::{ParallelSlice, ParallelSliceMut};

use crate::train::Parameters;

/// Values whose squares are summed together; fixed, so that the sum is the same for any number of threads.
const CHUNK: usize = 1 << 15;

/// Scales all gradients down so that their common Euclidean norm is at most `norm`, and returns what it was (Pascanu et al. 2013, arXiv
/// 1211.5063; PyTorch's `clip_grad_norm_`). With infinity nothing is changed.
pub fn clip_gradients(parameters: &mut Parameters, norm: f64) -> f64 {
    let squares = |chunk: &[f32]| chunk.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>();
    let sums: Vec<f64> = parameters.gradients().par_chunks(CHUNK).map(squares).collect();
    let before = sums.iter().sum::<f64>().sqrt();
    // PyTorch's guard against a division by 0.
    let factor = norm / (before + 1e-6);
    if factor < 1.0 {
        let factor = factor as f32;
        parameters.gradients_mut().par_chunks_mut(CHUNK).for_each(|chunk| chunk.iter_mut().for_each(|g| *g *= factor));
    }
    before
}
