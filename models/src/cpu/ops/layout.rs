//! From channels first, as tiles have them, to channels last.

use rayon::prelude::*;

use crate::Shape;
use crate::cpu::kernels::Element;

/// Copies `(channels, depth, height, width)` to `(depth, height, width, channels)`.
pub(in crate::cpu) fn channels_last<E: Element>(shape: Shape, planes: &[f32], output: &mut [E]) {
    let (width, channels, positions) = (shape.extent.x, shape.channels, shape.extent.product());
    output.par_chunks_mut(width * channels).enumerate().for_each(|(row, pixels)| {
        for (channel, plane) in planes.chunks_exact(positions).enumerate() {
            let line = &plane[row * width..(row + 1) * width];
            pixels.iter_mut().skip(channel).step_by(channels).zip(line).for_each(|(to, from)| *to = E::new(*from));
        }
    });
}

/// The rows of `(channels, depth, height, width)`, to be written at the same time: for each row, its part of every channel.
pub(super) fn planar_rows(shape: Shape, planes: &mut [f32]) -> Vec<Vec<&mut [f32]>> {
    let mut rows: Vec<Vec<&mut [f32]>> = Vec::new();
    rows.resize_with(shape.extent.z * shape.extent.y, || Vec::with_capacity(shape.channels));
    for plane in planes.chunks_exact_mut(shape.extent.product()) {
        rows.iter_mut().zip(plane.chunks_exact_mut(shape.extent.x)).for_each(|(row, line)| row.push(line));
    }
    rows
}
