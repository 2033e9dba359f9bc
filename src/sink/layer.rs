//! Rasters of probabilities and confidence.

use std::path::PathBuf;

use gdal::{Dataset, Metadata};
use swath_tiling::{Size, Window};

use super::cog::Pixels;
use super::coverage::Coverage;
use super::publish::{Existing, Unpublished};
use super::scratch::{Scratch, Start};
use super::temporary::Temporary;
use crate::{Error, Georeference, Result};

/// How scores are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerEncoding {
    /// As they are; NaN is no data.
    F32,
    /// Probabilities, 0 to 1, in steps of 1/254: the stored value is `round(254 * probability)`, the band's scale says so, and 255 is no
    /// data.
    U8,
}

impl LayerEncoding {
    /// The largest stored probability, and the number of steps.
    pub(crate) const STEPS: f32 = 254.0;
}

/// What a layer is to be.
#[derive(Clone, Debug)]
pub struct LayerProduct {
    /// Where it goes: a local file, usually `.tif`.
    pub path: PathBuf,
    /// Its size, in pixels, one slice deep.
    pub size: Size,
    /// Where it lies.
    pub georeference: Georeference,
    /// What each band is, shown by GIS as its description: the names of the classes, or "confidence".
    pub bands: Vec<String>,
    /// How scores are stored.
    pub encoding: LayerEncoding,
    /// What happens to an earlier file.
    pub existing: Existing,
    /// Threads for compressing; the file does not depend on it.
    pub threads: usize,
}

/// A layer on its way: windows are written in any order, each pixel once, and `finish` publishes it.
///
/// Dropped unfinished, it leaves nothing behind.
#[derive(Debug)]
pub struct LayerSink {
    product: LayerProduct,
    scratch: Scratch,
    output: Unpublished,
    coverage: Coverage,
}

/// A layer that lacks nothing but its name.
#[derive(Debug)]
pub(crate) struct CompleteLayer {
    pub(crate) output: Unpublished,
    pub(crate) scratch: Temporary,
}

impl LayerEncoding {
    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::U8 => "u8",
        }
    }

    /// Bytes of a stored value.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::U8 => 1,
        }
    }
}

impl LayerSink {
    /// Memory that `finish` needs beside GDAL's cache, in bytes: measured with GDAL 3.6 and rounded up. It does not depend on the size.
    #[must_use]
    pub fn finish_bytes(bands: usize, encoding: LayerEncoding, threads: usize) -> usize {
        let block = 512 * 512 * bands * encoding.bytes();
        (96 << 20) + threads.max(1) * ((24 << 20) + 8 * block)
    }

    /// Checks the product and prepares its scratch file.
    ///
    /// # Errors
    ///
    /// If the file exists and must stay, its folder is missing or not writable, the raster is empty or has more than one slice, or there
    /// is no band.
    pub fn create(product: LayerProduct) -> Result<Self> {
        Self::start(product, Start::Anew)
    }

    /// As [`LayerSink::create`], perhaps with what an earlier run wrote.
    pub(crate) fn start(product: LayerProduct, start: Start) -> Result<Self> {
        let LayerProduct { path, size, georeference, bands, encoding, existing, .. } = &product;
        let output = Unpublished::create(path, *existing)?;
        let mut scratch = match encoding {
            LayerEncoding::F32 => Scratch::create::<f32>(path, *size, bands.len(), georeference, start)?,
            LayerEncoding::U8 => Scratch::create::<u8>(path, *size, bands.len(), georeference, start)?,
        };
        scratch.describe(|dataset| describe(dataset, &product))?;
        let coverage = Coverage::new(*size);
        Ok(Self { product, scratch, output, coverage })
    }

    /// Writes the scores of a window, `(bands, height, width)`; NaN is no data.
    ///
    /// # Errors
    ///
    /// If the window reaches out of the raster or overlaps an earlier one, if the scores do not fill it, if one is infinite or, stored as
    /// [`LayerEncoding::U8`], no probability, or if GDAL cannot write them.
    pub fn write(&mut self, window: Window, scores: &[f32]) -> Result<()> {
        let LayerProduct { path, bands, encoding, .. } = &self.product;
        self.coverage.check(path, window, bands.len(), scores.len())?;
        if window.size().is_empty() {
            return Ok(());
        }
        // All scores are checked before any is written, so that a refused window may be written again.
        let refused = |expected, index: usize| {
            let band = bands[index / window.area()].clone();
            Error::Score { path: path.clone(), window, band, expected, value: scores[index] }
        };
        match encoding {
            LayerEncoding::F32 => {
                if let Some(index) = scores.iter().position(|score| score.is_infinite()) {
                    return Err(refused("a finite score", index));
                }
                for (band, scores) in (1..).zip(scores.chunks_exact(window.area())) {
                    self.scratch.write(band, window, scores)?;
                }
            }
            LayerEncoding::U8 => {
                let step = |(index, &score)| step(score).ok_or_else(|| refused("a probability", index));
                let steps = scores.iter().enumerate().map(step).collect::<Result<Vec<u8>>>()?;
                for (band, steps) in (1..).zip(steps.chunks_exact(window.area())) {
                    self.scratch.write(band, window, steps)?;
                }
            }
        }
        self.coverage.add(window);
        Ok(())
    }

