//! Labels in a vector layer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gdal::raster::rasterize;
use gdal::spatial_ref::{CoordTransform, SpatialRef};
use gdal::vector::{Feature, Geometry, Layer, LayerAccess as _};
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
    laid: LaidLayer,
    burns: Burns,
    /// Whether no feature can be on the scene.
    is_beside: bool,
}

/// A layer, and the scene that it is laid on.
#[derive(Debug)]
struct LaidLayer {
    path: PathBuf,
    layer: String,
    scene: PathBuf,
    georeference: Georeference,
}

/// What is burned, in order: what is later lies above what is earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Burns {
    features: Vec<Burn>,
    /// The class where there is no feature.
    background: u8,
}

/// Features that have one class.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Burn {
    class: u8,
    /// OGR attribute filter; all features without one.
    filter: Option<String>,
}

impl LabelVectors {
    /// Looks at a layer.
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
        let georeference = scene.georeference.clone();
        let laid = LaidLayer { path: path.into(), layer, scene: scene.path.clone(), georeference };
        let is_beside = laid.is_beside(&dataset, Window::all(scene.size))?;
        let burns = Burns::new(path, settings)?;
        laid.check_filters(&dataset, &burns)?;
        Ok(Self { laid, burns, is_beside })
    }

    /// A reader for the calling thread.
    pub(super) fn reader(&self) -> Result<LabelVectorsReader<'_>> {
        let dataset = open(&self.laid.path)?;
        let ways = self.laid.ways(&dataset)?;
        let memory = DriverManager::get_driver_by_name("MEM").map_err(|source| self.laid.fail("burn", source))?;
        Ok(LabelVectorsReader { labels: self, dataset, ways, memory })
    }

    /// An error if a layer lies beside all scenes that it is to label. It may lie beside some: these have none of its features.
    pub(super) fn check_all<'l>(all: impl Iterator<Item = &'l Self>) -> Result<(), TrainError> {
        let mut layers: BTreeMap<(&Path, &str), Vec<&Self>> = BTreeMap::new();
        for labels in all {
            layers.entry((&labels.laid.path, &labels.laid.layer)).or_default().push(labels);
        }
        match layers.values().find(|labels| labels.iter().all(|labels| labels.is_beside)) {
            Some(labels) => {
                let LaidLayer { path, layer, scene, .. } = &labels[0].laid;
                let (path, layer, scene) = (path.clone(), layer.clone(), scene.clone());
                Err(TrainError::LayerElsewhere { path, layer, scene, others: labels.len() - 1 })
            }
            None => Ok(()),
        }
    }
}

impl LaidLayer {
    /// Whether the layer's extent has nothing of the scene.
    fn is_beside(&self, dataset: &Dataset, all: Window) -> Result<bool> {
        let features = self.layer(dataset)?;
        if features.feature_count() == 0 {
            return Err(TrainError::LayerEmpty { path: self.path.clone(), layer: self.layer.clone() }.into());
        }
        let (ways, bounds) = (self.ways(dataset)?, self.bounds(all)?);
        let fail = |source| self.fail("find the extent of", source);
        let [left, bottom, right, top] = ways.back.transform_bounds(&bounds, DENSIFY).map_err(fail)?;
        let extent = features.get_extent().map_err(fail)?;
        Ok(extent.MinX > right || extent.MaxX < left || extent.MinY > top || extent.MaxY < bottom)
    }

