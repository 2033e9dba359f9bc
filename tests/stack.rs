//! Stacks: bands of several rasters and resolutions on one grid.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]
#![expect(clippy::float_cmp, reason = "windows equal the whole bit for bit")]

mod sentinel;

use std::path::Path;

use gdal::DriverManager;
use gdal::raster::Buffer;
use gdal::spatial_ref::SpatialRef;
use serde::Deserialize;
use swath::source::{BandRequest, Patch, RasterSource as _, Scene, SceneInput, Stack, StackBand};
use swath_tiling::{Size, Window};
use tempfile::TempDir;

const NODATA: f32 = 0.0;

/// Side of all rasters, in metres.
const EXTENT: f64 = 240.0;

#[derive(Deserialize)]
struct Golden {
    side: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    band: usize,
    side: usize,
    fine: Vec<f32>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/stack.json")).unwrap()
}

/// What `make_stack.py` makes.
fn pixels(band: usize, side: usize) -> Vec<f32> {
    let pixel = |x: usize, y: usize| {
        let is_nothing = (x * 7 + y * 5 + band).is_multiple_of(11) || (side > 4 && x >= side / 2 && y >= side / 2);
        let value = ((x * 73_856_093) ^ (y * 19_349_663) ^ (band * 83_492_791)) % 10_000 + 1;
        if is_nothing { NODATA } else { value as f32 }
    };
    (0..side * side).map(|at| pixel(at % side, at / side)).collect()
}

/// Where a raster lies: how far from the others, in metres, and in which CRS.
#[derive(Clone, Copy)]
struct Place {
    east: f64,
    crs: u32,
}

const HERE: Place = Place { east: 0.0, crs: 32633 };

fn write(path: &Path, side: usize, place: Place, pixels: Vec<f32>) {
    let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
    let mut raster = driver.create_with_band_type::<f32, _>(path, side, side, 1).unwrap();
    let pixel = EXTENT / side as f64;
    raster.set_geo_transform(&[399_960.0 + place.east, pixel, 0.0, 5_000_040.0, 0.0, -pixel]).unwrap();
    raster.set_spatial_ref(&SpatialRef::from_epsg(place.crs).unwrap()).unwrap();
    let mut band = raster.rasterband(1).unwrap();
    band.set_no_data_value(Some(f64::from(NODATA))).unwrap();
    band.write((0, 0), (side, side), &mut Buffer::new((side, side), pixels)).unwrap();
    raster.close().unwrap();
}

fn band(folder: &Path, name: &str) -> StackBand {
    StackBand { name: name.into(), location: folder.join(format!("{name}.tif")).into(), band: 1 }
}

fn stack(bands: Vec<StackBand>) -> SceneInput {
    SceneInput::Stack(Stack { name: "stack".into(), bands })
}

fn requests(names: &[&str]) -> Vec<BandRequest> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn read(scene: &Scene, window: Window) -> Patch {
    scene.reader().unwrap().read(window).unwrap()
}

#[test]
fn coarse_bands_become_what_gdal_makes_of_them() {
    let Golden { side, cases } = golden();
    let folder = TempDir::new().unwrap();
    write(&folder.path().join("fine.tif"), side, HERE, vec![1.0; side * side]);
    for case in &cases {
        write(&folder.path().join("coarse.tif"), case.side, HERE, pixels(case.band, case.side));
        let bands = ["coarse", "fine"].map(|name| band(folder.path(), name)).to_vec();
        let scene = Scene::open(stack(bands), &requests(&["coarse", "fine"])).unwrap();
        assert_eq!(scene.profile().size, Size::plane(side, side));
        let patch = read(&scene, Window::all(scene.profile().size));
        // A pixel that has data in one band has a label: what the other one has there is its nodata value, as in one raster.
        assert!(patch.valid.iter().all(|valid| *valid));
        assert!(case.side == 4 || case.fine.contains(&NODATA), "the corner without data is to be kept");
        let stored = pixels(case.band, case.side);
        let factor = side / case.side;
        for (at, (own, golden)) in patch.pixels.iter().zip(&case.fine).enumerate() {
            let place = [at % side, at / side];
            // GDAL lets data grow into what has none, by half a coarse pixel.
            if stored[place[1] / factor * case.side + place[0] / factor] == NODATA {
                assert_eq!(*own, NODATA, "{place:?}");
                continue;
            }
            assert!((own - golden).abs() <= 2e-6 * golden.abs().max(1.0) + 1e-3, "{place:?}: {own}, GDAL has {golden}");
        }
        assert_eq!(scene.parameters()["resampling"]["rule"], "bilinear");
        assert_eq!(scene.parameters()["resampling"]["grid"], "fine");
    }
}

