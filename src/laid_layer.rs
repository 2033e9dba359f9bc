//! Vector layers on the pixels of a scene.

use std::path::{Path, PathBuf};

use gdal::raster::rasterize;
use gdal::spatial_ref::{CoordTransform, SpatialRef};
use gdal::vector::{Feature, Geometry, Layer, LayerAccess as _};
use gdal::{Dataset, DatasetOptions, Driver, DriverManager, GdalOpenFlags};
use swath_tiling::Window;

use crate::source::RasterProfile;
use crate::{Error, Georeference, Result};

/// Points that an edge is divided into where a window's bounds are brought into another CRS, as GDAL recommends.
const DENSIFY: i32 = 21;

/// A vector layer, and the scene that it is laid on.
///
/// Corners are brought into the scene's CRS; the edges between them are straight there.
#[derive(Clone, Debug)]
pub(crate) struct LaidLayer {
    path: PathBuf,
    layer: String,
    scene: PathBuf,
    georeference: Georeference,
}

/// Features that are burned with one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Burn {
    pub(crate) value: u8,
    /// OGR attribute filter; all features without one.
    pub(crate) filter: Option<String>,
}

impl LaidLayer {
    /// Finds a layer: the one of this name, or the only one.
    ///
    /// # Errors
    /// If the file cannot be opened or has no such layer.
    pub(crate) fn open(path: &Path, layer: Option<&str>, scene: &RasterProfile) -> Result<Self> {
        let dataset = open(path)?;
        let names: Vec<String> = dataset.layers().map(|layer| layer.name()).collect();
        let chosen = match (layer, names.as_slice()) {
            (Some(wanted), _) => names.iter().find(|name| *name == wanted),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let Some(layer) = chosen.cloned() else {
            let got = layer.map_or_else(|| "none".into(), |wanted| format!("`{wanted}`"));
            return Err(Error::Layer { path: path.into(), layers: names.join(", "), got });
        };
        Ok(Self { path: path.into(), layer, scene: scene.path.clone(), georeference: scene.georeference.clone() })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Which of its layers.
    pub(crate) fn layer(&self) -> &str {
        &self.layer
    }

    /// What it is laid on.
    pub(crate) fn scene(&self) -> &Path {
        &self.scene
    }

    /// A reader for the calling thread.
    ///
    /// # Errors
    /// If layer or scene do not say where they are, or there is no way from one to the other.
    pub(crate) fn reader(&self) -> Result<LaidLayerReader<'_>> {
        let dataset = open(&self.path)?;
        let ways = self.ways(&dataset)?;
        let memory = DriverManager::get_driver_by_name("MEM").map_err(|source| self.fail("burn", source))?;
        Ok(LaidLayerReader { laid: self, dataset, ways, memory })
    }

    /// How coordinates get from the layer's CRS to the scene's, and back.
    fn ways(&self, dataset: &Dataset) -> Result<Ways> {
        let crs = self.georeference.crs().ok_or_else(|| self.unplaced("the scene has no CRS"))?;
        // Where a GeoPackage has none, newer versions of GDAL make one up that is called so.
        let is_known = |crs: &SpatialRef| !crs.name().is_some_and(|name| name.starts_with("Undefined "));
        let own = self.features(dataset)?.spatial_ref().filter(is_known).ok_or_else(|| self.unplaced("the layer has no CRS"))?;
        let way = |from, to| CoordTransform::new(from, to).map_err(|source| self.fail("transform", source));
        Ok(Ways { there: way(&own, &crs)?, back: way(&crs, &own)? })
    }

    fn features<'d>(&self, dataset: &'d Dataset) -> Result<Layer<'d>> {
        dataset.layer_by_name(&self.layer).map_err(|source| self.fail("read", source))
    }

    fn bounds(&self, window: Window) -> Result<[f64; 4]> {
        self.georeference.bounds(window).ok_or_else(|| self.unplaced("the scene has no transform"))
    }

    fn empty(&self) -> Error {
        Error::LayerEmpty { path: self.path.clone(), layer: self.layer.clone() }
    }

    fn unplaced(&self, reason: &'static str) -> Error {
        let (path, layer, scene) = (self.path.clone(), self.layer.clone(), self.scene.clone());
        Error::LayerUnplaced { path, layer, scene, reason }
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
pub(crate) struct LaidLayerReader<'l> {
    laid: &'l LaidLayer,
    dataset: Dataset,
    ways: Ways,
    memory: Driver,
}

