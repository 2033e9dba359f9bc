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
            return Err(Error::TooSmall { path: own.path.clone(), size: own.size, factor });
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
    fn stored(&self, window: Window) -> Window {
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
        // A pixel is wanted if one of its stored ones is.
        let mut wanted: Option<Vec<bool>> = None;
        let step = (ROWS / factor).max(1);
        for start in (0..window.height).step_by(step) {
            let strip = Window { y: window.y + start, height: step.min(window.height - start), ..window };
            let Patch { window: read, pixels, valid, wanted: stored } = self.stored.read(self.source.stored(strip))?;
            if let Some(stored) = stored {
                let wanted = wanted.get_or_insert_with(|| vec![false; window.area()]);
                for (at, _) in stored.iter().enumerate().filter(|(_, wanted)| **wanted) {
                    wanted[(start + at / read.width / factor) * window.width + at % read.width / factor] = true;
                }
            }
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
        Ok(Patch { window, pixels, valid: counts.iter().map(|count| *count > 0).collect(), wanted })
    }

    fn prefetch(&mut self, coming: &mut dyn Iterator<Item = Window>, bytes: usize) {
        let Self { source, stored } = self;
        stored.prefetch(&mut coming.map(|window| source.stored(window)), bytes);
    }
}

#[cfg(test)]
mod tests {
    use gdal::DriverManager;
    use gdal::raster::Buffer;

    use super::*;
    use crate::source::BandRequest;

    #[test]
    fn pixels_are_the_means_of_valid_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scene.tif");
        let mut dataset =
            DriverManager::get_driver_by_name("GTiff").unwrap().create_with_band_type::<u8, _>(&path, 5, 4, 1).unwrap();
        dataset.set_geo_transform(&[100.0, 2.0, 0.0, 50.0, 0.0, -2.0]).unwrap();
        let mut band = dataset.rasterband(1).unwrap();
        band.set_no_data_value(Some(9.0)).unwrap();
        #[rustfmt::skip]
        let pixels = vec![
            1, 2, 9, 9, 7,
            3, 4, 9, 6, 7,
            9, 9, 0, 1, 7,
            9, 9, 2, 4, 7,
        ];
        band.write((0, 0), (5, 4), &mut Buffer::new((5, 4), pixels)).unwrap();
        dataset.close().unwrap();

        let reduced = Reduced::new(Scene::open(&path, &[BandRequest::Number(1)]).unwrap(), 2).unwrap();
        assert_eq!(reduced.profile().size, Size::plane(2, 2));
        assert_eq!(reduced.profile().georeference.transform, Some([100.0, 4.0, 0.0, 50.0, 0.0, -4.0]));
        let mut reader = reduced.reader().unwrap();
        let patch = reader.read(Window::plane(0, 0, 2, 2)).unwrap();
        assert_eq!(patch.valid, [true, true, false, true]);
        assert_eq!(patch.pixels, [2.5, 6.0, 0.0, 1.75]);
        assert_eq!(reader.read(Window::plane(1, 1, 1, 1)).unwrap().pixels, [1.75]);
        let error = Reduced::new(Scene::open(&path, &[]).unwrap(), 6).unwrap_err().to_string();
        assert_eq!(error, format!("expected at least the 6 x 6 pixels that become one, got 5 x 4 for {}", path.display()));
    }
}
