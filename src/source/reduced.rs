//! Scenes at a coarser resolution.

use swath_tiling::{Size, Window};

use super::{Patch, RasterProfile, RasterSource, Scene, WindowReader};
use crate::{Error, Result};

/// Stored rows that are read at once.
const ROWS: usize = 1024;

/// A scene whose pixels are the means of `factor` x `factor` stored ones, as far as these are valid; a pixel is valid if one of them is. Rows and
/// columns that fill no pixel are left out.
#[derive(Debug)]
pub struct Reduced {
    scene: Scene,
    factor: usize,
    profile: RasterProfile,
}

impl Reduced {
    /// The scene by this factor, at least 1.
    ///
    /// # Errors
    /// If no pixel is left.
    pub fn new(scene: Scene, factor: usize) -> Result<Self> {
        let own = scene.profile();
        let size = Size::plane(own.size.width / factor, own.size.height / factor);
        if size.area() == 0 {
            return Err(Error::NoBands { path: own.path.clone() });
        }
        let block = Size::plane((own.block.width / factor).max(1), (own.block.height / factor).max(1));
        let profile = RasterProfile { size, block, georeference: own.georeference.reduced(factor), ..own.clone() };
        Ok(Self { scene, factor, profile })
    }

    /// The scene as it is stored.
    #[must_use]
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// Stored pixels a side that become one.
    #[must_use]
    pub fn factor(&self) -> usize {
        self.factor
    }

    /// The stored pixels of a window.
    #[must_use]
    pub fn stored(&self, window: Window) -> Window {
        let Window { x, y, width, height, .. } = window;
        Window::plane(x * self.factor, y * self.factor, width * self.factor, height * self.factor)
    }
}

impl RasterSource for Reduced {
    fn profile(&self) -> &RasterProfile {
        &self.profile
    }

    fn reader(&self) -> Result<Box<dyn WindowReader + '_>> {
        let stored = self.scene.reader()?;
        Ok(if self.factor == 1 { stored } else { Box::new(ReducedReader { source: self, stored }) })
    }
}

struct ReducedReader<'r> {
    source: &'r Reduced,
    stored: Box<dyn WindowReader + 'r>,
}

impl WindowReader for ReducedReader<'_> {
    fn read(&mut self, window: Window) -> Result<Patch> {
        let (factor, bands) = (self.source.factor, self.source.scene.bands().numbers().len());
        let area = window.area();
        let (mut sums, mut counts) = (vec![0f64; bands * area], vec![0u32; area]);
        let step = (ROWS / factor).max(1);
        for start in (0..window.height).step_by(step) {
            let strip = Window { y: window.y + start, height: step.min(window.height - start), ..window };
            let Patch { window: read, pixels, valid } = self.stored.read(self.source.stored(strip))?;
            for (row, line) in valid.chunks_exact(read.width).enumerate() {
                let to = (start + row / factor) * window.width;
                for (column, _) in line.iter().enumerate().filter(|(_, valid)| **valid) {
                    let at = to + column / factor;
                    counts[at] += 1;
                    for band in 0..bands {
                        sums[band * area + at] += f64::from(pixels[band * read.area() + row * read.width + column]);
                    }
                }
            }
        }
        let mean = |(sum, count): (&f64, &u32)| if *count == 0 { 0.0 } else { (sum / f64::from(*count)) as f32 };
        let pixels = sums.chunks_exact(area).flat_map(|band| band.iter().zip(&counts).map(mean)).collect();
        Ok(Patch { window, pixels, valid: counts.iter().map(|count| *count > 0).collect() })
    }
}
