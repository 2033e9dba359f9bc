//! The gradient of what reads each value from one or several places: resampling and padding.

use rayon::prelude::*;

use super::gradients::Mode;
use crate::cpu::kernels::{Isa, Pixels, PixelsMut};
use crate::cpu::ops::{Positions, vectorised};
use crate::resample::taps;
use crate::windows::bin_positions;
use crate::{Axes, Extent, Resize};

/// For every input position along each axis, the output positions that read it, and with which weights.
#[derive(Debug)]
pub(super) struct Spread {
    readers: Axes<Vec<Vec<Reader>>>,
    output: Extent,
}

/// An output position that reads an input position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    position: usize,
    weight: f32,
}

impl Spread {
    /// Of a resampling.
    pub(super) fn of_resize(resize: Resize, input: Extent, output: Extent) -> Self {
        let readers = input.zip(output).map(|(input, output)| {
            let mut readers = vec![Vec::new(); input];
            for (position, taps) in taps(input, output, resize.interpolation, resize.coordinates).enumerate() {
                readers[taps.low].push(Reader { position, weight: 1.0 - taps.fraction });
                if taps.fraction != 0.0 {
                    readers[taps.high].push(Reader { position, weight: taps.fraction });
                }
            }
            readers
        });
        Self { readers, output }
    }

    /// Of a padding.
    pub(super) fn of_padding(positions: &Positions, input: Extent, output: Extent) -> Self {
        let readers = |sources: &[Option<usize>], length: usize| {
            let mut readers = vec![Vec::new(); length];
            for (position, source) in sources.iter().enumerate() {
                if let Some(source) = source {
                    readers[*source].push(Reader { position, weight: 1.0 });
                }
            }
            readers
        };
        let Axes { z, y, x } = positions.along();
        Self { readers: Axes { z: readers(z, input.z), y: readers(y, input.y), x: readers(x, input.x) }, output }
    }

    /// Of the means of bins.
    pub(super) fn of_bins(bins: Extent, input: Extent) -> Self {
        let readers = input.zip(bins).map(|(length, bins)| {
            let mut readers = vec![Vec::new(); length];
            for position in 0..bins {
                let inside = bin_positions(position, bins, length);
                let weight = 1.0 / inside.len() as f32;
                readers[inside].iter_mut().for_each(|readers: &mut Vec<Reader>| readers.push(Reader { position, weight }));
            }
            readers
        });
        Self { readers, output: bins }
    }

    /// Of a part of so large an extent that starts after so many positions.
    pub(super) fn of_crop(before: Axes<usize>, input: Extent, output: Extent) -> Self {
        let readers = input.zip(before).zip(output).map(|((length, before), output)| -> Vec<Vec<Reader>> {
            let reader = |position: usize| position.checked_sub(before).filter(|position| *position < output);
            let readers =
                |position: usize| reader(position).map(|position| Reader { position, weight: 1.0 }).into_iter().collect();
            (0..length).map(readers).collect()
        });
        Self { readers, output }
    }

    /// Writes or adds the gradient with respect to the input.
    pub(super) fn run(&self, isa: Isa, channels: usize, dy: Pixels<'_, f32>, dx: PixelsMut<'_, f32>, mode: Mode) {
        let Axes { z: zs, y: ys, x: xs } = &self.readers;
        let output = self.output;
        dx.par_parts(xs.len()).enumerate().for_each_init(Vec::new, |line, (row, dx)| {
            let (sample, row) = (row / (zs.len() * ys.len()), row % (zs.len() * ys.len()));
            let dy = dy.line(sample, output.product());
            line.clear();
            line.resize(output.x * channels, 0.0);
            for (z, y) in zs[row / ys.len()].iter().flat_map(|z| ys[row % ys.len()].iter().map(move |y| (z, y))) {
                let from = dy.line(z.position * output.y + y.position, output.x);
                for (line, from) in from.pieces_for(channels, line) {
                    add_weighted(isa, z.weight * y.weight, from, line);
                }
            }
            gather_pixels(isa, xs, channels, line, dx, mode);
        });
    }
}

vectorised! {
    fn add_weighted(weight: f32, from: &[f32], to: &mut [f32]) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += weight * from);
    }
}

vectorised! {
    /// One row of the gradient from a line that is as long as the output.
    fn gather_pixels(readers: &[Vec<Reader>], channels: usize, line: &[f32], dx: PixelsMut<'_, f32>, mode: Mode) {
        for (pixel, readers) in dx.channels(channels).zip(readers) {
            if mode == Mode::Write {
                pixel.fill(0.0);
            }
            for reader in readers {
                let from = &line[reader.position * channels..][..channels];
                pixel.iter_mut().zip(from).for_each(|(to, from)| *to += reader.weight * from);
            }
        }
    }
}
