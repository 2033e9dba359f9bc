//! A picture that shows at a glance how good labels are.

use std::path::Path;

use gdal::Dataset;
use gdal::errors::GdalError;
use gdal::raster::ResampleAlg;
use swath_models::{Class, Colour};
use swath_tiling::Window;

use crate::canvas::{BLACK, Canvas};
use crate::{Error, Existing, Result, font};

/// The widest picture, in pixels.
const MAX_WIDTH: usize = 1200;
/// Space between panels and around the legend, in pixels.
const GAP: usize = 6;
/// Size of a pixel of the legend's letters, in pixels.
const LETTER: usize = 2;
/// Shares of the pixels that are shown black and white at most: the stretch of the scene's panel.
const STRETCH: [f64; 2] = [0.02, 0.98];

/// The rasters of a [`preview`]; all cover the same pixels.
#[derive(Clone, Copy, Debug)]
pub struct Panels<'a> {
    /// The scene; its first three bands are shown as red, green and blue.
    pub scene: &'a Path,
    /// The true labels.
    pub truth: &'a Path,
    /// The labels to look at.
    pub labels: &'a Path,
}

/// Writes a PNG with the scene, the truth and the labels side by side, and the classes' names and colours underneath. It is at most 1200
/// pixels wide; a pixel of the scene is at least one of the rasters'.
///
/// # Errors
/// If a raster cannot be read, has another size than the scene, or the picture cannot be written.
pub fn preview(panels: Panels<'_>, classes: &[Class], picture: &Path) -> Result<()> {
    let scene = Raster::open(panels.scene)?;
    let rasters = [Raster::open(panels.truth)?, Raster::open(panels.labels)?];
    let (width, height) = scene.dataset.raster_size();
    for raster in &rasters {
        let (got_width, got_height) = raster.dataset.raster_size();
        if (got_width, got_height) != (width, height) {
            return Err(Error::PictureSize {
                path: raster.path.into(),
                expected_width: width,
                expected_height: height,
                width: got_width,
                height: got_height,
            });
        }
    }
    let [truth, labels] = rasters;
    let size = panel_size(width, height);
    let shown = Shown { size, scene: scene.bands(size)?, truth: truth.labels(size)?, labels: labels.labels(size)? };
    shown.draw(classes, picture)
}

/// Width and height of a panel that shows so many pixels.
pub(crate) fn panel_size(width: usize, height: usize) -> [usize; 2] {
    let panel = ((MAX_WIDTH - 2 * GAP) / 3).min(width);
    [panel, (height * panel / width).max(1)]
}

/// What three panels of a size show.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// Width and height.
    pub(crate) size: [usize; 2],
    /// Red, green and blue, one after the other, in any unit.
    pub(crate) scene: Vec<f32>,
    /// Values of classes; what is no class is black.
    pub(crate) truth: Vec<u8>,
    pub(crate) labels: Vec<u8>,
}

impl Shown {
    /// Writes the picture, in place of an earlier one.
    pub(crate) fn draw(&self, classes: &[Class], picture: &Path) -> Result<()> {
        let [panel, height] = self.size;
        let names = legend(classes, 3 * panel + 2 * GAP);
        let mut canvas = Canvas::new(3 * panel + 2 * GAP, height + names.height);
        canvas.paste(0, panel, &self.colours());
        for (place, labels) in (1..).zip([&self.truth, &self.labels]) {
            let colour = |label: &u8| classes.iter().find(|class| class.value == *label).map_or(BLACK, colour);
            canvas.paste(place * (panel + GAP), panel, &labels.iter().map(colour).collect::<Vec<_>>());
        }
        for (class, [x, y]) in classes.iter().zip(names.places) {
            entry(&mut canvas, class, x, height + y);
        }
        canvas.write(picture, Existing::Overwrite)
    }

    /// The scene, its bands stretched together so that colours stay what they are.
    fn colours(&self) -> Vec<Colour> {
        let stretched = stretch(&self.scene);
        let pixels = self.truth.len();
        let colour = |at| Colour { red: stretched[at], green: stretched[pixels + at], blue: stretched[2 * pixels + at] };
        (0..pixels).map(colour).collect()
    }
}

/// Draws an entry of the legend: a square of the class's colour and its name.
fn entry(canvas: &mut Canvas, class: &Class, x: usize, y: usize) {
    let side = LETTER * font::HEIGHT;
    canvas.fill(Window::plane(x, y, side, side), colour(class));
    canvas.text(&class.name, x + side + GAP, y, LETTER, BLACK);
}

/// Where the legend's entries go, and its height, in pixels.
struct Legend {
    places: Vec<[usize; 2]>,
    height: usize,
}

/// Sets the entries in lines, from left to right.
fn legend(classes: &[Class], width: usize) -> Legend {
    let line = LETTER * font::HEIGHT + GAP;
    let mut places = Vec::new();
    let [mut x, mut y] = [GAP, GAP];
    for class in classes {
        let entry = LETTER * (font::HEIGHT + (font::WIDTH + 1) * class.name.chars().count()) + GAP;
        if x > GAP && x + entry > width {
            [x, y] = [GAP, y + line];
        }
        places.push([x, y]);
        x += entry + 2 * GAP;
    }
    Legend { places, height: y + line }
}

