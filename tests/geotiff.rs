//! What GDAL reads, labelled: real `GeoTIFF`s of many producers, and small ones of every type, shape and kind of "no data".
//!
//! Every label is compared with one computed here from pixels that GDAL gives, and the rule of [`swath::source::Scene`] for valid pixels.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]
#![expect(clippy::float_cmp, reason = "what is copied is equal")]

mod real_data;
mod support;

use std::fs;
use std::path::Path;

use gdal::raster::{Buffer, ColorInterpretation, GdalType, RasterBand};
use gdal::spatial_ref::SpatialRef;
use gdal::{Dataset, Gcp};
use support::{Linear, NODATA, Pixels, Run};
use swath_models::ScoreActivation;
use swath_tiling::Window;
use tempfile::TempDir;

/// A file of real data and what is known of it.
struct File {
    name: &'static str,
    width: usize,
    height: usize,
    bands: usize,
    /// Number of valid pixels, counted with rasterio's `read`, `nodatavals` and `read_masks`.
    valid: usize,
    /// Upper bounds of the first two classes, see [`Linear::by_sum`].
    bounds: [f32; 2],
}

const fn file(name: &'static str, width: usize, height: usize, bands: usize, valid: usize, bounds: [f32; 2]) -> File {
    File { name, width, height, bands, valid, bounds }
}

#[rustfmt::skip]
const FILES: [File; 33] = [
    file("S2_L1C_19UDP_13band.tif", 687, 687, 13, 471_969, [0.0, 35_806.0]),
    file("deepness_fotomap.tif", 1243, 841, 4, 1_045_363, [698.0, 1_034.0]),
    file("eotdl_S2_12band_20200113.tif", 380, 377, 12, 143_260, [34_120.0, 40_854.0]),
    file("ftw_S2_8band_u16.tif", 578, 379, 8, 219_062, [15_278.0, 18_744.0]),
    file("gdal-rs_naip_1m.tif", 300, 300, 4, 90_000, [694.0, 841.0]),
    file("geotiffjs_lcv_landuse.cropland_hyde_p_10km_s0..0cm_2016_v3.2.tif", 4320, 1792, 1, 2_215_829, [0.0, 1.0]),
    file("geotrellis_elevation.tif", 400, 400, 1, 160_000, [13.0, 43.0]),
    file("geotrellis_jpeg-test-small-uncompressed.tif", 293, 262, 3, 76_766, [564.0, 669.0]),
    file("geotrellis_jpeg-test-small.tif", 293, 262, 3, 76_766, [564.0, 669.0]),
    file("geotrellis_lc8-utm-1-re.tif", 559, 602, 1, 336_518, [0.0, 9_000.0]),
    file("landsat_pucallpa_1985.tif", 697, 377, 4, 262_769, [486.0, 579.0]),
    file("landsat_pucallpa_2020.tif", 697, 377, 4, 262_769, [564.0, 652.0]),
    file("m_4709963_se_14_1_20120731.tif", 934, 723, 4, 675_282, [711.0, 806.0]),
    file("m_4709963_se_14_1_20190904.tif", 934, 723, 4, 675_282, [687.0, 762.0]),
    file("rasterio_RGB.byte.tif", 791, 718, 3, 383_115, [200.0, 380.0]),
    file("rasterio_RGBA.uint16.tif", 634, 411, 4, 127_316, [60_255.0, 60_256.0]),
    file("rasterio_cogeo.tif", 1024, 1024, 3, 1_048_576, [406.0, 902.0]),
    file("rasterio_rgb_deflate.tif", 791, 718, 3, 383_115, [200.0, 380.0]),
    file("rasterio_world.byte.tif", 2880, 1200, 1, 3_456_000, [0.0, 1.0]),
    file("rio-tiler_cog.tif", 2658, 2667, 1, 7_088_886, [1.0, 3_744.0]),
    file("rio-tiler_cog_dateline.tif", 2325, 2355, 1, 5_475_375, [21_824.0, 21_952.0]),
    file("rio-tiler_cog_fullearth.tif", 432, 216, 1, 42_534, [1.3e+13, 2.8e+14]),
    file("rio-tiler_cog_nodata.tif", 2658, 2667, 1, 3_674_467, [3_744.0, 3_776.0]),
    file("rio-tiler_cog_rgb.tif", 383, 232, 3, 88_856, [486.0, 695.0]),
    file("rio-tiler_cog_rgb_mask.tif", 383, 232, 3, 86_117, [485.0, 685.0]),
    file("rio-tiler_cog_rgba.tif", 383, 232, 4, 78_812, [742.0, 942.0]),
    file("rio-tiler_cog_scale.tif", 256, 256, 2, 65_530, [6_240.0, 22_014.0]),
    file("rio-tiler_cog_world.tif", 36_000, 18_000, 1, 3_485_249, [1.0, 2.0]),
    file("rio-tiler_mosaic_cog1.tif", 779, 790, 3, 415_658, [52_471.0, 58_112.0]),
    file("rio-tiler_nocog.tif", 2658, 2667, 1, 7_088_886, [1.0, 3_744.0]),
    file("rio-tiler_web.tif", 1024, 1024, 1, 207_626, [13_728.0, 15_313.0]),
    file("titiler_S2_TCI.tif", 1098, 1098, 3, 891_554, [797.0, 1_530.0]),
    file("titiler_dem.tif", 400, 400, 1, 160_000, [1_681.0, 1_786.0]),
];

