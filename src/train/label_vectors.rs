//! Labels in a vector layer.

use std::collections::BTreeMap;
use std::path::Path;

use swath_models::train::Targets;
use swath_tiling::Window;

use super::TrainError;
use super::recipe::Settings;
use crate::Result;
use crate::laid_layer::{Burn, LaidLayer, LaidLayerReader};
use crate::source::RasterProfile;

/// Features of a layer, burned on the pixels of a scene: a pixel has the class of the feature in which its centre lies.
#[derive(Debug)]
pub(super) struct LabelVectors {
    laid: LaidLayer,
    burns: Burns,
    /// Whether no feature can be on the scene.
    is_beside: bool,
}

/// What is burned, in order: what is later lies above what is earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Burns {
    features: Vec<Burn>,
    /// The class where there is no feature.
    background: u8,
}

impl LabelVectors {
    /// Looks at a layer.
    pub(super) fn open(path: &Path, layer: Option<&str>, scene: &RasterProfile, settings: &Settings) -> Result<Self> {
        let laid = LaidLayer::open(path, layer, scene)?;
        let reader = laid.reader()?;
        let is_beside = reader.is_beside(Window::all(scene.size))?;
        let burns = Burns::new(path, settings)?;
        reader.check_filters(&burns.features)?;
        drop(reader);
        Ok(Self { laid, burns, is_beside })
    }

    /// A reader for the calling thread.
    pub(super) fn reader(&self) -> Result<LabelVectorsReader<'_>> {
        Ok(LabelVectorsReader { burns: &self.burns, laid: self.laid.reader()? })
    }

    /// An error if a layer lies beside all scenes that it is to label. It may lie beside some: these have none of its features.
    pub(super) fn check_all<'l>(all: impl Iterator<Item = &'l Self>) -> Result<(), TrainError> {
        let mut layers: BTreeMap<(&Path, &str), Vec<&Self>> = BTreeMap::new();
        for labels in all {
            layers.entry((labels.laid.path(), labels.laid.layer())).or_default().push(labels);
        }
        match layers.values().find(|labels| labels.iter().all(|labels| labels.is_beside)) {
            Some(labels) => {
                let laid = &labels[0].laid;
                let (path, layer, scene) = (laid.path().to_owned(), laid.layer().to_owned(), laid.scene().to_owned());
                Err(TrainError::LayerElsewhere { path, layer, scene, others: labels.len() - 1 })
            }
            None => Ok(()),
        }
    }
}

/// Burns the features of windows.
pub(super) struct LabelVectorsReader<'l> {
    burns: &'l Burns,
    laid: LaidLayerReader<'l>,
}

impl LabelVectorsReader<'_> {
    /// As [`LabelReader::read`](super::labels::LabelReader::read).
    pub(super) fn read(&mut self, window: Window) -> Result<Vec<u8>> {
        self.laid.burn(window, self.burns.background, &self.burns.features)
    }
}

impl Burns {
    /// What is burned for the classes of a recipe.
    fn new(path: &Path, settings: &Settings) -> Result<Self> {
        let places = || settings.classes.iter().zip(0u8..);
        let background = places().find(|(class, _)| class.background).map_or(Targets::IGNORE, |(_, place)| place);
        let mut features: Vec<Burn> = places()
            .filter(|(class, _)| !class.background)
            .map(|(class, place)| Burn { value: place, filter: class.filter.clone() })
            .collect();
        // One class may have all features; two could not both.
        if let Some(burn) = features.iter().find(|burn| burn.filter.is_none()).filter(|_| features.len() > 1) {
            let class = settings.classes[usize::from(burn.value)].name.clone();
            let expected = "`where` or `background = true`, as the labels are vectors";
            return Err(TrainError::ClassUnreadable { path: path.into(), expected, class }.into());
        }
        features.extend(settings.ignore.filter.clone().map(|filter| Burn { value: Targets::IGNORE, filter: Some(filter) }));
        Ok(Self { features, background })
    }
}

#[cfg(test)]
mod tests {
    use gdal::spatial_ref::{CoordTransform, SpatialRef};
    use gdal::vector::{Feature, Geometry, LayerAccess as _, LayerOptions, OGRFieldType};
    use gdal::{Dataset, DatasetOptions, DriverManager, GdalOpenFlags};

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
        let alone = LabelVectors::check_all([elsewhere.as_ref()].into_iter()).unwrap_err().to_string();
        assert!(alone.starts_with("layer `labels` of ") && alone.ends_with("scene.tif"), "{alone}");
        let both = LabelVectors::check_all([elsewhere.as_ref(); 2].into_iter()).unwrap_err().to_string();
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
