//! Small labelled scenes for tests.

use std::fs;
use std::path::{Path, PathBuf};

use gdal::DriverManager;
use gdal::raster::{Buffer, GdalType};
use gdal::spatial_ref::SpatialRef;
use swath_models::{Extent, Rank};
use tempfile::TempDir;

use super::census::Census;
use super::crops::CropMaker;
use super::recipe::Recipe;
use super::sampler::Sampler;
use super::scene::TrainingScenes;

#[path = "../../tests/nifti/mod.rs"]
pub(super) mod nifti;

/// Metres a side of a pixel.
pub(super) const PIXEL: f64 = 10.0;

/// UTM coordinates of the upper left corner.
pub(super) const CORNER: [f64; 2] = [399_960.0, 5_000_040.0];

/// A folder with scenes and a recipe.
pub(super) struct Workplace {
    pub(super) folder: TempDir,
}

impl Workplace {
    pub(super) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a raster of one band, on the map in UTM zone 33.
    pub(super) fn raster<T: GdalType + Copy>(&self, name: &str, [width, height]: [usize; 2], value: impl Fn(usize, usize) -> T) {
        let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
        let mut dataset = driver.create_with_band_type::<T, _>(self.path(name), width, height, 1).unwrap();
        dataset.set_geo_transform(&[CORNER[0], PIXEL, 0.0, CORNER[1], 0.0, -PIXEL]).unwrap();
        dataset.set_spatial_ref(&SpatialRef::from_epsg(32633).unwrap()).unwrap();
        let values = (0..width * height).map(|at| value(at % width, at / width)).collect();
        dataset.rasterband(1).unwrap().write((0, 0), (width, height), &mut Buffer::new((width, height), values)).unwrap();
        dataset.close().unwrap();
    }

    /// Writes a recipe of two classes, 0 and 1, that says `more` beside what it must.
    pub(super) fn recipe(&self, scenes: &[[&str; 2]], sampling: &str, more: &str) -> Recipe {
        self.recipe_for("network = \"fcn_small\"", scenes, sampling, more)
    }

    /// The same for another network.
    pub(super) fn recipe_for(&self, model: &str, scenes: &[[&str; 2]], sampling: &str, more: &str) -> Recipe {
        let scenes = scenes.iter().map(|[image, labels]| format!("[[scenes]]\nimage = \"{image}\"\nlabels = \"{labels}\"\n"));
        let text = format!(
            "output = \"model\"\nepochs = 1\nbatch = 2\n{more}\n[model]\n{model}\n\
             [[classes]]\nname = \"zero\"\nvalues = [0]\nbackground = true\n[[classes]]\nname = \"one\"\nvalues = [1]\n\
             {}[sampling]\n{sampling}\n[[loss]]\nkind = \"cross_entropy\"\n[optimizer]\nkind = \"adamw\"\n[schedule]\nrate = 1e-3\n",
            scenes.collect::<String>()
        );
        let path = self.path("recipe.toml");
        fs::write(&path, text).unwrap();
        Recipe::read(&path).unwrap()
    }
}

/// Calls `test` with what makes the crops of a recipe; those of scenes are of at most `largest` pixels a side.
pub(super) fn with_crops(recipe: &Recipe, largest: usize, test: impl FnOnce(&CropMaker<'_>)) {
    let folder = TempDir::new().unwrap();
    let scenes = TrainingScenes::open(recipe, folder.path()).unwrap().scenes;
    let censuses: Vec<Census> = scenes.iter().map(|scene| Census::take(scene, 2).unwrap()).collect();
    let rank = if recipe.settings.volume.is_some() { Rank::Volumetric } else { Rank::Planar };
    let extent = recipe.settings.sampling.crop.extent(rank);
    let largest = if rank == Rank::Planar { Extent::plane(largest) } else { extent };
    let sampler = Sampler::new(&scenes, &censuses, &recipe.settings, largest).unwrap();
    test(&CropMaker { scenes: &scenes, sampler, settings: &recipe.settings, extent });
}

/// Writes polygons as `GeoJSON`: rings of coordinates in longitude and latitude, or in the CRS of `crs`, and the value of their field `kind`.
pub(super) fn write_polygons(path: &Path, crs: Option<&str>, polygons: &[(&str, Vec<[f64; 2]>)]) {
    let feature = |(kind, ring): &(&str, Vec<[f64; 2]>)| {
        serde_json::json!({
            "type": "Feature",
            "properties": { "kind": kind },
            "geometry": { "type": "Polygon", "coordinates": [ring] },
        })
    };
    let mut file = serde_json::json!({
        "type": "FeatureCollection",
        "features": polygons.iter().map(feature).collect::<Vec<_>>(),
    });
    if let Some(crs) = crs {
        file["crs"] = serde_json::json!({ "type": "name", "properties": { "name": crs } });
    }
    fs::write(path, file.to_string()).unwrap();
}
