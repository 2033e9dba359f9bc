//! Labels in a raster.

use std::collections::BTreeMap;
use std::path::Path;

use swath_models::Colour;
use swath_models::train::Targets;
use swath_tiling::Window;

use super::TrainError;
use super::recipe::Settings;
use crate::Result;
use crate::evaluate::check_grid;
use crate::source::{BandRequest, Patch, RasterProfile, RasterSource as _, Scene, WindowReader};

/// Labels in a raster on the pixels of a scene: one band with a value per class, or three with a colour.
#[derive(Debug)]
pub(super) struct LabelRaster {
    raster: Scene,
    /// Class of each value, or of each colour as a number of 24 bits.
    classes: BTreeMap<i64, u8>,
    /// Whether the raster's own value for "no data" is a class of the recipe.
    nodata_counts: bool,
}

impl LabelRaster {
    /// Looks at the raster, and checks that it lies on the scene's pixels.
    pub(super) fn open(path: &Path, scene: &RasterProfile, settings: &Settings) -> Result<Self> {
        let band = |number| BandRequest::Number(number);
        let first = Scene::open(path, &[band(1)])?;
        let is_coloured = first.profile().bands.len() >= 3;
        let raster = if is_coloured { Scene::open(path, &[band(1), band(2), band(3)])? } else { first };
        check_grid(scene, raster.profile())?;
        let mut classes = BTreeMap::new();
        for (class, place) in settings.classes.iter().zip(0u8..) {
            let (values, expected) = if is_coloured {
                (class.rgb.iter().copied().map(number).collect(), "`rgb`, as the labels have three bands")
            } else {
                (class.values.clone(), "`values`, as the labels have one band")
            };
            if values.is_empty() {
                return Err(TrainError::ClassUnreadable { path: path.into(), expected, class: class.name.clone() }.into());
            }
            classes.extend(values.into_iter().map(|value| (value, place)));
        }
        let ignored: Vec<i64> =
            if is_coloured { settings.ignore.rgb.iter().copied().map(number).collect() } else { settings.ignore.values.clone() };
        classes.extend(ignored.into_iter().map(|value| (value, Targets::IGNORE)));
        let nodata = raster.profile().bands[0].nodata.filter(|_| !is_coloured);
        let nodata_counts = nodata.is_some_and(|value| classes.contains_key(&(value as i64)));
        Ok(Self { raster, classes, nodata_counts })
    }

    /// A reader for the calling thread.
    pub(super) fn reader(&self) -> Result<LabelRasterReader<'_>> {
        Ok(LabelRasterReader { labels: self, reader: self.raster.reader()? })
    }

    fn is_coloured(&self) -> bool {
        self.raster.bands().numbers().len() == 3
    }

    /// The class of a pixel's values, one per band.
    fn class(&self, values: [f32; 3]) -> Option<u8> {
        let whole = values.iter().all(|value| value.fract() == 0.0);
        let [first, second, third] = values.map(|value| value as i64);
        let value = if self.is_coloured() { first << 16 | second << 8 | third } else { first };
        self.classes.get(&value).copied().filter(|_| whole)
    }

    fn unknown(&self, values: [f32; 3], x: usize, y: usize) -> TrainError {
        let is_coloured = self.is_coloured();
        let colour = |value: &i64| format!("{value:06X}");
        let known = self.classes.keys().map(|value| if is_coloured { colour(value) } else { value.to_string() });
        let [red, green, blue] = values.map(|value| value as u8);
        let label = if is_coloured { Colour { red, green, blue }.to_string() } else { values[0].to_string() };
        TrainError::UnknownLabel {
            path: self.raster.profile().path.clone(),
            label,
            x,
            y,
            known: known.collect::<Vec<_>>().join(", "),
        }
    }
}

/// A colour as a number of 24 bits.
fn number(colour: Colour) -> i64 {
    i64::from(colour.red) << 16 | i64::from(colour.green) << 8 | i64::from(colour.blue)
}

/// Reads the labels of windows.
pub(super) struct LabelRasterReader<'l> {
    labels: &'l LabelRaster,
    reader: Box<dyn WindowReader + 'l>,
}