impl LaidLayerReader<'_> {
    /// Whether the layer's extent has nothing of a window.
    ///
    /// # Errors
    /// If the layer has no features.
    pub(crate) fn is_beside(&self, window: Window) -> Result<bool> {
        let laid = self.laid;
        let features = laid.features(&self.dataset)?;
        if features.feature_count() == 0 {
            return Err(laid.empty());
        }
        let bounds = laid.bounds(window)?;
        let fail = |source| laid.fail("find the extent of", source);
        let [left, bottom, right, top] = self.ways.back.transform_bounds(&bounds, DENSIFY).map_err(fail)?;
        let extent = features.get_extent().map_err(fail)?;
        Ok(extent.MinX > right || extent.MaxX < left || extent.MinY > top || extent.MaxY < bottom)
    }

    /// An error if a filter is not understood.
    pub(crate) fn check_filters(&self, burns: &[Burn]) -> Result<()> {
        let mut features = self.laid.features(&self.dataset)?;
        for burn in burns {
            filter(&mut features, burn.filter.as_deref()).map_err(|source| self.laid.fail("filter", source))?;
        }
        Ok(())
    }

    /// All geometries of the layer, in its own CRS and order.
    ///
    /// # Errors
    /// If there are none.
    pub(crate) fn geometries(&self) -> Result<Vec<Geometry>> {
        let mut features = self.laid.features(&self.dataset)?;
        features.clear_spatial_filter();
        // A feature may have no geometry.
        let own = |feature: Feature<'_>| feature.geometry_by_index(0).ok().cloned();
        let geometries: Vec<Geometry> = features.features().filter_map(own).filter(|geometry| !geometry.is_empty()).collect();
        if geometries.is_empty() { Err(self.laid.empty()) } else { Ok(geometries) }
    }

    /// Whether a feature may have a pixel of the window; that none has is certain where it is not so.
    ///
    /// # Errors
    /// If the window cannot be brought into the layer's CRS.
    pub(crate) fn may_touch(&self, window: Window) -> Result<bool> {
        let mut features = self.laid.features(&self.dataset)?;
        let bounds = self.laid.bounds(window)?;
        self.ways.select(&mut features, bounds).map_err(|source| self.laid.fail("find the extent of", source))?;
        Ok(features.feature_count() > 0)
    }

    /// The values of a window's pixels `(height, width)`: that of the last of `burns` in whose features the pixel's centre lies, or `background`.
    ///
    /// # Errors
    /// If the layer cannot be read or burned.
    pub(crate) fn burn(&self, window: Window, background: u8, burns: &[Burn]) -> Result<Vec<u8>> {
        let bounds = self.laid.bounds(window)?;
        self.try_burn(window, bounds, background, burns).map_err(|source| self.laid.fail(&format!("burn {window} from"), source))
    }

    fn try_burn(&self, window: Window, bounds: [f64; 4], background: u8, burns: &[Burn]) -> gdal::errors::Result<Vec<u8>> {
        let size = (window.width, window.height);
        let mut raster = self.memory.create_with_band_type::<u8, _>("", size.0, size.1, 1)?;
        if let Some(transform) = self.laid.georeference.window(window).transform {
            raster.set_geo_transform(&transform)?;
        }
        raster.rasterband(1)?.fill(background.into(), None)?;
        let mut layer = self.dataset.layer_by_name(&self.laid.layer)?;
        self.ways.select(&mut layer, bounds)?;
        for burn in burns {
            filter(&mut layer, burn.filter.as_deref())?;
            // A feature may have no geometry.
            let own = |feature: Feature<'_>| Some(feature.geometry_by_index(0).ok()?.transform(&self.ways.there));
            let geometries = layer.features().filter_map(own);
            let geometries: Vec<Geometry> = geometries.collect::<Result<_, _>>()?;
            if !geometries.is_empty() {
                rasterize(&mut raster, &[1], &geometries, &vec![f64::from(burn.value); geometries.len()], None)?;
            }
        }
        let mut values = vec![0; window.area()];
        raster.rasterband(1)?.read_into_slice((0, 0), size, size, &mut values, None)?;
        Ok(values)
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
