//! Labels in a vector layer.

use std::path::{Path, PathBuf};

use gdal::raster::rasterize;
use gdal::spatial_ref::CoordTransform;
use gdal::vector::{Geometry, Layer, LayerAccess as _};
use gdal::{Dataset, DatasetOptions, Driver, DriverManager, GdalOpenFlags};
use swath_models::train::Targets;
use swath_tiling::Window;

use super::TrainError;
use super::recipe::Settings;
use crate::source::RasterProfile;
use crate::{Error, Georeference, Result};

/// Points that an edge is divided into where a window's bounds are brought into another CRS, as GDAL recommends.
const DENSIFY: i32 = 21;

/// Features of a layer, burned on the pixels of a scene: a pixel has the class of the feature in which its centre lies.
#[derive(Debug)]
pub(super) struct LabelVectors {
    path: PathBuf,
    layer: String,
    /// What lies above what.
    burns: Vec<Burn>,
    /// The class where there is no feature.
    background: u8,
    georeference: Georeference,
    scene: PathBuf,
}

/// Features that have one class.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Burn {
    class: u8,
    /// OGR attribute filter; all features without one.
    filter: Option<String>,
}

impl LabelVectors {
    /// Looks at a layer, and checks that it has features on the scene.
    pub(super) fn open(path: &Path, layer: Option<&str>, scene: &RasterProfile, settings: &Settings) -> Result<Self> {
        let dataset = open(path)?;
        let names: Vec<String> = dataset.layers().map(|layer| layer.name()).collect();
        let chosen = match (layer, names.as_slice()) {
            (Some(wanted), _) => names.iter().find(|name| *name == wanted),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let Some(layer) = chosen.cloned() else {
            let got = layer.map_or_else(|| "none".into(), |wanted| format!("`{wanted}`"));
            return Err(TrainError::Layer { path: path.into(), layers: names.join(", "), got }.into());
        };
        let (georeference, scene_path) = (scene.georeference.clone(), scene.path.clone());
        let own = Self { path: path.into(), layer, burns: Vec::new(), background: 0, georeference, scene: scene_path };
        own.check(&dataset, Window::all(scene.size))?;
        let (burns, background) = burns(path, settings)?;
        let own = Self { burns, background, ..own };
        own.check_filters(&dataset)?;
        Ok(own)
    }

    /// A reader for the calling thread.
    pub(super) fn reader(&self) -> Result<LabelVectorsReader<'_>> {
        let dataset = open(&self.path)?;
        let ways = self.ways(&dataset)?;
        let memory = DriverManager::get_driver_by_name("MEM").map_err(|source| self.fail("burn", source))?;
        Ok(LabelVectorsReader { labels: self, dataset, ways, memory })
    }

    fn check(&self, dataset: &Dataset, all: Window) -> Result<()> {
        let (path, layer) = (self.path.clone(), self.layer.clone());
        let mut features = self.layer(dataset)?;
        if features.feature_count() == 0 {
            return Err(TrainError::LayerEmpty { path, layer }.into());
        }
        let ways = self.ways(dataset)?;
        ways.select(&mut features, self.bounds(all)?).map_err(|source| self.fail("read", source))?;
        if features.feature_count() == 0 {
            return Err(TrainError::LayerElsewhere { path, layer, scene: self.scene.clone() }.into());
        }
        Ok(())
    }

    fn check_filters(&self, dataset: &Dataset) -> Result<()> {
        let mut features = self.layer(dataset)?;
        for burn in &self.burns {
            filter(&mut features, burn.filter.as_deref()).map_err(|source| self.fail("filter", source))?;
        }
        Ok(())
    }

    fn layer<'d>(&self, dataset: &'d Dataset) -> Result<Layer<'d>> {
        dataset.layer_by_name(&self.layer).map_err(|source| self.fail("read", source))
    }

    /// How coordinates get from the layer's CRS to the scene's, and back.
    fn ways(&self, dataset: &Dataset) -> Result<Ways> {
        let crs = self.georeference.crs().ok_or_else(|| self.unplaced("the scene has no CRS"))?;
        let own = self.layer(dataset)?.spatial_ref().ok_or_else(|| self.unplaced("the layer has no CRS"))?;
        let way = |from, to| CoordTransform::new(from, to).map_err(|source| self.fail("transform", source));
        Ok(Ways { there: way(&own, &crs)?, back: way(&crs, &own)? })
    }

    fn bounds(&self, window: Window) -> Result<[f64; 4]> {
        Ok(self.georeference.bounds(window).ok_or_else(|| self.unplaced("the scene has no transform"))?)
    }

    fn unplaced(&self, reason: &'static str) -> TrainError {
        let (path, layer, scene) = (self.path.clone(), self.layer.clone(), self.scene.clone());
        TrainError::LayerUnplaced { path, layer, scene, reason }
    }

    fn fail(&self, action: &str, source: gdal::errors::GdalError) -> Error {
        Error::Gdal { action: format!("{action} layer `{}` of", self.layer), path: self.path.clone(), source }
    }
}

