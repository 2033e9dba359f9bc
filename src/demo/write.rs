//! The generated scene as GeoTIFF files.

use std::path::{Path, PathBuf};

use gdal::errors::GdalError;
use gdal::raster::{Buffer, ColorEntry, ColorTable, RasterCreationOptions};
use gdal::spatial_ref::SpatialRef;
use gdal::{Dataset, DriverManager, Metadata};

use super::classes;
use super::scene::{BANDS, DemoScene};
use crate::sink::{Heed, Unpublished, watch};
use crate::{Error, Existing, Result};

/// Side of a tile of the files, and so the number of rows drawn and written at once.
const TILE: usize = 512;
/// UTM zone 32 north on WGS 84.
const EPSG: u32 = 32632;
/// Easting and northing of the scene's north-west corner, in metres: farmland in Upper Swabia.
const ORIGIN: [f64; 2] = [560_000.0, 5_330_000.0];
const BAND_NAMES: [&str; BANDS] = ["red", "green", "blue", "nir"];

/// The files of a generated scene.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoFiles {
    /// `scene.tif`: four bands (red, green, blue, nir) of `u8`; 255 is a reflectance of 1.
    pub scene: PathBuf,
    /// `truth.tif`: one band of `u8` with the labels of [`classes`], their colours and, as metadata of the band, their names.
    pub truth: PathBuf,
}

impl DemoScene {
    /// Writes `scene.tif` and `truth.tif` into a folder, which must exist, in place of files of the same name. Only a row of tiles is in
    /// memory at a time.
    ///
    /// # Errors
    /// If GDAL cannot create or write the files; the message names the file.
    pub fn write(&self, folder: &Path) -> Result<DemoFiles> {
        let files = DemoFiles { scene: folder.join("scene.tif"), truth: folder.join("truth.tif") };
        let mut scene = self.create(&files.scene, BANDS, &["PHOTOMETRIC=RGB", "ALPHA=NO", "PREDICTOR=2"])?;
        let mut truth = self.create(&files.truth, 1, &[])?;
        scene.act("describe", |dataset| {
            (1..).zip(BAND_NAMES).try_for_each(|(band, name)| dataset.rasterband(band)?.set_description(name))
        })?;
        truth.act("describe", |dataset| {
            let mut band = dataset.rasterband(1)?;
            let mut colours = ColorTable::default();
            for class in classes() {
                if let Some(c) = class.colour {
                    let [red, green, blue] = [c.red, c.green, c.blue].map(i16::from);
                    colours.set_color_entry(class.value.into(), &ColorEntry::rgba(red, green, blue, 255));
                }
                band.set_metadata_item(&format!("CLASS_{}", class.value), class.label(), "")?;
            }
            band.set_color_table(&colours);
            band.set_description("class")
        })?;
        let size = self.size();
        for top in (0..size).step_by(TILE) {
            let height = TILE.min(size - top);
            let rows = self.rows(top..top + height);
            let put = |dataset: &mut Dataset, band: usize, pixels: &[u8]| {
                let mut buffer = Buffer::new((size, height), pixels.to_vec());
                dataset.rasterband(band)?.write((0, top as isize), (size, height), &mut buffer)
            };
            scene.act("write", |dataset| {
                (1..).zip(rows.image.chunks_exact(size * height)).try_for_each(|(band, pixels)| put(dataset, band, pixels))
            })?;
            truth.act("write", |dataset| put(dataset, 1, &rows.labels))?;
        }
        let outputs = [scene.complete()?, truth.complete()?];
        outputs.into_iter().try_for_each(Unpublished::publish)?;
        Ok(files)
    }

    /// An empty file of the scene's size and place.
    fn create(&self, path: &Path, bands: usize, options: &[&str]) -> Result<Partial> {
        let output = Unpublished::create(path, Existing::Overwrite)?;
        let common = ["TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "COMPRESS=DEFLATE", "BIGTIFF=IF_SAFER"];
        let options: RasterCreationOptions = common.iter().chain(options).copied().collect();
        let create = || {
            let driver = DriverManager::get_driver_by_name("GTiff")?;
            let mut dataset =
                driver.create_with_band_type_with_options::<u8, _>(output.part(), self.size(), self.size(), bands, &options)?;
            dataset.set_spatial_ref(&SpatialRef::from_epsg(EPSG)?)?;
            dataset.set_geo_transform(&[ORIGIN[0], 1.0, 0.0, ORIGIN[1], 0.0, -1.0])?;
            Ok(dataset)
        };
        let created = watch(Heed::Failures, create);
        let dataset = created.map_err(|source| Error::Gdal { action: "create".into(), path: path.into(), source })?;
        Ok(Partial { dataset, output })
    }
}

/// A file that gets its name when it is complete.
struct Partial {
    // Closed before its file is removed: fields are dropped in this order.
    dataset: Dataset,
    output: Unpublished,
}

impl Partial {
    fn act(&mut self, action: &str, act: impl FnOnce(&mut Dataset) -> Result<(), GdalError>) -> Result<()> {
        let result = watch(Heed::Failures, || act(&mut self.dataset));
        result.map_err(|source| Error::Gdal { action: action.into(), path: self.output.part().into(), source })
    }

    /// Writes what is still in GDAL's cache.
    fn complete(mut self) -> Result<Unpublished> {
        self.act("write", Dataset::flush_cache)?;
        let Self { dataset, output } = self;
        let closed = watch(Heed::Failures, || dataset.close());
        closed.map_err(|source| Error::Gdal { action: "close".into(), path: output.part().into(), source })?;
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_hold_the_scene_with_its_place_and_names() {
        let folder = tempfile::tempdir().unwrap();
        let demo = DemoScene::new(3, 700);
        let files = demo.write(folder.path()).unwrap();
        let rows = demo.rows(0..700);

        let scene = Dataset::open(&files.scene).unwrap();
        assert_eq!(scene.spatial_ref().unwrap().auth_code().unwrap(), 32632);
        assert_eq!(scene.geo_transform().unwrap().map(|v| v as i64), [560_000, 1, 0, 5_330_000, 0, -1]);
        assert_eq!(scene.raster_count(), BANDS);
        for (band, pixels) in (1..).zip(rows.image.chunks_exact(700 * 700)) {
            let name = BAND_NAMES[band - 1];
            let band = scene.rasterband(band).unwrap();
            assert_eq!(band.description().unwrap(), name);
            assert!(band.read_band_as::<u8>().unwrap().data() == pixels);
        }

        let truth = Dataset::open(&files.truth).unwrap();
        let band = truth.rasterband(1).unwrap();
        assert!(band.read_band_as::<u8>().unwrap().data() == rows.labels);
        assert_eq!(band.metadata_item("CLASS_3", "").unwrap(), "River and lake");
        let colour = band.color_table().unwrap().entry_as_rgb(3).unwrap();
        assert_eq!((colour.r, colour.g, colour.b), (60, 120, 200));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