#[test]
fn windows_equal_the_whole() {
    let folder = TempDir::new().unwrap();
    let item = sentinel::write(folder.path(), "S2", 7);
    let names = ["B01", "B02", "B05", "B09"];
    let bands = names.map(|name| band(item.parent().unwrap(), name)).to_vec();
    let scene = Scene::open(stack(bands), &requests(&["B09", "B02", "B05", "B01"])).unwrap();
    let size = scene.profile().size;
    assert_eq!(size, Size::plane(sentinel::SIDE, sentinel::SIDE));
    assert_eq!(scene.profile().georeference.pixel_side(), Some(10.0));
    let whole = read(&scene, Window::all(size));
    assert_eq!(whole.valid.iter().filter(|valid| **valid).count(), size.width * (size.height - 6));
    // The fine band is copied.
    let expected = |at: usize| f32::from(sentinel::value(7, "B02", at % size.width, at / size.width));
    assert!((0..size.width * 200).all(|at| whole.pixels[size.area() + at] == expected(at)));
    let mut reader = scene.reader().unwrap();
    let mut state = 1usize;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..300 {
        let (x, y) = (random(size.width), random(size.height));
        let window = Window::plane(x, y, 1 + random(size.width - x), 1 + random(size.height - y));
        let patch = reader.read(window).unwrap();
        for row in 0..window.height {
            let (from, to) = ((window.y + row) * size.width + window.x, row * window.width);
            assert_eq!(patch.valid[to..to + window.width], whole.valid[from..from + window.width], "{window}");
            for band in 0..names.len() {
                let own = &patch.pixels[band * window.area() + to..][..window.width];
                assert!(own == &whole.pixels[band * size.area() + from..][..window.width], "{window}");
            }
        }
    }
}

#[test]
fn the_grid_is_that_of_the_finest_band_taken() {
    let folder = TempDir::new().unwrap();
    let item = sentinel::write(folder.path(), "S2", 1);
    let bands = || ["B02", "B05", "B01"].map(|name| band(item.parent().unwrap(), name)).to_vec();
    let side = |names: &[&str]| Scene::open(stack(bands()), &requests(names)).unwrap().profile().size.width;
    assert_eq!([side(&["B01"]), side(&["B01", "B05"]), side(&["B05", "B02"]), side(&["3", "2"])], [40, 120, 240, 120]);
}

#[test]
fn void_pixels_are_seen_in_every_band() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(format!("{name}.tif"));
    write(&path("fine"), 8, HERE, vec![5.0; 64]);
    let mut coarse = vec![7.0; 16];
    (coarse[0], coarse[1], coarse[4], coarse[5]) = (f32::NAN, f32::NAN, f32::NAN, f32::NAN);
    coarse[15] = NODATA;
    write(&path("coarse"), 4, HERE, coarse);
    let scene =
        Scene::open(stack(["fine", "coarse"].map(|name| band(folder.path(), name)).to_vec()), &requests(&["fine", "coarse"]));
    let patch = read(&scene.unwrap(), Window::plane(0, 0, 8, 8));
    // NaN has no weight beside numbers.
    let is_void = |at: usize| at % 8 < 4 && at / 8 < 4;
    let has_nothing = |at: usize| at % 8 > 5 && at / 8 > 5;
    assert!((0..64).all(|at| patch.valid[at] != is_void(at)), "{:?}", patch.valid);
    assert!((0..64).filter(|at| !is_void(*at)).all(|at| patch.pixels[64 + at] == if has_nothing(at) { NODATA } else { 7.0 }));
}

#[test]
fn rasters_that_do_not_fit_are_named_with_what_differs() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(format!("{name}.tif"));
    write(&path("fine"), 24, HERE, vec![1.0; 576]);
    let error = |place: Place| {
        write(&path("coarse"), 12, place, vec![1.0; 144]);
        let bands = ["fine", "coarse"].map(|name| band(folder.path(), name)).to_vec();
        Scene::open(stack(bands), &requests(&["fine", "coarse"])).map(|_| ()).map_err(|error| error.to_string())
    };
    error(Place { east: 4.0, ..HERE }).unwrap();
    let moved = error(Place { east: 6.0, ..HERE }).unwrap_err();
    assert!(moved.contains("coarse.tif") && moved.contains("its columns start 0.60 pixels after"), "{moved}");
    let other = error(Place { crs: 32634, ..HERE }).unwrap_err();
    assert!(other.contains("expected the CRS EPSG:32633, got EPSG:32634"), "{other}");
    let missing = Scene::open(stack(vec![band(folder.path(), "nothing")]), &requests(&["nothing"])).unwrap_err();
    assert!(missing.to_string().contains("nothing.tif"), "{missing}");
    let unknown = Scene::open(stack(vec![band(folder.path(), "fine")]), &requests(&["B02"])).unwrap_err();
    assert_eq!(unknown.to_string(), "no band `B02` in stack, which has 1 fine");
}
