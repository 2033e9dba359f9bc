//! Labels in a raster.

use std::path::Path;

use swath_models::train::Targets;
use swath_tiling::Window;

use super::TrainError;
use super::recipe::{ClassSettings, Settings};
use crate::Result;
use crate::evaluate::{Coding, NONE, UnknownPixel, check_grid, colour_bands, open_colours, open_labels};
use crate::source::{RasterProfile, RasterSource as _, Scene, WindowReader};

/// Labels in a raster on the pixels of a scene: one band with a value per class, or three of 8 bits with a colour. Its pixels without data do not
/// count.
#[derive(Debug)]
pub(super) struct LabelRaster {
    raster: Scene,
    coding: Coding,
}

impl LabelRaster {
    /// Looks at the raster, and checks that it lies on the scene's pixels.
    pub(super) fn open(path: &Path, scene: &RasterProfile, settings: &Settings) -> Result<Self> {
        let Settings { classes, ignore, .. } = settings;
        let is_coloured = colour_bands(path)?.len() == 3;
        let raster =
            if is_coloured { open_colours(path)? } else { open_labels(path, "one band of values, or three of colours")? };
        check_grid(scene, raster.profile())?;
        let readable = |has: fn(&ClassSettings) -> bool, expected| match classes.iter().find(|class| !has(class)) {
            Some(class) => Err(TrainError::ClassUnreadable { path: path.into(), expected, class: class.name.clone() }),
            None => Ok(()),
        };
        let coding = if is_coloured {
            readable(|class| !class.rgb.is_empty(), "`rgb`, as the labels have three bands")?;
            Coding::of_colours(meanings(classes, |class| &class.rgb, &ignore.rgb))
        } else {
            readable(|class| class.others || !class.values.is_empty(), "`values`, as the labels have one band")?;
            warn_of_nodata(raster.profile(), classes);
            value_coding(classes, &ignore.values)
        };
        Ok(Self { raster, coding })
    }

    /// A reader for the calling thread.
    pub(super) fn reader(&self) -> Result<LabelRasterReader<'_>> {
        Ok(LabelRasterReader { labels: self, reader: self.raster.reader()? })
    }
}

/// What the values of labels stand for: a class's place, or nothing that counts.
pub(super) fn value_coding(classes: &[ClassSettings], ignored: &[i64]) -> Coding {
    let others = (0u16..).zip(classes).find(|(_, class)| class.others).map(|(place, _)| place);
    Coding::of_values(meanings(classes, |class| &class.values, ignored)).with_others(others)
}

/// What stands for each class, with the class's place, and what does not count.
fn meanings<'s, T: Copy + 's>(
    classes: &'s [ClassSettings],
    own: fn(&ClassSettings) -> &[T],
    ignored: &'s [T],
) -> impl Iterator<Item = (T, u16)> + 's {
    let classes = (0u16..).zip(classes).flat_map(move |(place, class)| own(class).iter().map(move |label| (*label, place)));
    classes.chain(ignored.iter().map(|label| (*label, NONE)))
}

/// Warns of a class whose value is "no data" in the raster.
#[expect(clippy::float_cmp, reason = "nodata is one stored value, not a measurement near it")]
fn warn_of_nodata(labels: &RasterProfile, classes: &[ClassSettings]) {
    let Some(nodata) = labels.bands.iter().find(|band| !band.is_alpha()).and_then(|band| band.nodata) else { return };
    for class in classes.iter().filter(|class| class.values.iter().any(|value| *value as f64 == nodata)) {
        let path = labels.path.display();
        let hint = "`gdal_edit.py -unsetnodata` makes it count";
        tracing::warn!("{nodata} is no data in {path} and does not count, although it is class `{}`; {hint}", class.name);
    }
}

/// Reads the labels of windows.
pub(super) struct LabelRasterReader<'l> {
    labels: &'l LabelRaster,
    reader: Box<dyn WindowReader + 'l>,
}

