//! Resampling as a product with one sparse matrix per axis.

use candle_core::{Result, Tensor};

use super::ops::SPATIAL;
use crate::resample::taps;
use crate::{Extent, Resize, ResizeTo};

pub(super) fn resize(x: &Tensor, r: &Resize, extent: Extent) -> Result<Tensor> {
    let mut x = x.clone();
    for (axis, dim) in SPATIAL.into_iter().enumerate() {
        let (input, output) = (x.dim(dim)?, extent.into_array()[axis]);
        let scale = match r.to {
            ResizeTo::Factor { factor } => factor.into_array()[axis],
            ResizeTo::Like | ResizeTo::Extent { .. } => output as f64 / input as f64,
        };
        if input == output && (scale - 1.0).abs() < f64::EPSILON {
            continue;
        }
        let mut matrix = vec![0.0f32; input * output];
        for (row, taps) in matrix.chunks_exact_mut(input).zip(taps(input, output, scale, r.interpolation, r.coordinates)) {
            row[taps.low] += 1.0 - taps.fraction;
            row[taps.high] += taps.fraction;
        }
        let matrix = Tensor::from_vec(matrix, (output, input), x.device())?;
        let last = x.rank() - 1;
        let lines = x.transpose(dim, last)?.contiguous()?;
        let dims = lines.dims().to_vec();
        let lines = lines.reshape(((), input))?.matmul(&matrix.t()?)?;
        x = lines.reshape([&dims[..last], &[output]].concat())?.transpose(dim, last)?.contiguous()?;
    }
    Ok(x)
}
