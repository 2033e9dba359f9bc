//! More positions around a value.

use rayon::prelude::*;

use super::combine::Operand;
use crate::cpu::kernels::Element;
use crate::{Axes, Extent, PadFill, Padding, Shape};

/// For every position of a result, along each axis, the input position that it holds; `None` where it holds the fill.
#[derive(Debug)]
pub(crate) struct Positions {
    along: Axes<Vec<Option<usize>>>,
    fill: f32,
}

impl Positions {
    /// Where a padding takes its values from; `None` if there are too few to reflect.
    pub(crate) fn new(input: Extent, padding: Axes<Padding>, fill: PadFill) -> Option<Self> {
        let along = input.zip(padding).map(|(length, Padding { before, after })| {
            let inside = (0..length).map(Some);
            let positions: Vec<Option<usize>> = match fill {
                PadFill::Constant { .. } => {
                    std::iter::repeat_n(None, before).chain(inside).chain(std::iter::repeat_n(None, after)).collect()
                }
                PadFill::Edge => (0..before + length + after).map(|x| Some(x.saturating_sub(before).min(length - 1))).collect(),
                PadFill::Reflect if before.max(after) >= length => return None,
                PadFill::Reflect => {
                    (1..=before).rev().map(Some).chain(inside).chain((length - 1 - after..length - 1).rev().map(Some)).collect()
                }
            };
            Some(positions)
        });
        let Axes { z: Some(z), y: Some(y), x: Some(x) } = along else { return None };
        let fill = if let PadFill::Constant { value } = fill { value as f32 } else { 0.0 };
        Some(Self { along: Axes { z, y, x }, fill })
    }

    /// For every position of the result along each axis, the input position that it holds.
    pub(crate) fn along(&self) -> &Axes<Vec<Option<usize>>> {
        &self.along
    }

    /// What positions beyond the input hold, if they do not hold one of its values.
    #[cfg(feature = "cuda")]
    pub(crate) fn fill(&self) -> f32 {
        self.fill
    }

    /// Writes the padded value.
    pub(in crate::cpu) fn run<E: Element>(&self, input: Operand<'_, E>, output: &mut [E]) {
        let Axes { z: zs, y: ys, x: xs } = &self.along;
        let Operand { pixels, shape: Shape { channels, extent } } = input;
        output.par_chunks_mut(xs.len() * channels).enumerate().for_each(|(row, values)| {
            let (Some(z), Some(y)) = (zs[row / ys.len()], ys[row % ys.len()]) else { return values.fill(E::new(self.fill)) };
            let line = pixels.line(z * extent.y + y, extent.x);
            for (pixel, x) in values.chunks_exact_mut(channels).zip(xs) {
                match x {
                    Some(x) => pixel.copy_from_slice(&line.after(*x, 0).values[..channels]),
                    None => pixel.fill(E::new(self.fill)),
                }
            }
        });
    }
}