impl LabelRasterReader<'_> {
    /// As [`LabelReader::read`](super::labels::LabelReader::read).
    pub(super) fn read(&mut self, window: Window) -> Result<Vec<u8>> {
        let Patch { pixels, valid, .. } = self.reader.read(window)?;
        let (area, labels) = (window.area(), self.labels);
        let bands = pixels.len() / area;
        let values = |at: usize| [at, (bands / 2) * area + at, (bands - 1) * area + at].map(|at| pixels[at]);
        let mut classes = Vec::with_capacity(area);
        // Neighbours mostly have the same label.
        let (mut last, mut class) = ([f32::NAN.to_bits(); 3], None);
        for (at, valid) in valid.iter().enumerate() {
            let own = values(at);
            let bits = own.map(f32::to_bits);
            if bits != last {
                (last, class) = (bits, labels.class(own));
            }
            classes.push(match class {
                _ if !valid && !labels.nodata_counts => Targets::IGNORE,
                Some(class) => class,
                None => return Err(labels.unknown(own, window.x + at % window.width, window.y + at / window.width).into()),
            });
        }
        Ok(classes)
    }
}

#[cfg(test)]
mod tests {
    use gdal::DriverManager;
    use gdal::raster::Buffer;

    use super::super::testing::Workplace;
    use super::*;

    fn read(workplace: &Workplace, labels: &str, settings: &Settings) -> Result<Vec<u8>> {
        let scene = Scene::open(&workplace.path("scene.tif"), &[BandRequest::Number(1)])?;
        let labels = LabelRaster::open(&workplace.path(labels), scene.profile(), settings)?;
        labels.reader()?.read(Window::plane(1, 0, 3, 2))
    }

    fn workplace() -> (Workplace, Settings) {
        let workplace = Workplace::new();
        workplace.raster("scene.tif", [4, 2], |x, _| x as u8);
        let settings = workplace.recipe(&[["scene.tif", "labels.tif"]], "crop = 32\nsamples = 1", "").settings;
        (workplace, settings)
    }

    #[test]
    fn values_are_classes_or_do_not_count() {
        let (workplace, mut settings) = workplace();
        settings.classes[1].values = vec![-3, 700];
        settings.ignore.values = vec![9];
        workplace.raster("labels.tif", [4, 2], |x, y| [[0, 0, -3, 700], [9, 9, 0, 0]][y][x] as i16);
        assert_eq!(read(&workplace, "labels.tif", &settings).unwrap(), [0, 1, 1, 255, 0, 0]);
        workplace.raster("labels.tif", [4, 2], |x, _| f32::from(x == 2) / 2.0);
        let error = read(&workplace, "labels.tif", &settings).unwrap_err().to_string();
        assert!(error.starts_with("label 0.5 at column 2, row 0 of ") && error.ends_with("-3, 0, 9, 700"), "{error}");
    }

    #[test]
    fn colours_are_classes_or_do_not_count() {
        let (workplace, mut settings) = workplace();
        let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
        let dataset = driver.create_with_band_type::<u8, _>(workplace.path("colours.tif"), 4, 2, 3).unwrap();
        let planes = [[0, 255, 255, 0, 0, 255, 255, 255], [0, 255, 255, 0, 0, 255, 255, 0], [0, 0, 255, 255, 0, 0, 255, 0]];
        for (number, plane) in (1..).zip(planes) {
            dataset.rasterband(number).unwrap().write((0, 0), (4, 2), &mut Buffer::new((4, 2), plane.to_vec())).unwrap();
        }
        dataset.close().unwrap();
        let error = |settings: &Settings| read(&workplace, "colours.tif", settings).unwrap_err().to_string();
        assert!(error(&settings).ends_with("`rgb`, as the labels have three bands, got `zero` without"), "{}", error(&settings));
        let colours = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Colour>>();
        settings.classes[0].rgb = colours(&["FFFFFF"]);
        settings.classes[1].rgb = colours(&["0000FF", "FFFF00"]);
        assert!(error(&settings).starts_with("label FF0000 at column 3, row 1 of "), "{}", error(&settings));
        settings.ignore.rgb = colours(&["FF0000"]);
        assert_eq!(read(&workplace, "colours.tif", &settings).unwrap(), [1, 0, 1, 1, 0, 255]);
    }
}
