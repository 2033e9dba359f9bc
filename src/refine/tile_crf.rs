//! A CRF on the tiles of a plan.

use std::path::Path;

use swath_models::{Extent, Tensor};
use swath_refine::{DenseCrf, Pixels};
use swath_tiling::Window;

use crate::{Error, Result};

/// Refines the probabilities of each tile by the tile's own pixels, before tiles are stitched: so overlaps are averaged as always, what a kill left is
/// gone on with, and parts of a scene are those of the whole.
#[derive(Clone, Debug, PartialEq)]
pub struct TileCrf {
    /// What it computes.
    pub crf: DenseCrf,
    /// The bands that are its colours, by name.
    pub names: Vec<String>,
    /// The same as places among the network's channels, and by what their scaled values are multiplied to differ as stored values do.
    pub(crate) bands: Vec<Colour>,
}

/// A band as a CRF takes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Colour {
    pub(crate) channel: usize,
    pub(crate) unit: f32,
}

impl TileCrf {
    /// Colours `(bands, height, width)` of the scores' pixels, from the network's input of that extent; its first score is at a row and column of it.
    pub(crate) fn colours(&self, input: &[f32], extent: Extent, scores: Window, (row, column): (usize, usize)) -> Vec<f32> {
        let planes = self.bands.iter().flat_map(|band| {
            let plane = &input[band.channel * extent.product()..][..extent.product()];
            let rows = (row..row + scores.height).map(|y| &plane[y * extent.x + column..][..scores.width]);
            rows.flat_map(|row| row.iter().map(|value| value * band.unit))
        });
        planes.collect()
    }

    /// Refines the probabilities of a tile whose scores lie at `window` of the scene at `path`.
    pub(crate) fn refine(&self, path: &Path, scores: Tensor, window: Window, colours: &[f32], valid: &[bool]) -> Result<Tensor> {
        let shape = scores.shape();
        let area = window.area();
        let mut probabilities = scores.into_data();
        let is_single = shape.channels == 1;
        if is_single {
            // One score is the probability of the second of two classes.
            let first: Vec<f32> = probabilities.iter().map(|p| 1.0 - p).collect();
            probabilities.splice(0..0, first);
        }
        let pixels = Pixels { size: window.size(), y: window.y, x: window.x, colours, valid };
        self.crf.refine(&pixels, &mut probabilities).map_err(|source| match &source {
            swath_refine::Error::Colours { band, .. } => {
                Error::CrfColours { path: path.to_owned(), window, band: self.names[*band].clone(), source }
            }
            _ => Error::CrfTile { path: path.to_owned(), window, source },
        })?;
        Ok(Tensor::new(shape, if is_single { probabilities.split_off(area) } else { probabilities })?)
    }

    /// Most bytes that refining a tile takes.
    pub(crate) fn bytes(&self, pixels: usize, classes: usize) -> usize {
        let bands = self.bands.len();
        self.crf.bytes(pixels, classes.max(2), bands) + pixels * ((bands + 2) * size_of::<f32>() + 1)
    }

    /// About how many operations refining a tile takes.
    pub(crate) fn flops(&self, pixels: usize, classes: usize) -> u64 {
        self.crf.flops(pixels, classes.max(2), self.bands.len())
    }
}
