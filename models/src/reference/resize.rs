//! Resampling and means of bins as a product with one sparse matrix per axis.

use candle_core::{Result, Tensor};

use super::ops::SPATIAL;
use crate::resample::taps;
use crate::windows::bin_positions;
use crate::{Axes, Extent, Resize};

pub(super) fn resize(x: &Tensor, r: &Resize, extent: Extent) -> Result<Tensor> {
    by_matrices(x, extent, |input, output, matrix| {
        for (row, taps) in matrix.chunks_exact_mut(input).zip(taps(input, output, r.interpolation, r.coordinates)) {
            row[taps.low] += 1.0 - taps.fraction;
            row[taps.high] += taps.fraction;
        }
    })
}

/// The means of so many bins along each axis.
pub(super) fn bins(x: &Tensor, bins: Axes<usize>) -> Result<Tensor> {
    by_matrices(x, bins, |input, output, matrix| {
        for (bin, row) in matrix.chunks_exact_mut(input).enumerate() {
            let positions = bin_positions(bin, output, input);
            let share = 1.0 / positions.len() as f32;
            row[positions].fill(share);
        }
    })
}

/// Multiplies along each axis with a matrix of one row per output position, which `fill` fills.
fn by_matrices(x: &Tensor, extent: Extent, fill: impl Fn(usize, usize, &mut [f32])) -> Result<Tensor> {
    let mut x = x.clone();
    for (axis, dim) in SPATIAL.into_iter().enumerate() {
        let (input, output) = (x.dim(dim)?, extent.into_array()[axis]);
        // A ratio of 1 maps every position to itself, in any coordinates.
        if input == output {
            continue;
        }
        let mut matrix = vec![0.0f32; input * output];
        fill(input, output, &mut matrix);
        let matrix = Tensor::from_vec(matrix, (output, input), x.device())?.to_dtype(x.dtype())?;
        let last = x.rank() - 1;
        let lines = x.transpose(dim, last)?.contiguous()?;
        let dims = lines.dims().to_vec();
        let lines = lines.reshape(((), input))?.matmul(&matrix.t()?)?;
        x = lines.reshape([&dims[..last], &[output]].concat())?.transpose(dim, last)?.contiguous()?;
    }
    Ok(x)
}