/// The part of the 36,000 x 18,000 world that is labelled: western Europe and the western Mediterranean.
const WORLD: Window = Window { z: 0, y: 3500, x: 17_000, depth: 1, height: 2000, width: 3000 };

/// What the labels of a window must be, from what GDAL says of the file.
fn expected(path: &Path, window: Window, bands: &[usize], linear: &Linear) -> Vec<u8> {
    let dataset = Dataset::open(path).unwrap();
    let (origin, size) = ((window.x as isize, window.y as isize), (window.width, window.height));
    let band = |number: usize| dataset.rasterband(number).unwrap();
    let planes: Vec<Vec<f64>> =
        bands.iter().map(|number| band(*number).read_as(origin, size, size, None).unwrap().into_shape_and_vec().1).collect();
    let nodata: Vec<Option<f64>> = bands.iter().map(|number| band(*number).no_data_value()).collect();
    // In single precision, `-9999.9` in the file's metadata is not what is stored in its pixels.
    let single: Vec<bool> = bands.iter().map(|number| band(*number).band_type().name() == "Float32").collect();
    let is_nodata = |at: usize, band: usize| {
        let (value, nodata) = (planes[band][at], nodata[band]);
        nodata.is_some_and(|nodata| value == nodata || (single[band] && value == f64::from(nodata as f32)))
    };
    let alpha =
        (1..=dataset.raster_count()).find(|number| band(*number).color_interpretation() == ColorInterpretation::AlphaBand);
    let mask: Option<Vec<f64>> = if let Some(alpha) = alpha {
        Some(band(alpha).read_as(origin, size, size, None).unwrap().into_shape_and_vec().1)
    } else if band(1).mask_flags().unwrap().is_per_dataset() {
        Some(band(1).open_mask_band().unwrap().read_as(origin, size, size, None).unwrap().into_shape_and_vec().1)
    } else {
        None
    };
    (0..window.area())
        .map(|at| {
            let pixel: Vec<f32> = planes.iter().map(|plane| plane[at] as f32).collect();
            let masked = mask.as_ref().is_some_and(|mask| mask[at] == 0.0);
            let has_data = (0..planes.len()).any(|band| !is_nodata(at, band));
            if has_data && !masked && pixel.iter().all(|x| x.is_finite()) { linear.label(&pixel) } else { NODATA }
        })
        .collect()
}

