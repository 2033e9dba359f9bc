//! Where a raster lies on the ground.

use std::path::PathBuf;

use gdal::config::{clear_thread_local_config_option, set_thread_local_config_option};
use gdal::spatial_ref::{AxisMappingStrategy, CoordTransform, SpatialRef};
use gdal::{Dataset, Gcp, Metadata};
use serde::{Deserialize, Serialize};
use swath_tiling::{Size, Window};

use crate::{Error, Result};

/// What GDAL gives for rasters that have no transform.
const IDENTITY: [f64; 6] = [0.0, 1.0, 0.0, 0.0, 0.0, 1.0];

/// Where a raster lies on the ground, as its file says: nothing is computed, rounded or invented.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Georeference {
    /// GDAL's affine transform from `(column, row)` at a pixel's upper left corner to CRS units: `x = t[0] + t[1] column + t[2] row`,
    /// `y = t[3] + t[4] column + t[5] row`. Rotated and south-up rasters are legal.
    pub transform: Option<[f64; 6]>,
    /// The coordinate reference system, WKT2:2019. Coordinates are in the order x, y (longitude, latitude), whatever the CRS says.
    pub crs_wkt: Option<String>,
    /// Ground control points.
    #[serde(with = "gcps")]
    pub gcps: Vec<Gcp>,
    /// The coordinate reference system of the ground control points, WKT2:2019.
    pub gcp_crs_wkt: Option<String>,
}

impl Georeference {
    /// Copies the georeference of a raster. What the raster lacks stays empty.
    ///
    /// # Errors
    ///
    /// If GDAL cannot write a CRS as WKT.
    pub fn read(dataset: &Dataset) -> Result<Self> {
        let wkt = |crs: Option<SpatialRef>| crs.map(|crs| wkt2(&crs)).transpose();
        let gdal = |source| Error::Gdal { action: "read the CRS of".into(), path: path(dataset), source };
        Ok(Self {
            transform: dataset.geo_transform().ok().filter(|transform| *transform != IDENTITY),
            crs_wkt: wkt(dataset.spatial_ref().ok()).map_err(gdal)?.filter(|wkt| !wkt.is_empty()),
            gcps: dataset.gcps().iter().map(Gcp::from).collect(),
            gcp_crs_wkt: wkt(dataset.gcp_spatial_ref()).map_err(gdal)?.filter(|wkt| !wkt.is_empty()),
        })
    }

    /// Gives a new raster this georeference.
    ///
    /// # Errors
    ///
    /// If the CRS is not understood, or the format cannot have this georeference.
    pub fn write(&self, dataset: &mut Dataset) -> Result<()> {
        self.set(dataset).map_err(|source| Error::Gdal { action: "georeference".into(), path: path(dataset), source })
    }

    fn set(&self, dataset: &mut Dataset) -> gdal::errors::Result<()> {
        // A GeoTIFF has either a transform or control points. The transform says where each pixel is; from control points that follows
        // only after choosing a model, and a source with both has usually chosen already.
        if self.transform.is_none() && !self.gcps.is_empty() {
            let crs = self.gcp_crs_wkt.as_deref().map_or_else(SpatialRef::new, traditional)?;
            return dataset.set_gcps(self.gcps.clone(), &crs);
        }
        if let Some(transform) = &self.transform {
            dataset.set_geo_transform(transform)?;
        }
        self.crs_wkt.as_deref().map_or(Ok(()), |wkt| dataset.set_spatial_ref(&traditional(wkt)?))
    }

    /// The georeference of a window of this raster: the same one, with its origin moved. Without an offset, it is equal bit for bit.
    #[must_use]
    pub fn window(&self, window: Window) -> Self {
        let mut moved = self.clone();
        if window.x == 0 && window.y == 0 {
            return moved;
        }
        let [column, row] = [window.x as f64, window.y as f64];
        moved.transform = self.transform.map(|t| {
            let [x, y] = ground(&t, column, row);
            [x, t[1], t[2], y, t[4], t[5]]
        });
        for gcp in &mut moved.gcps {
            gcp.pixel -= column;
            gcp.line -= row;
        }
        moved
    }

    /// The georeference of a raster whose pixels are `factor` x `factor` of this one's.
    #[must_use]
    pub fn reduced(&self, factor: usize) -> Self {
        let (mut reduced, factor) = (self.clone(), factor as f64);
        reduced.transform = self.transform.map(|t| [t[0], t[1] * factor, t[2] * factor, t[3], t[4] * factor, t[5] * factor]);
        for gcp in &mut reduced.gcps {
            gcp.pixel /= factor;
            gcp.line /= factor;
        }
        reduced
    }

    /// Side of a pixel in units of the CRS, the mean of both if they differ: `None` without a transform.
    #[must_use]
    pub fn pixel_side(&self) -> Option<f64> {
        self.transform.map(|t| (t[1] * t[5] - t[2] * t[4]).abs().sqrt())
    }

    /// Smallest and largest x and y of a window, `[x, y, x, y]` in units of the CRS: `None` without a transform.
    pub(crate) fn bounds(&self, window: Window) -> Option<[f64; 4]> {
        let t = self.transform?;
        let [left, top, right, bottom] =
            [window.x, window.y, window.x + window.width, window.y + window.height].map(|at| at as f64);
        let corners = [[left, top], [right, top], [left, bottom], [right, bottom]].map(|[column, row]| ground(&t, column, row));
        let least = |axis: usize| corners.iter().map(|corner| corner[axis]).fold(f64::INFINITY, f64::min);
        let most = |axis: usize| corners.iter().map(|corner| corner[axis]).fold(f64::NEG_INFINITY, f64::max);
        Some([least(0), least(1), most(0), most(1)])
    }

