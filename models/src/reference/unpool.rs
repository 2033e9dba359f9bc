//! Values put back where the maxima were.

use candle_core::{DType, Result, Tensor};

use crate::{Axes, MaxUnpool, Rank};

pub(super) fn max_unpool(values: &Tensor, x: &Tensor, rank: Rank, unpool: &MaxUnpool) -> Result<Tensor> {
    // (samples, channels, depth, height, width)
    let outer = |x: &Tensor| if rank == Rank::Planar { x.unsqueeze(2) } else { x.transpose(0, 1)?.unsqueeze(0)?.contiguous() };
    let (values, x) = (outer(values)?, outer(x)?);
    let dims = x.dims5()?;
    let (samples, channels, z, y, x_length) = dims;
    let planes = x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    let (_, _, windows_z, windows_y, windows_x) = values.dims5()?;
    let windows = Axes { z: windows_z, y: windows_y, x: windows_x };
    let winners: Vec<u32> = planes
        .chunks_exact(z * y * x_length)
        .flat_map(|plane| winners(plane, Axes { z, y, x: x_length }, windows, unpool))
        .collect();
    let winners = Tensor::from_vec(winners, (samples, channels, windows.product()), values.device())?;
    let zeros = Tensor::zeros((samples, channels, z * y * x_length), values.dtype(), values.device())?;
    let spread = zeros.scatter_add(&winners, &values.reshape((samples, channels, ()))?.contiguous()?, 2)?;
    let spread = spread.reshape((samples, channels, z, y, x_length))?;
    if rank == Rank::Planar { spread.squeeze(2) } else { spread.squeeze(0)?.transpose(0, 1)?.contiguous() }
}

/// For every window, where in the plane its first maximum is; the last NaN if it holds some.
fn winners(plane: &[f64], extent: Axes<usize>, windows: Axes<usize>, unpool: &MaxUnpool) -> Vec<u32> {
    let positions = |extent: Axes<usize>| {
        (0..extent.product()).map(move |i| Axes { z: i / (extent.y * extent.x), y: i / extent.x % extent.y, x: i % extent.x })
    };
    let winner = |window: Axes<usize>| {
        let place = |tap: Axes<usize>| {
            let at = window.zip(unpool.stride).zip(tap).map(|((window, stride), tap)| window * stride + tap);
            (at.z * extent.y + at.y) * extent.x + at.x
        };
        let mut places = positions(unpool.kernel).map(place);
        let first = places.next().unwrap_or(0);
        places.fold(first, |best, place| if plane[place] > plane[best] || plane[place].is_nan() { place } else { best }) as u32
    };
    positions(windows).map(winner).collect()
}
