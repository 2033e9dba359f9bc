//! Images at another scale.

use crate::resample::{Taps, taps};
use crate::{Coordinates, Extent, Interpolation, Result, Shape, Tensor};

/// Resizes every plane bilinearly: pixels are squares, as in PyTorch's `interpolate(mode="bilinear", align_corners=False)`.
pub(super) fn resize(tensor: Tensor, to: Extent) -> Result<Tensor> {
    let from = tensor.shape();
    if from.extent == to {
        return Ok(tensor);
    }
    let along = |input, output| -> Vec<Taps> { taps(input, output, Interpolation::Linear, Coordinates::HalfPixel).collect() };
    let (rows, columns) = (along(from.extent.y, to.y), along(from.extent.x, to.x));
    let shape = Shape { extent: to, ..from };
    let mut data = Vec::with_capacity(shape.elements());
    for plane in tensor.data().chunks_exact(from.extent.y * from.extent.x) {
        for row in &rows {
            let [low, high] = [row.low, row.high].map(|y| &plane[y * from.extent.x..(y + 1) * from.extent.x]);
            data.extend(columns.iter().map(|column| {
                let mean = |line: &[f32]| line[column.low] + column.fraction * (line[column.high] - line[column.low]);
                let [low, high] = [mean(low), mean(high)];
                low + row.fraction * (high - low)
            }));
        }
    }
    Tensor::new(shape, data)
}