    /// The CRS with coordinates in the order x, y: `None` if there is none that GDAL understands.
    pub(crate) fn crs(&self) -> Option<SpatialRef> {
        traditional(self.crs_wkt.as_deref()?).ok()
    }

    /// Ground area of a pixel in square metres, as measured on the map: `None` unless the raster has a transform and a projected CRS.
    #[must_use]
    pub fn pixel_area_m2(&self) -> Option<f64> {
        let t = self.transform?;
        let crs = traditional(self.crs_wkt.as_deref()?).ok().filter(SpatialRef::is_projected)?;
        Some((t[1] * t[5] - t[2] * t[4]).abs() * crs.linear_units().powi(2))
    }

    /// The raster's outline in longitude and latitude (WGS 84), degrees: a closed ring, counter-clockwise, whose edges are straight.
    ///
    /// `None` without a transform or CRS, where the CRS does not reach, and for a projected raster across the antimeridian or a pole,
    /// which no single ring can outline.
    #[must_use]
    pub fn footprint_wgs84(&self, size: Size) -> Option<[[f64; 2]; 5]> {
        let t = self.transform?;
        let crs = traditional(self.crs_wkt.as_deref()?).ok()?;
        let [width, height] = [size.width as f64, size.height as f64];
        let corners = [[0.0, 0.0], [0.0, height], [width, height], [width, 0.0]].map(|[column, row]| ground(&t, column, row));
        let mut x = corners.map(|[x, _]| x);
        let mut y = corners.map(|[_, y]| y);
        let wgs84 = traditional("EPSG:4326").ok()?;
        CoordTransform::new(&crs, &wgs84).ok()?.transform_coords(&mut x, &mut y, &mut []).ok()?;
        if !x.iter().chain(&y).all(|degrees| degrees.is_finite()) {
            return None;
        }
        let [west, east] = [x.iter().copied().fold(f64::INFINITY, f64::min), x.iter().copied().fold(f64::NEG_INFINITY, f64::max)];
        if crs.is_projected() && east - west > 180.0 {
            return None;
        }
        let mut ring: [[f64; 2]; 5] = std::array::from_fn(|corner| [x[corner % 4], y[corner % 4]]);
        // Down, right, up, left is counter-clockwise for a north-up raster and clockwise for a south-up one.
        let twice_area: f64 = ring.windows(2).map(|edge| edge[0][0] * edge[1][1] - edge[1][0] * edge[0][1]).sum();
        if twice_area < 0.0 {
            ring.reverse();
        }
        Some(ring)
    }

    /// The CRS as an authority code, such as "EPSG:32633", where its WKT names one.
    #[must_use]
    pub fn crs_code(&self) -> Option<String> {
        traditional(self.crs_wkt.as_deref()?).ok()?.authority().ok()
    }
}

/// Whether two definitions are of the same CRS; names and the order of axes do not matter.
pub(crate) fn is_same_crs(first: &str, second: &str) -> bool {
    match (traditional(first), traditional(second)) {
        (Ok(a), Ok(b)) => a == b || matches!((a.authority(), b.authority()), (Ok(a), Ok(b)) if a == b),
        _ => first == second,
    }
}

/// The point that a transform gives for a column and a row.
pub(crate) fn ground(t: &[f64; 6], column: f64, row: f64) -> [f64; 2] {
    [t[0] + t[1] * column + t[2] * row, t[3] + t[4] * column + t[5] * row]
}

/// A CRS whose coordinates are in the order x, y, as in every raster.
fn traditional(definition: &str) -> gdal::errors::Result<SpatialRef> {
    let mut crs = SpatialRef::from_definition(definition)?;
    crs.set_axis_mapping_strategy(AxisMappingStrategy::TraditionalGisOrder);
    Ok(crs)
}

fn wkt2(crs: &SpatialRef) -> gdal::errors::Result<String> {
    // The default, WKT1, cannot say everything that a CRS may be.
    set_thread_local_config_option("OSR_WKT_FORMAT", "WKT2_2019")?;
    let wkt = crs.to_wkt();
    clear_thread_local_config_option("OSR_WKT_FORMAT")?;
    wkt
}

fn path(dataset: &Dataset) -> PathBuf {
    dataset.description().unwrap_or_default().into()
}

/// Ground control points as text: GDAL's have no such form.
mod gcps {
    use gdal::Gcp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(remote = "Gcp")]
    struct Fields {
        id: String,
        info: String,
        pixel: f64,
        line: f64,
        x: f64,
        y: f64,
        z: f64,
    }

    #[derive(Serialize, Deserialize)]
    struct Point(#[serde(with = "Fields")] Gcp);

    pub(super) fn serialize<S: Serializer>(gcps: &[Gcp], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(gcps.iter().cloned().map(Point))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Gcp>, D::Error> {
        Ok(Vec::<Point>::deserialize(deserializer)?.into_iter().map(|Point(gcp)| gcp).collect())
    }
}