/// Labels `scene` with its bands in the order given, compares every label, and returns how many are not "no data".
#[track_caller]
fn check(folder: &Path, scene: &Path, bands: &[usize], bounds: [f32; 2], window: Option<Window>) -> usize {
    let (model, output) = (folder.join("model"), folder.join("labels.tif"));
    for old in [&model, &output.with_extension("json")] {
        let _ = fs::remove_dir_all(old).or_else(|_| fs::remove_file(old));
    }
    let dataset = Dataset::open(scene).unwrap();
    let (width, height) = dataset.raster_size();
    // Means of several tiles and softmax both round: pixels whose scores differ in the last digit would tie.
    let is_float = bands.iter().any(|number| dataset.rasterband(*number).unwrap().band_type().is_floating());
    let mut linear = Linear::by_sum(bands.len(), bounds[0], bounds[1]);
    let mut options = String::from("--overwrite --tile 512");
    if is_float {
        linear.activation = ScoreActivation::None;
        options += " --blend crop";
    }
    if let Some(Window { x, y, width, height, .. }) = window {
        options = format!("{options} --window {x},{y},{width},{height}");
    }
    linear.write(&model);
    let list = bands.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    segment(scene, folder, &format!("{options} --bands {list}")).succeeds();

    let window = window.unwrap_or(Window::plane(0, 0, width, height));
    let labels = support::read_labels(&output);
    let expected = expected(scene, window, bands, &linear);
    let differs = (0..expected.len()).find(|at| labels[*at] != expected[*at]);
    if let Some(at) = differs {
        let (x, y) = (at % window.width, at / window.width);
        panic!("{}: expected label {} at column {x}, row {y}, got {}", scene.display(), expected[at], labels[at]);
    }
    let result = Dataset::open(&output).unwrap();
    assert_eq!(result.raster_size(), (window.width, window.height));
    let moved = dataset.geo_transform().ok().map(|t| {
        let [x, y] = [window.x as f64, window.y as f64];
        [t[0] + t[1] * x + t[2] * y, t[1], t[2], t[3] + t[4] * x + t[5] * y, t[4], t[5]]
    });
    assert_eq!(result.geo_transform().ok(), moved, "{}", scene.display());
    let crs = |dataset: &Dataset| dataset.spatial_ref().ok();
    assert!(crs(&result) == crs(&dataset), "{}: {:?}", scene.display(), crs(&result).map(|crs| crs.to_pretty_wkt()));
    labels.iter().filter(|label| **label != NODATA).count()
}

/// Runs the binary on a scene whose name may hold spaces.
fn segment(scene: &Path, folder: &Path, options: &str) -> Run {
    let fixed = "segment --max-memory 1GiB --threads 2 --model model --output labels.tif";
    support::run(support::program(folder).args(fixed.split_whitespace()).args(options.split_whitespace()).arg("--").arg(scene))
}

#[test]
fn real_files_are_labelled_pixel_by_pixel() {
    let Some(data) = real_data::folder() else { return };
    for File { name, width, height, bands, valid, bounds } in FILES {
        let folder = TempDir::new().unwrap();
        let path = data.join("geotiff").join(name);
        assert_eq!(Dataset::open(&path).unwrap().raster_size(), (width, height), "{name}");
        let window = (width > 10_000).then_some(WORLD);
        let all: Vec<usize> = (1..=bands).collect();
        assert_eq!(check(folder.path(), &path, &all, bounds, window), valid, "valid pixels of {name}");
    }
}

