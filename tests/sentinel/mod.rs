//! A scene as Sentinel-2 has them: a file for each band, in three resolutions, and the STAC item that says where they are.
#![allow(dead_code, reason = "every test binary uses its own part of it")]
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};

use gdal::DriverManager;
use gdal::raster::{Buffer, RasterCreationOptions};
use gdal::spatial_ref::SpatialRef;
use serde_json::{Map, Value, json};

/// Metres a side.
pub(crate) const EXTENT: usize = 2400;

/// Pixels a side at 10 m.
pub(crate) const SIDE: usize = EXTENT / 10;

/// A band: its name, its common name, and metres a side of its pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Band {
    pub(crate) name: &'static str,
    pub(crate) common_name: &'static str,
    pub(crate) metres: usize,
}

/// Two bands of each resolution, and a third one of 10 m.
pub(crate) const BANDS: [Band; 7] = [
    Band { name: "B02", common_name: "blue", metres: 10 },
    Band { name: "B03", common_name: "green", metres: 10 },
    Band { name: "B04", common_name: "red", metres: 10 },
    Band { name: "B05", common_name: "rededge071", metres: 20 },
    Band { name: "B11", common_name: "swir16", metres: 20 },
    Band { name: "B01", common_name: "coastal", metres: 60 },
    Band { name: "B09", common_name: "nir09", metres: 60 },
];

/// What a pixel of a band has: the same for the same seed, never 0.
pub(crate) fn value(seed: usize, band: &str, x: usize, y: usize) -> u16 {
    let own = band.bytes().fold(seed + 1, |mixed, byte| mixed * 31 + usize::from(byte));
    let mixed = (x + 1).wrapping_mul(73_856_093) ^ (y + 1).wrapping_mul(19_349_663) ^ own.wrapping_mul(83_492_791);
    u16::try_from(1 + (mixed ^ (mixed >> 13)) % 9_999).unwrap()
}

/// Writes a scene's files into `folder/ID`, and its item, `folder/ID/ID.json`, which refers to them as `./B02.tif` and so on. 0 is nodata: pixels of
/// the last 60 m of rows have none in any band.
pub(crate) fn write(folder: &Path, id: &str, seed: usize) -> PathBuf {
    let folder = folder.join(id);
    fs::create_dir_all(&folder).unwrap();
    for band in BANDS {
        write_band(&folder.join(format!("{}.tif", band.name)), band, seed);
    }
    let item = folder.join(format!("{id}.json"));
    fs::write(&item, format!("{:#}", self::item(id, "."))).unwrap();
    item
}

/// The item of a scene whose files are at `base`: bands in the way of STAC 1.1, and in that of the extension `eo`; a thumbnail and metadata beside.
pub(crate) fn item(id: &str, base: &str) -> Value {
    let asset = |band: &Band| {
        json!({
            "href": format!("{base}/{}.tif", band.name),
            "type": "image/tiff; application=geotiff",
            "roles": ["data", "reflectance"],
            "gsd": band.metres,
            "bands": [{ "name": band.name, "eo:common_name": band.common_name }],
            "eo:bands": [{ "name": band.name, "common_name": band.common_name }],
        })
    };
    let mut assets: Map<String, Value> = BANDS.iter().map(|band| (band.common_name.to_owned(), asset(band))).collect();
    let thumbnail = json!({
        "href": format!("{base}/preview.jpg"),
        "type": "image/jpeg",
        "roles": ["thumbnail"],
        "bands": [{ "name": "B04" }, { "name": "B03" }, { "name": "B02" }],
    });
    assets.insert("thumbnail".into(), thumbnail);
    let metadata = json!({ "href": format!("{base}/metadata.xml"), "type": "application/xml", "roles": ["metadata"] });
    assets.insert("granule_metadata".into(), metadata);
    json!({
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": id,
        "geometry": null,
        "properties": { "datetime": "2024-06-01T10:05:59.024000Z" },
        "assets": assets,
        "links": [],
    })
}

fn write_band(path: &Path, band: Band, seed: usize) {
    let side = EXTENT / band.metres;
    let options = RasterCreationOptions::from_iter(["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64", "COMPRESS=DEFLATE"]);
    let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
    let mut raster = driver.create_with_band_type_with_options::<u16, _>(path, side, side, 1, &options).unwrap();
    raster.set_geo_transform(&[399_960.0, band.metres as f64, 0.0, 5_000_040.0, 0.0, -(band.metres as f64)]).unwrap();
    raster.set_spatial_ref(&SpatialRef::from_epsg(32633).unwrap()).unwrap();
    let has_data = |y: usize| (y + 1) * band.metres <= EXTENT - 60;
    let pixel = |at: usize| if has_data(at / side) { value(seed, band.name, at % side, at / side) } else { 0 };
    let mut pixels = Buffer::new((side, side), (0..side * side).map(pixel).collect());
    let mut own = raster.rasterband(1).unwrap();
    own.set_no_data_value(Some(0.0)).unwrap();
    own.write((0, 0), (side, side), &mut pixels).unwrap();
    raster.close().unwrap();
}