    fn check_filters(&self, dataset: &Dataset, burns: &Burns) -> Result<()> {
        let mut features = self.layer(dataset)?;
        for burn in &burns.features {
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
        // Where a GeoPackage has none, newer versions of GDAL make one up that is called so.
        let is_known = |crs: &SpatialRef| !crs.name().is_some_and(|name| name.starts_with("Undefined "));
        let own = self.layer(dataset)?.spatial_ref().filter(is_known).ok_or_else(|| self.unplaced("the layer has no CRS"))?;
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
        let laid = &self.labels.laid;
        let bounds = laid.bounds(window)?;
        self.burn(window, bounds).map_err(|source| laid.fail(&format!("burn {window} from"), source))
    }

    fn burn(&self, window: Window, bounds: [f64; 4]) -> gdal::errors::Result<Vec<u8>> {
        let LabelVectors { laid, burns, .. } = self.labels;
        let size = (window.width, window.height);
        let mut raster = self.memory.create_with_band_type::<u8, _>("", size.0, size.1, 1)?;
        if let Some(transform) = laid.georeference.window(window).transform {
            raster.set_geo_transform(&transform)?;
        }
        raster.rasterband(1)?.fill(burns.background.into(), None)?;
        let mut layer = self.dataset.layer_by_name(&laid.layer)?;
        self.ways.select(&mut layer, bounds)?;
        for burn in &burns.features {
            filter(&mut layer, burn.filter.as_deref())?;
            // A feature may have no geometry.
            let own = |feature: Feature<'_>| Some(feature.geometry_by_index(0).ok()?.transform(&self.ways.there));
            let geometries = layer.features().filter_map(own);
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

impl Burns {
    /// What is burned for the classes of a recipe.
    fn new(path: &Path, settings: &Settings) -> Result<Self> {
        let places = || settings.classes.iter().zip(0u8..);
        let background = places().find(|(class, _)| class.background).map_or(Targets::IGNORE, |(_, place)| place);
        let mut features: Vec<Burn> = places()
            .filter(|(class, _)| !class.background)
            .map(|(class, place)| Burn { class: place, filter: class.filter.clone() })
            .collect();
        // One class may have all features; two could not both.
        if let Some(burn) = features.iter().find(|burn| burn.filter.is_none()).filter(|_| features.len() > 1) {
            let class = settings.classes[usize::from(burn.class)].name.clone();
            let expected = "`where` or `background = true`, as the labels are vectors";
            return Err(TrainError::ClassUnreadable { path: path.into(), expected, class }.into());
        }
        features.extend(settings.ignore.filter.clone().map(|filter| Burn { class: Targets::IGNORE, filter: Some(filter) }));
        Ok(Self { features, background })
    }
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
    use gdal::vector::{LayerOptions, OGRFieldType};

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
        open_file(workplace, settings, "labels.geojson", None)
    }

    fn open_file(workplace: &Workplace, settings: &Settings, file: &str, layer: Option<&str>) -> Result<Labels> {
        let files = SceneFiles {
            name: "scene".into(),
            image: workplace.path("scene.tif"),
            labels: workplace.path(file),
            layer: layer.map(str::to_owned),
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
        let Ok(Labels::Vectors(elsewhere)) = open(&workplace, &settings) else { panic!("no vectors") };
        let alone = LabelVectors::check_all([&elsewhere].into_iter()).unwrap_err().to_string();
        assert!(alone.starts_with("layer `labels` of ") && alone.ends_with("scene.tif"), "{alone}");
        let both = LabelVectors::check_all([&elsewhere, &elsewhere].into_iter()).unwrap_err().to_string();
        assert!(both.ends_with("scene.tif and 1 more"), "{both}");
        write_polygons(&path, Some("EPSG:32633"), &[("house", rectangle([0.0, 0.0, 5.0, 5.0]))]);
        let mut unclear = settings.clone();
        unclear.classes[0].background = false;
        unclear.classes[1].filter = None;
        assert!(error(&unclear).contains("got `zero` without"), "{}", error(&unclear));
    }

    /// A feature's kind and its geometry as WKT, if it has one.
    struct Row {
        kind: &'static str,
        geometry: Option<String>,
    }

    /// Writes a layer into a `GeoPackage`, beside those that it has.
    fn add_layer(path: &Path, name: &str, crs: Option<&SpatialRef>, rows: &[Row]) {
        let options = DatasetOptions {
            open_flags: GdalOpenFlags::GDAL_OF_UPDATE | GdalOpenFlags::GDAL_OF_VECTOR,
            ..DatasetOptions::default()
        };
        let driver = DriverManager::get_driver_by_name("GPKG").unwrap();
        let mut dataset = if path.exists() { Dataset::open_ex(path, options) } else { driver.create_vector_only(path) }.unwrap();
        let layer = dataset.create_layer(LayerOptions { name, srs: crs, ..LayerOptions::default() }).unwrap();
        layer.create_defn_fields(&[("kind", OGRFieldType::OFTString)]).unwrap();
        for row in rows {
            let mut feature = Feature::new(layer.defn()).unwrap();
            feature.set_field_string(feature.field_index("kind").unwrap(), row.kind).unwrap();
            if let Some(wkt) = &row.geometry {
                feature.set_geometry(Geometry::from_wkt(wkt).unwrap()).unwrap();
            }
            feature.create(&layer).unwrap();
        }
    }

    /// The rings of a polygon as WKT.
    fn rings(corners: [f64; 4]) -> String {
        let points: Vec<String> = rectangle(corners).iter().map(|[x, y]| format!("{x} {y}")).collect();
        format!("(({}))", points.join(", "))
    }

    #[test]
    fn layers_of_a_geopackage_are_labels() {
        let (workplace, settings) = workplace();
        let (path, utm) = (workplace.path("labels.gpkg"), SpatialRef::from_epsg(32633).unwrap());
        let [left, right, lower] = [[2.0, 2.0, 6.0, 8.0], [20.0, 2.0, 25.0, 8.0], [10.0, 20.0, 14.0, 29.0]].map(rings);
        let several = format!("MULTIPOLYGON ({left}, {right})");
        let collection = format!("GEOMETRYCOLLECTION (POLYGON {lower})");
        let row = |kind, geometry| Row { kind, geometry };
        add_layer(
            &path,
            "houses",
            Some(&utm),
            &[row("house", None), row("house", Some(several)), row("house", Some(collection))],
        );
        add_layer(&path, "roads", Some(&utm), &[row("house", Some(format!("POLYGON {}", rings([0.0, 0.0, 40.0, 1.0]))))]);
        let burned = |layer: &str, window: Window| {
            open_file(&workplace, &settings, "labels.gpkg", Some(layer)).unwrap().reader().unwrap().read(window).unwrap()
        };
        let is_house = |x: usize, y: usize| match y {
            2..8 => (2..6).contains(&x) || (20..25).contains(&x),
            20..29 => (10..14).contains(&x),
            _ => false,
        };
        let all = Window::plane(0, 0, 40, 30);
        let expected: Vec<u8> = (0..40 * 30).map(|at| u8::from(is_house(at % 40, at / 40))).collect();
        assert_eq!(burned("houses", all), expected);
        // Where the layer has nothing, there is background.
        assert_eq!(burned("houses", Window::plane(30, 10, 5, 5)), [0; 25]);
        assert_eq!(burned("roads", all), [[1; 40].as_slice(), &[0; 29 * 40]].concat());

        let error = |layer| open_file(&workplace, &settings, "labels.gpkg", layer).unwrap_err().to_string();
        let unnamed = error(None);
        assert!(
            unnamed.starts_with("expected one of the layers houses, roads of ") && unnamed.ends_with("got none"),
            "{unnamed}"
        );
        assert!(error(Some("trees")).ends_with("got `trees`"), "{}", error(Some("trees")));
        add_layer(&path, "nowhere", None, &[row("house", Some(format!("POLYGON {}", rings([0.0, 0.0, 9.0, 9.0]))))]);
        assert!(error(Some("nowhere")).ends_with("scene.tif: the layer has no CRS"), "{}", error(Some("nowhere")));
    }

    #[test]
    fn a_scene_may_have_no_feature_of_a_layer_for_several() {
        let (workplace, settings) = workplace();
        let path = workplace.path("labels.geojson");
        // All round the scene, but not on it: as a town's houses round a park.
        let round = [("house", rectangle([-30.0, -30.0, -20.0, -20.0])), ("house", rectangle([90.0, 90.0, 99.0, 99.0]))];
        write_polygons(&path, Some("EPSG:32633"), &round);
        let labels = open(&workplace, &settings).unwrap();
        LabelVectors::check_all(labels.vectors().into_iter()).unwrap();
        assert_eq!(labels.reader().unwrap().read(Window::plane(0, 0, 40, 30)).unwrap(), [0; 40 * 30]);
        // Beside one scene and on another.
        write_polygons(&path, Some("EPSG:32633"), &round[..1]);
        let beside = open(&workplace, &settings).unwrap();
        assert!(LabelVectors::check_all(beside.vectors().into_iter()).is_err());
        LabelVectors::check_all(beside.vectors().into_iter().chain(labels.vectors())).unwrap();
    }
}