/// A raster that is read at reduced size.
struct Raster<'a> {
    dataset: Dataset,
    path: &'a Path,
}

impl<'a> Raster<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let dataset = Dataset::open(path).map_err(|source| Error::Gdal { action: "open".into(), path: path.into(), source })?;
        Ok(Self { dataset, path })
    }

    fn read<T: Copy + gdal::raster::GdalType>(&self, band: usize, [w, h]: [usize; 2], by: ResampleAlg) -> Result<Vec<T>> {
        let read = || -> Result<Vec<T>, GdalError> {
            let size = self.dataset.raster_size();
            let buffer = self.dataset.rasterband(band)?.read_as::<T>((0, 0), size, (w, h), Some(by))?;
            Ok(buffer.into_shape_and_vec().1)
        };
        read().map_err(|source| Error::Gdal { action: format!("read band {band} of"), path: self.path.into(), source })
    }

    /// The first three bands, or the first one three times.
    fn bands(&self, size: [usize; 2]) -> Result<Vec<f32>> {
        let bands = if self.dataset.raster_count() < 3 { [1, 1, 1] } else { [1, 2, 3] };
        let mut values = Vec::new();
        for band in bands {
            values.extend(self.read::<f32>(band, size, ResampleAlg::Average)?);
        }
        Ok(values)
    }

    fn labels(&self, size: [usize; 2]) -> Result<Vec<u8>> {
        self.read(1, size, ResampleAlg::NearestNeighbour)
    }
}

const GREY: Colour = Colour { red: 128, green: 128, blue: 128 };

fn colour(class: &Class) -> Colour {
    class.colour.unwrap_or(GREY)
}

/// Values between two percentiles, spread over 0 to 255.
fn stretch(values: &[f32]) -> Vec<u8> {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f32::total_cmp);
    let at = |share: f64| sorted.get((share * sorted.len() as f64) as usize).copied().unwrap_or(0.0);
    let [low, high] = STRETCH.map(at);
    let range = (high - low).max(f32::MIN_POSITIVE);
    values.iter().map(|v| ((v - low) / range * 255.0).clamp(0.0, 255.0) as u8).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::demo::{DemoScene, classes};

    #[test]
    fn panels_show_the_rasters_and_the_legend_the_classes() {
        let folder = tempfile::tempdir().unwrap();
        let size = 800;
        let demo = DemoScene::new(1, size);
        let files = demo.write(folder.path()).unwrap();
        let picture = folder.path().join("preview.png");
        let panels = Panels { scene: &files.scene, truth: &files.truth, labels: &files.truth };
        preview(panels, &classes(), &picture).unwrap();

        let mut reader = png::Decoder::new(std::io::BufReader::new(File::open(&picture).unwrap())).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let (width, panel) = (info.width as usize, 396);
        assert_eq!((width, info.height as usize), (3 * panel + 2 * GAP, panel + 2 * GAP + 2 * font::HEIGHT));
        let at = |x: usize, y: usize| &pixels[3 * (y * width + x)..][..3];
        let colours: Vec<[u8; 3]> = classes().iter().map(colour).map(|c| [c.red, c.green, c.blue]).collect();
        for [x, y] in [[0, 0], [100, 200], [395, 395], [17, 301]] {
            let truth = at(panel + GAP + x, y);
            assert_eq!(truth, at(2 * (panel + GAP) + x, y));
            assert!(colours.iter().any(|c| c == truth));
        }
        assert_eq!(at(GAP, panel + GAP), colours[0]);
    }

    #[test]
    fn a_raster_of_another_size_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [small, large] = ["small", "large"].map(|name| folder.path().join(name));
        std::fs::create_dir(&small).unwrap();
        std::fs::create_dir(&large).unwrap();
        let small = DemoScene::new(1, 40).write(&small).unwrap();
        let large = DemoScene::new(1, 50).write(&large).unwrap();
        let panels = Panels { scene: &large.scene, truth: &large.truth, labels: &small.truth };
        let error = preview(panels, &classes(), &folder.path().join("preview.png")).unwrap_err().to_string();
        assert!(error.starts_with("expected 50 x 50 pixels in ") && error.ends_with("got 40 x 40"), "{error}");
    }

    #[test]
    fn an_earlier_picture_stays_when_the_disk_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let picture = folder.path().join("preview.png");
        std::fs::write(&picture, "mine").unwrap();
        // So few pixels that nothing is written before the end.
        let files = DemoScene::new(1, 40).write(folder.path()).unwrap();
        std::os::unix::fs::symlink("/dev/full", folder.path().join("preview.png.part")).unwrap();
        let panels = Panels { scene: &files.scene, truth: &files.truth, labels: &files.truth };
        let error = preview(panels, &classes(), &picture).unwrap_err();
        assert!(error.to_string().ends_with("preview.png.part"), "{error}");
        assert_eq!(std::fs::read(&picture).unwrap(), b"mine");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