#[test]
fn every_real_file_is_in_the_table() {
    let Some(data) = real_data::folder() else { return };
    let files = support::files(&data.join("geotiff"));
    let unknown = files.iter().filter(|name| *name != "README.md" && !FILES.iter().any(|file| file.name == **name));
    assert_eq!(unknown.collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn tiles_and_strips_of_one_scene_give_the_same_labels() {
    let Some(data) = real_data::folder() else { return };
    let labels = ["rio-tiler_cog.tif", "rio-tiler_nocog.tif"].map(|name| {
        let folder = TempDir::new().unwrap();
        check(folder.path(), &data.join("geotiff").join(name), &[1], [3712.0, 3776.0], None);
        fs::read(folder.path().join("labels.tif")).unwrap()
    });
    assert!(labels[0] == labels[1], "the label rasters differ");
}

/// Writes one band of `T` with this nodata value and labels it; returns the number of valid pixels.
#[track_caller]
fn one_band<T: GdalType + Copy>(values: &[T], nodata: Option<f64>, bounds: [f32; 2]) -> usize {
    described_band(values, bounds, |band| band.set_no_data_value(nodata).unwrap())
}

#[track_caller]
fn described_band<T: GdalType + Copy>(values: &[T], bounds: [f32; 2], describe: impl FnOnce(&mut RasterBand<'_>)) -> usize {
    let folder = TempDir::new().unwrap();
    let scene = folder.path().join("scene.tif");
    let pixels = Pixels::new(values.len(), 3, 1, |_, x, _| values[x]);
    pixels.write(&scene, &[], |dataset| {
        support::utm(dataset);
        describe(&mut dataset.rasterband(1).unwrap());
    });
    check(folder.path(), &scene, &[1], bounds, None) / 3
}

#[test]
fn every_type_is_read_and_its_nodata_heeded() {
    assert_eq!(one_band::<u8>(&[0, 3, 7, 200, 255], Some(200.0), [3.0, 10.0]), 4);
    assert_eq!(one_band::<u8>(&[0, 3, 7, 200, 255], Some(-9999.0), [3.0, 10.0]), 5);
    assert_eq!(one_band::<u16>(&[0, 3, 7, 65_535, 65_534], Some(65_535.0), [3.0, 10.0]), 4);
    assert_eq!(one_band::<i16>(&[0, -3, 7, -32_768, -32_767], Some(-32_768.0), [-4.0, 0.0]), 4);
    // The neighbours of these values are equal to them in single precision.
    assert_eq!(one_band::<u32>(&[0, 3, 70_000, u32::MAX, u32::MAX - 1], Some(f64::from(u32::MAX)), [3.0, 10.0]), 4);
    assert_eq!(one_band::<i32>(&[0, 3, -7, i32::MIN, i32::MIN + 1], Some(f64::from(i32::MIN)), [-10.0, 0.0]), 4);
    assert_eq!(one_band::<f32>(&[0.5, 3.0, -7.25, f32::MIN, -9999.9], Some(f64::from(f32::MIN)), [-1.0, 1.0]), 4);
    assert_eq!(one_band::<f32>(&[0.5, 3.0, -7.25, -1e30, -9999.9], Some(-9999.9), [-1.0, 1.0]), 4);
    assert_eq!(one_band::<f64>(&[0.5, 3.0, 16_777_216.0, 16_777_217.0], Some(16_777_217.0), [-1.0, 1.0]), 3);
    assert_eq!(one_band::<f64>(&[0.5, 3.0, -7.25, 1e300], Some(1e300), [-1.0, 1.0]), 3);
    let large = |band: &mut RasterBand<'_>| band.set_no_data_value_u64(Some(u64::MAX)).unwrap();
    assert_eq!(described_band::<u64>(&[0, 3, 7, u64::MAX], [3.0, 10.0], large), 3);
    let small = |band: &mut RasterBand<'_>| band.set_no_data_value_i64(Some(i64::MIN)).unwrap();
    assert_eq!(described_band::<i64>(&[0, 3, -7, i64::MIN], [-10.0, 0.0], small), 3);
}

#[test]
fn what_are_no_real_numbers_is_refused() {
    let folder = TempDir::new().unwrap();
    Linear::by_sum(1, 2.0, 4.0).write(&folder.path().join("model"));
    let scene = folder.path().join("scene.vrt");
    write_vrt(&scene, 4, 1, &[("a.tif", "")]);
    let text = fs::read_to_string(&scene).unwrap().replace("Byte", "CFloat32");
    fs::write(&scene, text).unwrap();
    segment(&scene, folder.path(), "").fails(2, &["band 1 of", "scene.vrt", "expected real numbers, got complex ones"]);

    let scene = folder.path().join("scene.tif");
    Pixels::<u8>::new(2, 2, 1, |_, x, _| 255 * x as u8).write(&scene, &["PIXELTYPE=SIGNEDBYTE"], |_| {});
    let run = segment(&scene, folder.path(), "");
    // GDAL 3.7 and later read 255 as -1.
    if run.code == Some(0) {
        assert_eq!(support::read_labels(&folder.path().join("labels.tif")), [1, 1, 1, 1]);
    } else {
        run.fails(2, &["band 1 of", "scene.tif", "signed bytes"]);
    }
}

#[test]
fn what_is_not_finite_in_single_precision_is_not_valid() {
    let values = [0.5, f32::NAN, 3.0, f32::INFINITY, f32::NEG_INFINITY];
    assert_eq!(one_band::<f32>(&values, None, [-1.0, 1.0]), 2);
    assert_eq!(one_band::<f32>(&values, Some(f64::NAN), [-1.0, 1.0]), 2);
    assert_eq!(one_band::<f32>(&values, Some(3.0), [-1.0, 1.0]), 1);
    assert_eq!(one_band::<f64>(&[0.5, f64::NAN, 1e300], Some(f64::NAN), [-1.0, 1.0]), 1);
}

#[test]
fn a_pixel_without_data_in_all_chosen_bands_is_not_valid() {
    let folder = TempDir::new().unwrap();
    let scene = folder.path().join("scene.tif");
    // Nodata in no band, in one, in the other, in both.
    let planes = [[5, 0, 5, 0], [7, 7, 0, 0]];
    Pixels::<u8>::new(4, 3, 2, |band, x, _| planes[band][x]).write(&scene, &[], |dataset| {
        dataset.rasterband(1).unwrap().set_no_data_value(Some(0.0)).unwrap();
    });
    assert_eq!(check(folder.path(), &scene, &[1, 2], [8.0, 15.0], None), 9);
    assert_eq!(check(folder.path(), &scene, &[2, 1], [8.0, 15.0], None), 9);
    assert_eq!(check(folder.path(), &scene, &[2], [3.0, 6.0], None), 6);
}

/// A VRT whose bands come from single-band files, each with what stands in `inside` for it.
fn write_vrt(path: &Path, width: usize, height: usize, bands: &[(&str, &str)]) {
    let band = |(number, (file, inside)): (usize, &(&str, &str))| {
        format!(
            "<VRTRasterBand dataType=\"Byte\" band=\"{number}\">{inside}<SimpleSource><SourceFilename relativeToVRT=\"1\">{file}\
             </SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        )
    };
    let bands: String = (1..).zip(bands).map(band).collect();
    fs::write(path, format!("<VRTDataset rasterXSize=\"{width}\" rasterYSize=\"{height}\">{bands}</VRTDataset>")).unwrap();
}

#[test]
fn every_band_has_its_own_nodata_value() {
    let folder = TempDir::new().unwrap();
    let (a, b) = ([5, 0, 5, 0], [7, 9, 9, 0]);
    Pixels::<u8>::new(4, 1, 1, |_, x, _| a[x]).write(&folder.path().join("a.tif"), &[], |_| {});
    Pixels::<u8>::new(4, 1, 1, |_, x, _| b[x]).write(&folder.path().join("b.tif"), &[], |_| {});
    let scene = folder.path().join("scene.vrt");
    let nodata = |value: &str| format!("<NoDataValue>{value}</NoDataValue>");
    // Only the second pixel has neither 0 in one nor 9 in the other: it has both.
    write_vrt(&scene, 4, 1, &[("a.tif", &nodata("0")), ("b.tif", &nodata("9"))]);
    assert_eq!(check(folder.path(), &scene, &[1, 2], [8.0, 15.0], None), 3);
    assert_eq!(support::read_labels(&folder.path().join("labels.tif"))[1], NODATA);
    // A band without a nodata value always has data.
    write_vrt(&scene, 4, 1, &[("a.tif", &nodata("0")), ("b.tif", "")]);
    assert_eq!(check(folder.path(), &scene, &[1, 2], [8.0, 15.0], None), 4);
}

/// Two bands of noise and a mask band of all bands, in the file or beside it.
fn write_masked(scene: &Path, internal: &str, options: &[&str], describe: impl FnOnce(&mut Dataset)) {
    gdal::config::set_thread_local_config_option("GDAL_TIFF_INTERNAL_MASK", internal).unwrap();
    Pixels::<u8>::new(20, 10, 2, support::noise).write(scene, options, |dataset| {
        describe(dataset);
        dataset.rasterband(1).unwrap().create_mask_band(true).unwrap();
        let band = dataset.rasterband(1).unwrap();
        let mut mask = band.open_mask_band().unwrap();
        let values = (0..200).map(|at| if at % 20 < 7 { 0_u8 } else { 255 }).collect();
        mask.write((0, 0), (20, 10), &mut Buffer::new((20, 10), values)).unwrap();
    });
    gdal::config::clear_thread_local_config_option("GDAL_TIFF_INTERNAL_MASK").unwrap();
}

#[test]
fn a_mask_band_is_heeded() {
    for (internal, files) in [("YES", vec!["scene.tif"]), ("NO", vec!["scene.tif", "scene.tif.msk"])] {
        let folder = TempDir::new().unwrap();
        let scene = folder.path().join("scene.tif");
        write_masked(&scene, internal, &[], |_| {});
        assert_eq!(support::files(folder.path()), files);
        assert_eq!(check(folder.path(), &scene, &[1, 2], [200.0, 400.0], None), 130);
        assert_eq!(check(folder.path(), &scene, &[2], [80.0, 160.0], None), 130);
    }
}

#[test]
fn a_mask_of_one_band_is_heeded() {
    let folder = TempDir::new().unwrap();
    Pixels::<u8>::new(4, 1, 1, |_, x, _| x as u8).write(&folder.path().join("a.tif"), &[], |_| {});
    Pixels::<u8>::new(4, 1, 1, |_, x, _| u8::from(x != 2)).write(&folder.path().join("mask.tif"), &[], |_| {});
    let mask = "<MaskBand><VRTRasterBand dataType=\"Byte\"><SimpleSource><SourceFilename relativeToVRT=\"1\">mask.tif</SourceFilename>\
                <SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></MaskBand>";
    let scene = folder.path().join("scene.vrt");
    write_vrt(&scene, 4, 1, &[("a.tif", ""), ("a.tif", mask)]);
    Linear::by_sum(2, 2.0, 4.0).write(&folder.path().join("model"));
    segment(&scene, folder.path(), "").succeeds();
    assert_eq!(support::read_labels(&folder.path().join("labels.tif")), [1, 3, NODATA, 5]);
}

/// Two bands of noise and an alpha band.
fn write_alpha<T: GdalType + Copy + From<u8>>(scene: &Path, opaque: T, nodata: Option<f64>) {
    let value = |band, x, y| match band {
        2 if x < 7 => T::from(0),
        // As good as transparent is not transparent.
        2 if x == 7 => T::from(1),
        2 => opaque,
        _ => T::from(support::noise(band, x, y)),
    };
    Pixels::new(20, 10, 3, value).write(scene, &["PHOTOMETRIC=MINISBLACK"], |dataset| {
        dataset.rasterband(3).unwrap().set_color_interpretation(ColorInterpretation::AlphaBand).unwrap();
        if nodata.is_some() {
            dataset.rasterband(1).unwrap().set_no_data_value(nodata).unwrap();
        }
    });
}

#[test]
fn an_alpha_band_is_heeded_whichever_bands_are_chosen() {
    let folder = TempDir::new().unwrap();
    let scene = folder.path().join("scene.tif");
    for bands in [&[1, 2][..], &[1, 2, 3], &[3, 2, 1], &[3]] {
        write_alpha::<u8>(&scene, 255, None);
        assert_eq!(check(folder.path(), &scene, bands, [200.0, 400.0], None), 130, "{bands:?}");
        write_alpha::<u16>(&scene, 65_535, None);
        assert_eq!(check(folder.path(), &scene, bands, [200.0, 400.0], None), 130, "{bands:?}");
    }
    // A nodata value that no pixel has does not make alpha meaningless.
    write_alpha::<u16>(&scene, 65_535, Some(9999.0));
    assert_eq!(check(folder.path(), &scene, &[1, 2], [200.0, 400.0], None), 130);
}

#[test]
fn rasters_of_one_pixel_row_or_column_are_labelled() {
    let folder = TempDir::new().unwrap();
    let scene = folder.path().join("scene.tif");
    for (width, height) in [(1, 1), (1, 1300), (1300, 1), (2, 1), (513, 2)] {
        support::write_noise(&scene, width, height, 3);
        assert_eq!(check(folder.path(), &scene, &[1, 2, 3], [600.0, 900.0], None), width * height);
    }
}

#[test]
fn rasters_thinner_than_a_stride_go_through_a_deep_network() {
    let folder = TempDir::new().unwrap();
    support::swath(folder.path(), "model new fcn_resnet50 --bands 3 --classes 6 --output model").succeeds();
    let scene = folder.path().join("scene.tif");
    for (width, height) in [(1, 1), (1, 45), (70, 1), (33, 31)] {
        support::write_noise(&scene, width, height, 3);
        segment(&scene, folder.path(), "--overwrite").succeeds();
        let labels = support::read_labels(&folder.path().join("labels.tif"));
        assert_eq!(labels.len(), width * height);
        assert!(labels.iter().all(|label| *label < 6), "{width} x {height}");
    }
}

#[test]
fn rotated_and_south_up_rasters_keep_their_transform() {
    let folder = TempDir::new().unwrap();
    let scene = folder.path().join("scene.tif");
    // Numbers without an exact binary form, which a recomputed transform would not hit.
    let rotated = [399_960.1, 8.7, -4.9, 5_000_040.3, -4.9, -8.7];
    let south_up = [-0.1, 0.1, 0.0, 45.3, 0.0, 0.1];
    for (transform, epsg) in [(rotated, 32633), (south_up, 4326)] {
        Pixels::<u8>::new(30, 20, 2, support::noise).write(&scene, &[], |dataset| {
            dataset.set_geo_transform(&transform).unwrap();
            dataset.set_spatial_ref(&SpatialRef::from_epsg(epsg).unwrap()).unwrap();
        });
        check(folder.path(), &scene, &[1, 2], [200.0, 400.0], None);
        let labels = Dataset::open(folder.path().join("labels.tif")).unwrap();
        assert_eq!(labels.geo_transform().unwrap(), transform);
        assert_eq!(labels.spatial_ref().unwrap().auth_code().unwrap(), epsg as i32);
        check(folder.path(), &scene, &[1, 2], [200.0, 400.0], Some(Window::plane(5, 4, 10, 9)));
    }
}

#[test]
fn ground_control_points_are_kept() {
    let gcp = |id: &str, pixel: f64, line: f64| Gcp {
        id: id.into(),
        info: String::new(),
        pixel,
        line,
        x: 10.1 + pixel * 0.3 - line * 0.01,
        y: 45.7 - line * 0.3 + pixel * 0.02,
        z: 17.5,
    };
    let points = vec![gcp("1", 0.0, 0.0), gcp("2", 29.5, 0.5), gcp("3", 30.0, 20.0), gcp("4", 0.25, 20.0)];
    let folder = TempDir::new().unwrap();
    let scene = folder.path().join("scene.tif");
    Pixels::<u8>::new(30, 20, 2, support::noise).write(&scene, &[], |dataset| {
        dataset.set_gcps(points.clone(), &SpatialRef::from_epsg(4326).unwrap()).unwrap();
    });
    let read = |window: Option<Window>| {
        check(folder.path(), &scene, &[1, 2], [200.0, 400.0], window);
        let labels = Dataset::open(folder.path().join("labels.tif")).unwrap();
        assert_eq!(labels.gcp_spatial_ref().unwrap().auth_code().unwrap(), 4326);
        let numbers = |gcp: &gdal::GcpRef<'_>| [gcp.pixel(), gcp.line(), gcp.x(), gcp.y(), gcp.z()];
        labels.gcps().iter().map(numbers).collect::<Vec<_>>()
    };
    let numbers = |x: f64, y: f64| points.iter().map(|p| [p.pixel - x, p.line - y, p.x, p.y, p.z]).collect::<Vec<_>>();
    assert_eq!(read(None), numbers(0.0, 0.0));
    // A part of the scene: the same places on the ground, counted from the part's corner.
    assert_eq!(read(Some(Window::plane(5, 4, 10, 9))), numbers(5.0, 4.0));
}