    /// Writes probabilities that are encoded as [`LayerEncoding::U8`] already, `(bands, height, width)`.
    ///
    /// # Errors
    ///
    /// If the window reaches out of the raster or overlaps an earlier one, if the values do not fill it, or if GDAL cannot write them.
    pub(crate) fn write_steps(&mut self, window: Window, steps: &[u8]) -> Result<()> {
        self.coverage.check(&self.product.path, window, self.product.bands.len(), steps.len())?;
        for (band, steps) in (1..).zip(steps.chunks_exact(window.area().max(1))) {
            self.scratch.write(band, window, steps)?;
        }
        self.coverage.add(window);
        Ok(())
    }

    /// Counts a window that an earlier run wrote as written.
    pub(crate) fn recover(&mut self, window: Window) -> Result<()> {
        for band in 1..=self.product.bands.len() {
            match self.product.encoding {
                LayerEncoding::F32 => self.scratch.recover::<f32>(band, window, |_| {})?,
                LayerEncoding::U8 => self.scratch.recover::<u8>(band, window, |_| {})?,
            }
        }
        self.coverage.add(window);
        Ok(())
    }

    /// The file that windows go to.
    pub(crate) fn scratch(&mut self) -> &mut Scratch {
        &mut self.scratch
    }

    /// Builds the COG with its overviews, verifies it and gives it its name.
    ///
    /// # Errors
    ///
    /// If some pixel was never written, if the disk is full or GDAL fails otherwise, or if what is read back is not what was written.
    pub fn finish(self) -> Result<()> {
        self.complete()?.output.publish()
    }

    /// As [`LayerSink::finish`], but the name is still to be given.
    pub(crate) fn complete(self) -> Result<CompleteLayer> {
        self.coverage.check_complete(self.output.path())?;
        let scratch = self.scratch.into_cog(self.output.part(), Pixels::Scores, self.product.threads)?;
        Ok(CompleteLayer { output: self.output, scratch })
    }
}

/// A probability as it is stored, NaN as no data. The rounding errors of a mean may carry it past 0 or 1 by less than half a step; what is
/// further off is no probability.
fn step(score: f32) -> Option<u8> {
    if score.is_nan() {
        return Some(u8::MAX);
    }
    let step = (score * LayerEncoding::STEPS).round();
    (0.0..=LayerEncoding::STEPS).contains(&step).then_some(step as u8)
}

fn describe(dataset: &mut Dataset, LayerProduct { bands, encoding, .. }: &LayerProduct) -> gdal::errors::Result<()> {
    for (index, description) in bands.iter().enumerate() {
        let mut band = dataset.rasterband(index + 1)?;
        band.set_description(description)?;
        match encoding {
            LayerEncoding::F32 => band.set_no_data_value(Some(f64::NAN))?,
            LayerEncoding::U8 => {
                band.set_no_data_value(Some(u8::MAX.into()))?;
                band.set_scale(1.0 / f64::from(LayerEncoding::STEPS))?;
                band.set_offset(0.0)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_stored_in_254_steps() {
        assert_eq!(step(0.0), Some(0));
        assert_eq!(step(1.0), Some(254));
        assert_eq!(step(0.5), Some(127));
        assert_eq!(step(f32::NAN), Some(255));
        for k in 0..=254_u8 {
            assert_eq!(step(f32::from(k) * (1.0 / 254.0)), Some(k));
        }
    }

    #[test]
    fn rounding_errors_pass_and_logits_do_not() {
        assert_eq!(step(1.000_001), Some(254));
        assert_eq!(step(-1e-7), Some(0));
        for score in [1.01, -0.01, 7.5, f32::INFINITY] {
            assert_eq!(step(score), None, "{score}");
        }
    }
}