/// Between the CRS of a layer and that of a scene.
struct Ways {
    there: CoordTransform,
    back: CoordTransform,
}

impl Ways {
    /// Leaves a layer only those features that may be within bounds of the scene.
    fn select(&self, layer: &mut Layer<'_>, bounds: [f64; 4]) -> gdal::errors::Result<()> {
        let [left, bottom, right, top] = self.back.transform_bounds(&bounds, DENSIFY)?;
        layer.set_spatial_filter_rect(left, bottom, right, top);
        Ok(())
    }
}

/// Burns the features of windows.
pub(super) struct LabelVectorsReader<'l> {
    labels: &'l LabelVectors,
    dataset: Dataset,
    ways: Ways,
    memory: Driver,
}

impl LabelVectorsReader<'_> {
    /// As [`LabelReader::read`](super::labels::LabelReader::read).
    pub(super) fn read(&mut self, window: Window) -> Result<Vec<u8>> {
        let labels = self.labels;
        let bounds = labels.bounds(window)?;
        self.burn(window, bounds).map_err(|source| labels.fail(&format!("burn {window} from"), source))
    }

    fn burn(&self, window: Window, bounds: [f64; 4]) -> gdal::errors::Result<Vec<u8>> {
        let labels = self.labels;
        let size = (window.width, window.height);
        let mut raster = self.memory.create_with_band_type::<u8, _>("", size.0, size.1, 1)?;
        if let Some(transform) = labels.georeference.window(window).transform {
            raster.set_geo_transform(&transform)?;
        }
        raster.rasterband(1)?.fill(labels.background.into(), None)?;
        let mut layer = self.dataset.layer_by_name(&labels.layer)?;
        self.ways.select(&mut layer, bounds)?;
        for burn in &labels.burns {
            filter(&mut layer, burn.filter.as_deref())?;
            let geometries = layer.features().filter_map(|feature| Some(feature.geometry()?.transform(&self.ways.there)));
            let geometries: Vec<Geometry> = geometries.collect::<Result<_, _>>()?;
            if !geometries.is_empty() {
                rasterize(&mut raster, &[1], &geometries, &vec![f64::from(burn.class); geometries.len()], None)?;
            }
        }
        let mut classes = vec![0; window.area()];
        raster.rasterband(1)?.read_into_slice((0, 0), size, size, &mut classes, None)?;
        Ok(classes)
    }
}

/// What is burned for the classes of a recipe, in order, and what is beside it.
fn burns(path: &Path, settings: &Settings) -> Result<(Vec<Burn>, u8)> {
    let places = || settings.classes.iter().zip(0u8..);
    let background = places().find(|(class, _)| class.background).map_or(Targets::IGNORE, |(_, place)| place);
    let mut burns: Vec<Burn> = places()
        .filter(|(class, _)| !class.background)
        .map(|(class, place)| Burn { class: place, filter: class.filter.clone() })
        .collect();
    // One class may have all features; two could not both.
    if let Some(burn) = burns.iter().find(|burn| burn.filter.is_none()).filter(|_| burns.len() > 1) {
        let class = settings.classes[usize::from(burn.class)].name.clone();
        let expected = "`where` or `background = true`, as the labels are vectors";
        return Err(TrainError::ClassUnreadable { path: path.into(), expected, class }.into());
    }
    burns.extend(settings.ignore.filter.clone().map(|filter| Burn { class: Targets::IGNORE, filter: Some(filter) }));
    Ok((burns, background))
}

/// Leaves a layer only those features that an attribute filter lets pass.
fn filter(layer: &mut Layer<'_>, filter: Option<&str>) -> gdal::errors::Result<()> {
    let Some(filter) = filter else {
        layer.clear_attribute_filter();
        return Ok(());
    };
    layer.set_attribute_filter(filter)
}