impl LabelRasterReader<'_> {
    /// As [`LabelReader::read`](super::labels::LabelReader::read).
    pub(super) fn read(&mut self, window: Window) -> Result<Vec<u8>> {
        let LabelRaster { raster, coding } = self.labels;
        let places = coding.places(&self.reader.read(window)?).map_err(|UnknownPixel { what, x, y }| {
            TrainError::UnknownLabel { path: raster.profile().path.clone(), what, x, y, known: coding.known() }
        })?;
        // A recipe has at most 254 classes.
        Ok(places.into_iter().map(|place| u8::try_from(place).unwrap_or(Targets::IGNORE)).collect())
    }
}

#[cfg(test)]
mod tests {
    use gdal::DriverManager;
    use gdal::raster::Buffer;
    use swath_models::Colour;

    use super::super::testing::Workplace;
    use super::*;
    use crate::source::BandRequest;

    fn read(workplace: &Workplace, labels: &str, settings: &Settings) -> Result<Vec<u8>> {
        let scene = Scene::open(workplace.path("scene.tif"), &[BandRequest::Number(1)])?;
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
        settings.classes[0].others = true;
        workplace.raster("labels.tif", [4, 2], |x, y| [[0, 0, -4, 700], [9, 9, 0, 12_345]][y][x] as i16);
        assert_eq!(read(&workplace, "labels.tif", &settings).unwrap(), [0, 0, 1, 255, 0, 0]);
        workplace.raster("labels.tif", [4, 2], |x, _| f32::from(x == 2) / 2.0);
        let error = read(&workplace, "labels.tif", &settings).unwrap_err().to_string();
        assert!(error.starts_with("value 0.5 at column 2, row 0 of ") && error.ends_with("-3, 0, 9, 700"), "{error}");
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
        assert!(error(&settings).starts_with("colour FF0000 at column 3, row 1 of "), "{}", error(&settings));
        settings.ignore.rgb = colours(&["FF0000"]);
        assert_eq!(read(&workplace, "colours.tif", &settings).unwrap(), [1, 0, 1, 1, 0, 255]);
    }

    #[test]
    fn nodata_and_nan_never_count() {
        let (workplace, settings) = workplace();
        workplace.raster("labels.tif", [4, 2], |x, _| [1.0, 0.0, 1.0, f32::NAN][x]);
        for nodata in [f64::NAN, -1.0] {
            set_nodata(&workplace.path("labels.tif"), nodata);
            assert_eq!(read(&workplace, "labels.tif", &settings).unwrap(), [0, 1, 255, 0, 1, 255]);
        }
        // Even if there is a class for it: that is a warning.
        set_nodata(&workplace.path("labels.tif"), 0.0);
        assert_eq!(read(&workplace, "labels.tif", &settings).unwrap(), [255, 1, 255, 255, 1, 255]);
    }

    fn set_nodata(path: &Path, nodata: f64) {
        let options = gdal::DatasetOptions { open_flags: gdal::GdalOpenFlags::GDAL_OF_UPDATE, ..gdal::DatasetOptions::default() };
        let dataset = gdal::Dataset::open_ex(path, options).unwrap();
        dataset.rasterband(1).unwrap().set_no_data_value(Some(nodata)).unwrap();
        dataset.close().unwrap();
    }

    #[test]
    fn other_bands_are_no_labels() {
        let (workplace, mut settings) = workplace();
        let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
        let error = |settings: &Settings| read(&workplace, "labels.tif", settings).unwrap_err().to_string();
        for bands in [2, 4] {
            driver.create_with_band_type::<u16, _>(workplace.path("labels.tif"), 4, 2, bands).unwrap().close().unwrap();
            let expected = format!("got {bands} bands");
            assert!(error(&settings).starts_with("expected one band of values, or three of colours in "), "{}", error(&settings));
            assert!(error(&settings).ends_with(&expected), "{}", error(&settings));
        }
        for class in &mut settings.classes {
            class.rgb = vec!["000000".parse().unwrap()];
        }
        driver.create_with_band_type::<u16, _>(workplace.path("labels.tif"), 4, 2, 3).unwrap().close().unwrap();
        assert!(error(&settings).starts_with("expected three bands of 8 bits in "), "{}", error(&settings));
    }
}
