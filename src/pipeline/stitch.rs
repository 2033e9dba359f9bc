//! Stitching scores and handing on what is finished.

use std::sync::mpsc::Receiver;

use swath_models::Tensor;
use swath_tiling::{Block, Mosaic, Tile, TileGrid, Window};

use super::compute::{Predicted, Promise};
use super::run::Run;
use super::sink::RowSink;
use crate::{Error, Result};

/// Finished scores of a part of the scene.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Which pixels.
    pub window: Window,
    /// Probabilities `(classes, height, width)`, of volumes `(classes, depth, height, width)`, finite wherever `valid`.
    pub scores: Vec<f32>,
    /// Whether each pixel is valid, `(height, width)` or `(depth, height, width)`.
    pub valid: Vec<bool>,
}

/// Stitches the tiles in the order in which they are promised. The first error in grid order ends it, whichever stage it is from.
pub(super) fn stitch(run: &Run<'_>, swath: &TileGrid, promises: &Receiver<Promise>, sink: &mut dyn RowSink) -> Result<()> {
    let clocks = &run.clocks;
    let mut mosaic = Mosaic::new(swath, run.executor.output_channels(), run.plan.layout.blend);
    let next = || clocks.stitching.starved.time(|| promises.recv().and_then(|promise| promise.recv()));
    // A promise that is not kept means that a worker panicked: the scope of its thread passes that on.
    while let Ok(predicted) = next() {
        let Predicted { tile, scores, valid } = predicted?;
        let block = clocks.stitching.busy.time(|| -> Result<_> {
            let block = mosaic.feed(&tile, scores.as_ref().map(Tensor::data))?;
            if let Some(scores) = scores {
                run.executor.recycle(scores);
            }
            block.map(|block| finished(run, &tile, block, &valid)).transpose()
        })?;
        let pixels = block.as_ref().map_or(0, |block| block.window.area());
        if let Some(block) = block {
            clocks.writing.busy.time(|| sink.scores(block))?;
        }
        run.observer.tile_done(pixels);
    }
    Ok(mosaic.finish()?)
}

/// A block with its pixels' validity; a valid pixel without a finite score is an error.
fn finished(run: &Run<'_>, tile: &Tile, block: Block, valid: &[bool]) -> Result<Scores> {
    let Block { window, scores } = block;
    let first = run.plan.layout.offset(tile, window);
    let input = run.plan.layout.input;
    let slices = first.z..first.z + window.depth;
    let rows = slices.flat_map(|z| (first.y..first.y + window.height).map(move |y| (z * input.y + y) * input.x + first.x));
    let valid: Vec<bool> = rows.flat_map(|start| &valid[start..start + window.width]).copied().collect();
    for (class, plane) in scores.chunks_exact(window.area()).enumerate() {
        let wrong = |(score, valid): (&f32, &bool)| *valid & !score.is_finite();
        // All are good but for the one that ends the run: a loop that does not stop at it compares several at once.
        let any = plane.iter().zip(&valid).fold(false, |any, pixel| any | wrong(pixel));
        if any && let Some((at, score)) = plane.iter().enumerate().find(|(at, score)| wrong((score, &valid[*at]))) {
            let (x, y) = (window.x + at % window.width, window.y + at / window.width % window.height);
            let z = window.z + at / window.width / window.height;
            return Err(Error::NotFinite { path: run.source.profile().path.clone(), class, score: *score, x, y, z });
        }
    }
    Ok(Scores { window, scores, valid })
}
