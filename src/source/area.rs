//! Which part of a scene is labelled.

use std::path::PathBuf;

use gdal::vector::{Geometry, OGRwkbGeometryType, geometry_type_flatten};
use serde_json::{Value, json};
use swath_tiling::Window;

use super::{Patch, RasterProfile, WindowReader};
use crate::digest::Digest;
use crate::laid_layer::{Burn, LaidLayer, LaidLayerReader};
use crate::{Error, Result};

/// Polygons in a file that OGR reads (`GeoJSON`, `GeoPackage`, ...), in any CRS: what lies in none of them is not labelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AreaFile {
    /// The file.
    pub path: PathBuf,
    /// Which of its layers, if it has several.
    pub layer: Option<String>,
}

/// The part of a scene that is labelled: the pixels whose centre lies in a polygon.
#[derive(Clone, Debug)]
pub struct Area {
    laid: LaidLayer,
    digest: String,
}

impl Area {
    /// Lays the polygons on a scene.
    pub(super) fn open(file: &AreaFile, scene: &RasterProfile) -> Result<Self> {
        let laid = LaidLayer::open(&file.path, file.layer.as_deref(), scene)?;
        let reader = laid.reader()?;
        let geometries = reader.geometries()?;
        let (path, layer) = (laid.path(), laid.layer());
        if let Some(other) = geometries.iter().find(|geometry| !is_polygonal(geometry)) {
            let got = other.geometry_name();
            return Err(Error::NotPolygons { path: path.into(), layer: layer.into(), got });
        }
        if !reader.may_touch(Window::all(scene.size))? {
            return Err(Error::AreaElsewhere { path: path.into(), layer: layer.into(), scene: scene.path.clone() });
        }
        let digest = digest(&geometries).map_err(|source| {
            let action = format!("read layer `{layer}` of");
            Error::Gdal { action, path: path.into(), source }
        })?;
        drop(reader);
        Ok(Self { laid, digest })
    }

    /// SHA-256 of the polygons, as 64 hexadecimal digits: the same for the same polygons in the same order, whatever the file.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What a product says about it.
    #[must_use]
    pub fn parameters(&self) -> Value {
        json!({ "file": self.laid.path(), "layer": self.laid.layer(), "sha256": self.digest })
    }

    /// A reader for the calling thread.
    pub(super) fn reader(&self) -> Result<AreaReader<'_>> {
        Ok(AreaReader { laid: self.laid.reader()?, burns: [Burn { value: 1, filter: None }] })
    }
}

/// Reads a scene within an area: of windows beside it, no pixel is read.
pub(super) struct ReaderWithin<'s> {
    pub(super) area: AreaReader<'s>,
    pub(super) pixels: Box<dyn WindowReader + 's>,
    /// How many bands are read.
    pub(super) bands: usize,
}

impl WindowReader for ReaderWithin<'_> {
    fn read(&mut self, window: Window) -> Result<Patch> {
        if let Some(wanted) = self.area.read(window)? {
            return Ok(Patch { wanted: Some(wanted), ..self.pixels.read(window)? });
        }
        let nothing = vec![false; window.area()];
        Ok(Patch { window, pixels: vec![0.0; self.bands * window.area()], valid: nothing.clone(), wanted: Some(nothing) })
    }

    fn prefetch(&mut self, coming: &mut dyn Iterator<Item = Window>, bytes: usize) {
        let Self { area, pixels, .. } = self;
        // What is wrong with the area shows when it is read.
        let is_read = |window: &Window| area.laid.may_touch(*window).unwrap_or(true);
        pixels.prefetch(&mut coming.filter(is_read), bytes);
    }
}

/// Says which pixels of windows lie in an area.
pub(super) struct AreaReader<'a> {
    laid: LaidLayerReader<'a>,
    burns: [Burn; 1],
}

impl AreaReader<'_> {
    /// Whether each pixel of a window lies in the area, `(height, width)`: `None` if none does.
    pub(super) fn read(&self, window: Window) -> Result<Option<Vec<bool>>> {
        if !self.laid.may_touch(window)? {
            return Ok(None);
        }
        let values = self.laid.burn(window, 0, &self.burns)?;
        Ok(values.contains(&1).then(|| values.into_iter().map(|value| value == 1).collect()))
    }
}

/// Whether it is a polygon, or made of polygons only. Others would be burned too, as lines and points.
fn is_polygonal(geometry: &Geometry) -> bool {
    match geometry_type_flatten(geometry.geometry_type()) {
        OGRwkbGeometryType::wkbPolygon | OGRwkbGeometryType::wkbMultiPolygon => true,
        OGRwkbGeometryType::wkbGeometryCollection => {
            (0..geometry.geometry_count()).all(|index| is_polygonal(&geometry.get_geometry(index)))
        }
        _ => false,
    }
}

fn digest(geometries: &[Geometry]) -> gdal::errors::Result<String> {
    let mut digest = Digest::default();
    if let Some(crs) = geometries.first().and_then(Geometry::spatial_ref) {
        digest.add(crs.to_wkt()?.as_bytes());
    }
    for geometry in geometries {
        digest.add(&geometry.wkb()?);
    }
    Ok(digest.hex())
}