fn open(path: &Path) -> Result<Dataset> {
    let open_flags = GdalOpenFlags::GDAL_OF_READONLY | GdalOpenFlags::GDAL_OF_VECTOR | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR;
    let options = DatasetOptions { open_flags, ..DatasetOptions::default() };
    Dataset::open_ex(path, options).map_err(|source| Error::Gdal { action: "open".into(), path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::super::labels::Labels;
    use super::super::paths::SceneFiles;
    use super::super::testing::{CORNER, PIXEL, Workplace, write_polygons};
    use super::*;
    use crate::source::{BandRequest, RasterSource as _, Scene};

    /// A rectangle in UTM coordinates whose corners are these columns and rows.
    fn rectangle([left, top, right, bottom]: [f64; 4]) -> Vec<[f64; 2]> {
        let corner = |column: f64, row: f64| [CORNER[0] + PIXEL * column, CORNER[1] - PIXEL * row];
        vec![corner(left, top), corner(right, top), corner(right, bottom), corner(left, bottom), corner(left, top)]
    }

    fn open(workplace: &Workplace, settings: &Settings) -> Result<Labels> {
        let files = SceneFiles {
            name: "scene".into(),
            image: workplace.path("scene.tif"),
            labels: workplace.path("labels.geojson"),
            layer: None,
        };
        let scene = Scene::open(&files.image, &[BandRequest::Number(1)])?;
        Labels::open(&files, scene.profile(), settings)
    }

    fn workplace() -> (Workplace, Settings) {
        let workplace = Workplace::new();
        workplace.raster("scene.tif", [40, 30], |x, _| x as u8);
        let mut settings = workplace.recipe(&[["scene.tif", "labels.geojson"]], "crop = 32\nsamples = 1", "").settings;
        settings.classes[1].filter = Some("kind = 'house'".into());
        settings.ignore.filter = Some("kind = 'unclear'".into());
        (workplace, settings)
    }

    #[test]
    fn a_pixel_has_the_class_of_the_polygon_in_which_its_centre_lies() {
        let (workplace, settings) = workplace();
        let polygons = [
            ("house", rectangle([3.4, 4.6, 10.4, 20.6])),
            ("road", rectangle([20.0, 0.0, 30.0, 30.0])),
            ("unclear", rectangle([8.0, 10.0, 14.0, 12.0])),
        ];
        write_polygons(&workplace.path("labels.geojson"), Some("EPSG:32633"), &polygons);
        let labels = open(&workplace, &settings).unwrap();
        let expected = |x: usize, y: usize| match (x, y) {
            (8..14, 10..12) => Targets::IGNORE,
            (3..10, 5..21) => 1,
            _ => 0,
        };
        let whole = Window::plane(0, 0, 40, 30);
        for window in [whole, Window::plane(5, 3, 20, 10), Window::plane(9, 11, 2, 2), Window::plane(30, 20, 10, 10)] {
            let pixels = (0..window.area()).map(|at| (window.x + at % window.width, window.y + at / window.width));
            let expected: Vec<u8> = pixels.map(|(x, y)| expected(x, y)).collect();
            assert_eq!(labels.reader().unwrap().read(window).unwrap(), expected, "{window}");
        }
    }

    #[test]
    fn polygons_in_another_crs_are_brought_onto_the_scene() {
        let (workplace, settings) = workplace();
        let utm = gdal::spatial_ref::SpatialRef::from_epsg(32633).unwrap();
        let mut degrees = gdal::spatial_ref::SpatialRef::from_epsg(4326).unwrap();
        degrees.set_axis_mapping_strategy(gdal::spatial_ref::AxisMappingStrategy::TraditionalGisOrder);
        let way = CoordTransform::new(&utm, &degrees).unwrap();
        let corner = |[x, y]: [f64; 2]| {
            let (mut x, mut y) = ([x], [y]);
            way.transform_coords(&mut x, &mut y, &mut []).unwrap();
            [x[0], y[0]]
        };
        // Corners in the middle between pixel centres: what the ways there and back change is far less.
        let ring = rectangle([10.0, 8.0, 17.0, 22.0]).into_iter().map(corner).collect();
        write_polygons(&workplace.path("labels.geojson"), None, &[("house", ring)]);
        let burned = open(&workplace, &settings).unwrap().reader().unwrap().read(Window::plane(0, 0, 40, 30)).unwrap();
        let expected: Vec<u8> =
            (0..40 * 30).map(|at| u8::from((10..17).contains(&(at % 40)) && (8..22).contains(&(at / 40)))).collect();
        assert_eq!(burned, expected);
    }

    #[test]
    fn layers_without_use_are_errors() {
        let (workplace, settings) = workplace();
        let path = workplace.path("labels.geojson");
        let error = |settings: &Settings| open(&workplace, settings).unwrap_err().to_string();
        write_polygons(&path, Some("EPSG:32633"), &[]);
        assert!(error(&settings).ends_with("has no features"), "{}", error(&settings));
        write_polygons(&path, None, &[("house", vec![[1.0, 1.0], [1.1, 1.0], [1.1, 1.1], [1.0, 1.0]])]);
        assert!(error(&settings).starts_with("no feature of layer `labels` of "), "{}", error(&settings));
        write_polygons(&path, Some("EPSG:32633"), &[("house", rectangle([0.0, 0.0, 5.0, 5.0]))]);
        let mut unclear = settings.clone();
        unclear.classes[0].background = false;
        unclear.classes[1].filter = None;
        assert!(error(&unclear).contains("got `zero` without"), "{}", error(&unclear));
    }
}
