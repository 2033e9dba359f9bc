//! Label rasters and layers as GDAL reads them back.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]
#![expect(clippy::float_cmp, reason = "what is copied is equal")]

use std::ffi::{CStr, c_int};
use std::fs;
use std::path::{Path, PathBuf};

use gdal::spatial_ref::SpatialRef;
use gdal::{Dataset, DriverManager, Gcp, Metadata};
use serde_json::{Map, Value, json};
use swath::{
    Error, Existing, Georeference, ItemDescription, LabelProduct, LabelSink, LabelSummary, LayerAsset, LayerEncoding,
    LayerProduct, LayerSink, ModelReference,
};
use swath_models::Class;
use swath_tiling::{Size, Window};
use tempfile::TempDir;

const SIZE: Size = Size { depth: 1, height: 700, width: 1300 };
const VALUES: [u8; 6] = [0, 1, 2, 3, 5, 9];
const NODATA: u8 = 255;

fn utm33() -> Georeference {
    Georeference {
        transform: Some([399_960.0, 10.0, 0.0, 5_000_040.0, 0.0, -10.0]),
        crs_wkt: Some("EPSG:32633".into()),
        ..Georeference::default()
    }
}

fn classes() -> Vec<Class> {
    let names = ["background", "building", "road", "water", "forest", "crop"];
    let class = |(&value, name): (&u8, &str)| Class {
        value,
        name: name.into(),
        title: (name == "crop").then(|| "Crops & <fields>".into()),
        description: None,
        colour: (value == 3).then(|| "0000FF".parse().unwrap()),
    };
    VALUES.iter().zip(names).map(class).collect()
}

fn product(folder: &Path) -> LabelProduct {
    LabelProduct {
        path: folder.join("labels.tif"),
        size: SIZE,
        georeference: utm33(),
        classes: classes(),
        nodata: NODATA,
        existing: Existing::Refuse,
        threads: 2,
    }
}

/// The label of the 2 x 2 block of a pixel: classes in stripes, with a lake of pixels without a label.
fn majority(x: usize, y: usize) -> u8 {
    let [block_x, block_y] = [x / 2, y / 2];
    if (200..260).contains(&block_x) && (100..160).contains(&block_y) {
        return NODATA;
    }
    VALUES[(block_x / 37 + block_y / 23) % VALUES.len()]
}

/// Three pixels of each 2 x 2 block have its majority, one has something else, so that a nearest overview would show.
fn truth(x: usize, y: usize) -> u8 {
    let odd_one_out = (x / 2 + y / 2) % 4 == (x % 2) + 2 * (y % 2);
    match majority(x, y) {
        NODATA => NODATA,
        _ if odd_one_out && (x / 2).is_multiple_of(7) => NODATA,
        label if odd_one_out => VALUES[(VALUES.iter().position(|&value| value == label).unwrap() + 1) % VALUES.len()],
        label => label,
    }
}

/// Windows of odd sizes that cover the raster, in no useful order.
fn windows() -> Vec<Window> {
    let steps = |length: usize, step: usize| (0..length).step_by(step).map(move |start| (start, step.min(length - start)));
    let mut windows: Vec<Window> = steps(SIZE.height, 131)
        .flat_map(|(y, height)| steps(SIZE.width, 377).map(move |(x, width)| Window::plane(x, y, width, height)))
        .collect();
    windows.reverse();
    windows.swap(3, 11);
    windows
}

fn labels(window: Window) -> Vec<u8> {
    let row = |y| (window.x..window.x + window.width).map(move |x| truth(x, y));
    (window.y..window.y + window.height).flat_map(row).collect()
}

fn write_all(product: LabelProduct) -> LabelSummary {
    let mut sink = LabelSink::create(product).unwrap();
    for window in windows() {
        sink.write(window, &labels(window)).unwrap();
    }
    sink.finish().unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn read(dataset: &Dataset, band: usize) -> Vec<u8> {
    let band = dataset.rasterband(band).unwrap();
    band.read_as::<u8>((0, 0), band.size(), band.size(), None).unwrap().into_shape_and_vec().1
}

/// The category names of the first band.
fn category_names(dataset: &Dataset) -> Vec<String> {
    // A GeoTIFF's `.aux.xml` is read no earlier than something else asks for it.
    let _ = dataset.geo_transform();
    let band = dataset.rasterband(1).unwrap();
    let mut names = Vec::new();
    // SAFETY: the list ends with a null pointer and lives as long as the dataset.
    unsafe {
        let mut name = gdal_sys::GDALGetRasterCategoryNames(band.c_rasterband());
        while !name.is_null() && !(*name).is_null() {
            names.push(CStr::from_ptr(*name).to_string_lossy().into_owned());
            name = name.add(1);
        }
    }
    names
}

/// The rows of the first band's attribute table, as text.
fn attribute_table(dataset: &Dataset) -> Vec<Vec<String>> {
    let band = dataset.rasterband(1).unwrap();
    // SAFETY: the table lives as long as the dataset, and GDAL gives C strings for rows and columns that exist.
    unsafe {
        let table = gdal_sys::GDALGetDefaultRAT(band.c_rasterband());
        assert!(!table.is_null());
        let [rows, columns] = [gdal_sys::GDALRATGetRowCount(table), gdal_sys::GDALRATGetColumnCount(table)];
        let cell =
            |row: c_int, column: c_int| CStr::from_ptr(gdal_sys::GDALRATGetValueAsString(table, row, column)).to_string_lossy();
        (0..rows).map(|row| (0..columns).map(|column| cell(row, column).into_owned()).collect()).collect()
    }
}

#[test]
fn a_label_raster_is_finished() {
    let folder = TempDir::new().unwrap();
    let summary = write_all(product(folder.path()));
    assert_eq!(files(folder.path()), ["labels.tif", "labels.tif.aux.xml"]);

    let dataset = Dataset::open(folder.path().join("labels.tif")).unwrap();
    let expected = labels(Window::all(SIZE));
    assert!(read(&dataset, 1) == expected, "labels differ");
    let count = |value: u8| expected.iter().map(|&label| u64::from(label == value)).sum::<u64>();
    assert_eq!(summary.counts, VALUES.map(count));
    assert_eq!(summary.nodata_count, count(NODATA));
    assert_eq!(summary.counts.iter().sum::<u64>() + summary.nodata_count, SIZE.area() as u64);

    assert_eq!(dataset.metadata_item("LAYOUT", "IMAGE_STRUCTURE").as_deref(), Some("COG"));
    assert_eq!(dataset.metadata_item("TIFFTAG_SOFTWARE", "").unwrap(), concat!("swath ", env!("CARGO_PKG_VERSION")));
    assert_eq!(dataset.metadata_item("TIFFTAG_DATETIME", ""), None);
    let band = dataset.rasterband(1).unwrap();
    assert_eq!(band.block_size(), (512, 512));
    assert_eq!(band.no_data_value(), Some(f64::from(NODATA)));
    assert_eq!(band.description().unwrap(), "label");

    let colours = band.color_table().unwrap();
    let rgb = |value: u8| colours.entry_as_rgb(value.into()).map(|c| [c.r, c.g, c.b]).unwrap();
    assert_eq!(rgb(3), [0, 0, 255]);
    assert_eq!(rgb(0), [0xE6, 0x19, 0x4B]);
    assert_eq!(rgb(9), [0xF5, 0x82, 0x31]);
    assert_eq!(rgb(NODATA), [0, 0, 0]);

    let names = category_names(&dataset);
    assert_eq!(names, ["background", "building", "road", "water", "", "forest", "", "", "", "Crops & <fields>"]);
    let table = attribute_table(&dataset);
    assert_eq!(table.len(), VALUES.len());
    assert_eq!(table[3][..2], ["3", "water"]);
    assert_eq!(table[3][3..], ["0", "0", "255"]);
    for (row, value) in table.iter().zip(VALUES) {
        assert_eq!(row[0], value.to_string());
        assert_eq!(row[2].parse::<f64>().unwrap(), count(value) as f64);
    }
}

#[test]
fn overviews_have_the_most_frequent_label() {
    let folder = TempDir::new().unwrap();
    write_all(product(folder.path()));
    let dataset = Dataset::open(folder.path().join("labels.tif")).unwrap();
    let band = dataset.rasterband(1).unwrap();
    assert_eq!(band.overview_count().unwrap(), 2);
    let overview = band.overview(0).unwrap();
    assert_eq!(overview.size(), (650, 350));
    let got = overview.read_as::<u8>((0, 0), (650, 350), (650, 350), None).unwrap().into_shape_and_vec().1;
    let expected: Vec<u8> = (0..350).flat_map(|y| (0..650).map(move |x| majority(2 * x, 2 * y))).collect();
    let wrong = got.iter().zip(&expected).filter(|(a, b)| a != b).count();
    assert_eq!(wrong, 0);
}

#[test]
fn the_bytes_do_not_depend_on_threads_or_window_order() {
    let folder = TempDir::new().unwrap();
    let name = |text: &str| folder.path().join(text);
    write_all(LabelProduct { path: name("one.tif"), threads: 1, ..product(folder.path()) });
    write_all(LabelProduct { path: name("four.tif"), threads: 4, ..product(folder.path()) });
    let mut sink = LabelSink::create(LabelProduct { path: name("whole.tif"), ..product(folder.path()) }).unwrap();
    sink.write(Window::all(SIZE), &labels(Window::all(SIZE))).unwrap();
    sink.finish().unwrap();
    for suffix in ["", ".aux.xml"] {
        let bytes = |stem: &str| fs::read(name(&format!("{stem}.tif{suffix}"))).unwrap();
        assert!(bytes("one") == bytes("four") && bytes("one") == bytes("whole"), "{suffix}");
    }
}

#[test]
fn georeferences_are_kept_bit_for_bit() {
    let gcp = |id: &str, pixel, line, x, y| Gcp { id: id.into(), info: String::new(), pixel, line, x, y, z: 12.5 };
    let wgs84 = Some(SpatialRef::from_epsg(4326).unwrap().to_wkt().unwrap());
    let cases = [
        utm33(),
        Georeference { transform: Some([399_960.1, 8.66, 5.0, 5_000_040.7, 5.0, -8.66]), ..utm33() },
        Georeference { transform: Some([0.1, 0.3, 0.0, -7.0, 0.0, 0.3]), crs_wkt: wgs84.clone(), ..Georeference::default() },
        Georeference { transform: Some([1.0 / 3.0, 0.1, 0.0, 2.0 / 3.0, 0.0, -0.1]), ..Georeference::default() },
        Georeference::default(),
        Georeference {
            gcps: vec![
                gcp("1", 0.0, 0.0, 15.0, 45.0),
                gcp("2", 1299.5, 0.0, 16.0, 45.1),
                gcp("3", 0.0, 699.25, 15.1, 44.0),
                gcp("4", 1300.0, 700.0, 16.1, 44.1),
            ],
            gcp_crs_wkt: wgs84,
            ..Georeference::default()
        },
    ];
    for georeference in cases {
        let folder = TempDir::new().unwrap();
        write_all(LabelProduct { georeference: georeference.clone(), ..product(folder.path()) });
        let got = Georeference::read(&Dataset::open(folder.path().join("labels.tif")).unwrap()).unwrap();
        assert_eq!(got.transform, georeference.transform);
        assert_eq!(got.gcps, georeference.gcps);
        let same = |a: &Option<String>, b: &Option<String>| match (a, b) {
            (Some(a), Some(b)) => SpatialRef::from_definition(a).unwrap() == SpatialRef::from_definition(b).unwrap(),
            (a, b) => a == b,
        };
        assert!(same(&got.crs_wkt, &georeference.crs_wkt), "{got:?}");
        assert!(same(&got.gcp_crs_wkt, &georeference.gcp_crs_wkt), "{got:?}");
    }
}

#[test]
fn sinks_may_move_to_another_thread() {
    fn assert_send<T: Send>() {}
    assert_send::<LabelSink>();
    assert_send::<LayerSink>();
}

#[test]
fn a_small_raster_is_no_bigtiff() {
    let folder = TempDir::new().unwrap();
    write_all(product(folder.path()));
    let bytes = fs::read(folder.path().join("labels.tif")).unwrap();
    assert_eq!(bytes[..4], *b"II*\0");
}

#[test]
fn an_earlier_file_stays_or_goes_with_all_that_describes_it() {
    let folder = TempDir::new().unwrap();
    let sidecars = ["labels.tif.aux.xml", "labels.tif.msk", "labels.tif.ovr", "labels.tif.vat.dbf"];
    for name in ["labels.tif"].iter().chain(&sidecars) {
        fs::write(folder.path().join(name), "of an earlier file").unwrap();
    }
    let refused = LabelSink::create(product(folder.path())).unwrap_err();
    assert!(matches!(refused, Error::Exists { .. }), "{refused}");
    assert_eq!(files(folder.path()).len(), 5);

    write_all(LabelProduct { existing: Existing::Overwrite, ..product(folder.path()) });
    assert_eq!(files(folder.path()), ["labels.tif", "labels.tif.aux.xml"]);
    assert_eq!(category_names(&Dataset::open(folder.path().join("labels.tif")).unwrap()).len(), 10);
}

#[test]
fn what_is_dropped_or_fails_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let all = Window::all(SIZE);
    let mut sink = LabelSink::create(product(folder.path())).unwrap();
    sink.write(Window::plane(0, 0, 1300, 600), &vec![1; 1300 * 600]).unwrap();
    assert_eq!(files(folder.path()), ["labels.tif.part", "labels.tif.scratch.part"]);
    drop(sink);
    assert_eq!(files(folder.path()), [""; 0]);

    let mut sink = LabelSink::create(product(folder.path())).unwrap();
    sink.write(Window::plane(0, 0, 1300, 699), &vec![1; 1300 * 699]).unwrap();
    let twice = sink.write(Window::plane(5, 5, 1, 1), &[1]).unwrap_err();
    assert!(matches!(twice, Error::WrittenTwice { .. }), "{twice}");
    let unknown = sink.write(Window::plane(0, 699, 3, 1), &[1, 4, 255]).unwrap_err();
    assert_eq!(unknown.to_string().split(" of ").next().unwrap(), "label 4 in window x 0 y 699",);
    let missing = sink.finish().unwrap_err();
    assert!(matches!(missing, Error::Unwritten { expected: 910_000, got: 908_700, .. }), "{missing}");
    assert_eq!(files(folder.path()), [""; 0]);

    // GDAL cannot replace a folder that is not empty: the COG fails after everything was written.
    let mut sink = LabelSink::create(product(folder.path())).unwrap();
    sink.write(all, &labels(all)).unwrap();
    fs::create_dir_all(folder.path().join("labels.tif.part.ovr.tmp/full")).unwrap();
    let failed = sink.finish().unwrap_err();
    assert!(matches!(&failed, Error::Gdal { .. }), "{failed}");
    assert_eq!(files(folder.path()), ["labels.tif.part.ovr.tmp"]);
}

#[test]
fn impossible_products_are_refused() {
    let folder = TempDir::new().unwrap();
    let message = |product: LabelProduct| LabelSink::create(product).unwrap_err().to_string();
    let path = folder.path().join("labels.tif").display().to_string();

    let nowhere = LabelProduct { path: folder.path().join("no/folder/labels.tif"), ..product(folder.path()) };
    assert!(message(nowhere).starts_with("cannot create "));
    let nodata = LabelProduct { nodata: 3, ..product(folder.path()) };
    assert_eq!(message(nodata), format!("class `water` has the value 3, which is no data in {path}"));
    let mut twice = product(folder.path());
    twice.classes[4].value = 1;
    assert_eq!(message(twice), format!("classes `building` and `forest` both have the value 1 in {path}"));
    let volume = LabelProduct { size: Size { depth: 2, ..SIZE }, ..product(folder.path()) };
    assert!(message(volume).contains("got 1300 x 700 x 2"));
    let empty = LabelProduct { size: Size::plane(0, 5), ..product(folder.path()) };
    assert!(message(empty).contains("got 0 x 5"));
    assert_eq!(files(folder.path()), [""; 0]);
}

fn layer(folder: &Path, encoding: LayerEncoding, bands: &[&str]) -> LayerProduct {
    LayerProduct {
        path: folder.join("scores.tif"),
        size: SIZE,
        georeference: utm33(),
        bands: bands.iter().map(ToString::to_string).collect(),
        encoding,
        existing: Existing::Refuse,
        threads: 2,
    }
}

/// A smooth probability with a hole, `(bands, height, width)`.
fn scores(window: Window, bands: usize) -> Vec<f32> {
    let score = move |band: usize, x: usize, y: usize| match (x, y) {
        (600..650, 300..360) => f32::NAN,
        _ => (((x + 3 * y) % 1000) as f32 / 999.0 + band as f32 * 0.25).fract(),
    };
    let row = move |band, y| (window.x..window.x + window.width).map(move |x| score(band, x, y));
    (0..bands).flat_map(|band| (window.y..window.y + window.height).flat_map(move |y| row(band, y))).collect()
}

fn write_layer(product: LayerProduct) -> Dataset {
    let [path, bands] = [product.path.clone(), PathBuf::from(product.bands.len().to_string())];
    let bands = bands.to_string_lossy().parse().unwrap();
    let mut sink = LayerSink::create(product).unwrap();
    for window in windows() {
        sink.write(window, &scores(window, bands)).unwrap();
    }
    sink.finish().unwrap();
    Dataset::open(path).unwrap()
}

#[test]
fn scores_are_kept_as_they_are() {
    let folder = TempDir::new().unwrap();
    let dataset = write_layer(layer(folder.path(), LayerEncoding::F32, &["building", "road"]));
    assert_eq!(files(folder.path()), ["scores.tif"]);
    let expected = scores(Window::all(SIZE), 2);
    for (index, name) in [(1, "building"), (2, "road")] {
        let band = dataset.rasterband(index).unwrap();
        assert_eq!(band.description().unwrap(), name);
        assert!(band.no_data_value().unwrap().is_nan());
        let got = band.read_as::<f32>((0, 0), band.size(), band.size(), None).unwrap();
        let expected = &expected[(index - 1) * SIZE.area()..index * SIZE.area()];
        assert!(got.data().iter().zip(expected).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())));
        // The mean of a block whose pixels are all there, and of one that is a hole.
        let overview = band.overview(0).unwrap();
        let pixel = |x, y| overview.read_as::<f32>((x, y), (1, 1), (1, 1), None).unwrap().data()[0];
        let mean = (expected[0] + expected[1] + expected[1300] + expected[1301]) / 4.0;
        assert!((pixel(0, 0) - mean).abs() < 1e-6);
        assert!(pixel(310, 160).is_nan());
    }
}

#[test]
fn probabilities_in_steps_have_a_scale_and_stay_greyscale() {
    for bands in [&["a"][..], &["a", "b", "c"], &["a", "b", "c", "d"]] {
        let folder = TempDir::new().unwrap();
        let dataset = write_layer(layer(folder.path(), LayerEncoding::U8, bands));
        assert_eq!(dataset.raster_count(), bands.len());
        let expected = scores(Window::all(SIZE), bands.len());
        for index in 1..=bands.len() {
            let band = dataset.rasterband(index).unwrap();
            assert_eq!(band.no_data_value(), Some(255.0));
            let scale = band.scale().unwrap();
            assert_eq!(band.offset(), Some(0.0));
            let kind = band.color_interpretation().name();
            assert!(["Gray", "Undefined"].contains(&kind.as_str()), "{kind}");
            let got = read(&dataset, index);
            for (&stored, &score) in got.iter().zip(&expected[(index - 1) * SIZE.area()..]) {
                if score.is_nan() {
                    assert_eq!(stored, 255);
                } else {
                    assert!((f64::from(stored) * scale - f64::from(score)).abs() <= 0.5 / 254.0 + 1e-6);
                }
            }
        }
    }
}

#[test]
fn the_bytes_of_a_layer_do_not_depend_on_threads() {
    let folder = TempDir::new().unwrap();
    let bytes = |threads: usize, encoding| {
        let path = folder.path().join(format!("{threads} {encoding:?}.tif"));
        write_layer(LayerProduct { path: path.clone(), threads, ..layer(folder.path(), encoding, &["a", "b", "c"]) });
        fs::read(path).unwrap()
    };
    for encoding in [LayerEncoding::U8, LayerEncoding::F32] {
        assert!(bytes(1, encoding) == bytes(4, encoding), "{encoding:?}");
    }
}

#[test]
fn what_is_no_probability_is_refused() {
    let folder = TempDir::new().unwrap();
    let window = Window::plane(0, 0, 2, 1);
    let mut sink = LayerSink::create(layer(folder.path(), LayerEncoding::U8, &["a", "b"])).unwrap();
    let logit = sink.write(window, &[0.5, 0.5, 0.5, 3.25]).unwrap_err();
    assert!(logit.to_string().starts_with("expected a probability, got 3.25 for band `b` in window x 0 y 0 of 2 x 1"), "{logit}");
    drop(sink);
    let mut sink = LayerSink::create(layer(folder.path(), LayerEncoding::F32, &["a"])).unwrap();
    sink.write(window, &[f32::INFINITY, 0.0]).unwrap_err();
    sink.write(window, &[7.5, f32::NAN]).unwrap();
    drop(sink);
    assert_eq!(files(folder.path()), [""; 0]);
}

#[test]
fn georeferences_move_with_a_window_and_know_their_place() {
    let georeference = Georeference { transform: Some([10.0, 2.0, 0.5, 20.0, 0.25, -2.0]), ..utm33() };
    assert_eq!(georeference.window(Window::plane(0, 0, 5, 5)), georeference);
    let moved = georeference.window(Window::plane(4, 2, 5, 5));
    assert_eq!(moved.transform, Some([19.0, 2.0, 0.5, 17.0, 0.25, -2.0]));
    assert_eq!(georeference.pixel_area_m2(), Some(4.125));
    assert_eq!(utm33().pixel_area_m2(), Some(100.0));
    assert_eq!(utm33().crs_code().as_deref(), Some("EPSG:32633"));
    assert_eq!(Georeference::default().footprint_wgs84(SIZE), None);
}

#[test]
fn footprints_are_counter_clockwise_in_longitude_and_latitude() {
    // By pyproj: (399960, 5000040) in EPSG:32633 and 109.8 km to the south and east of it.
    let ring = utm33().footprint_wgs84(Size::plane(10_980, 10_980)).unwrap();
    let expected =
        [[13.727_450_3, 45.146_747_2], [13.748_882_9, 44.158_515_3], [15.122_074_5, 44.165_301_3], [15.124_166_4, 45.153_769_8]];
    assert_eq!(ring[0], ring[4]);
    for (got, expected) in ring.iter().zip(expected) {
        assert!((got[0] - expected[0]).abs() < 1e-6 && (got[1] - expected[1]).abs() < 1e-6, "{got:?} {expected:?}");
    }
    let south_up = Georeference { transform: Some([399_960.0, 10.0, 0.0, 4_890_240.0, 0.0, 10.0]), ..utm33() };
    let mirrored = south_up.footprint_wgs84(Size::plane(10_980, 10_980)).unwrap();
    let area = |ring: [[f64; 2]; 5]| ring.windows(2).map(|e| e[0][0] * e[1][1] - e[1][0] * e[0][1]).sum::<f64>();
    assert!(area(ring) > 0.0 && area(mirrored) > 0.0);
    let antimeridian = Georeference {
        crs_wkt: Some("EPSG:32660".into()),
        transform: Some([600_000.0, 10.0, 0.0, 7_000_000.0, 0.0, -10.0]),
        ..utm33()
    };
    assert_eq!(antimeridian.footprint_wgs84(Size::plane(10_980, 10_980)), None);
}

#[test]
fn what_a_raster_lacks_stays_empty() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bare.tif");
    let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
    driver.create(&path, 4, 4, 1).unwrap().close().unwrap();
    assert_eq!(Georeference::read(&Dataset::open(&path).unwrap()).unwrap(), Georeference::default());
    let memory = DriverManager::get_driver_by_name("MEM").unwrap().create("", 4, 4, 1).unwrap();
    assert_eq!(Georeference::read(&memory).unwrap(), Georeference::default());

    let mut dataset = driver.create(&path, 4, 4, 1).unwrap();
    utm33().write(&mut dataset).unwrap();
    let read = Georeference::read(&dataset).unwrap();
    assert!(read.crs_wkt.unwrap().starts_with("PROJCRS["), "WKT2");
}

#[test]
fn a_stac_item_says_what_made_the_labels() {
    let folder = TempDir::new().unwrap();
    let product = product(folder.path());
    let summary = write_all(product.clone());
    write_layer(layer(folder.path(), LayerEncoding::U8, &["confidence"]));
    let created = "2026-02-03T04:05:06Z".parse().unwrap();
    let (sources, bands) = (["s3://bucket/scene.tif".to_owned()], ["confidence".to_owned()]);
    let path = folder.path().join("scores.tif");
    let mut item = ItemDescription {
        labels: &product.path,
        size: SIZE,
        georeference: &product.georeference,
        classes: &product.classes,
        nodata: NODATA,
        summary: &summary,
        probabilities: None,
        confidence: Some(LayerAsset { path: &path, bands: &bands, encoding: LayerEncoding::U8 }),
        sources: &sources,
        model: ModelReference { name: "unet", version: Some("1.2"), href: "../unet/model.json" },
        parameters: Map::from_iter([("tile".to_owned(), json!(512))]),
        acquired: None,
        created,
        existing: Existing::Refuse,
    };
    item.write().unwrap();
    assert!(matches!(item.write(), Err(Error::Exists { .. })));
    assert_eq!(files(folder.path()), ["labels.json", "labels.tif", "labels.tif.aux.xml", "scores.tif"]);

    let json = |item: &ItemDescription<'_>| -> Value { serde_json::from_slice(&fs::read(item.path()).unwrap()).unwrap() };
    let written = json(&item);
    assert_eq!(written["id"], "labels");
    assert_eq!(written["properties"]["datetime"], "2026-02-03T04:05:06Z");
    assert_eq!(written["properties"]["proj:code"], "EPSG:32633");
    assert_eq!(written["properties"]["proj:shape"], json!([700, 1300]));
    assert_eq!(written["properties"]["proj:transform"], json!([10.0, 0.0, 399_960.0, 0.0, -10.0, 5_000_040.0]));
    assert_eq!(written["properties"]["swath:parameters"]["tile"], 512);
    assert_eq!(written["bbox"][0], written["geometry"]["coordinates"][0][0][0]);
    let classes = written["assets"]["labels"]["classification:classes"].as_array().unwrap();
    assert_eq!(classes.len(), 7);
    assert_eq!(classes[3]["color_hint"], "0000FF");
    assert_eq!(classes[6]["nodata"], true);
    assert_eq!(classes[1]["count"], summary.counts[1]);
    let percent: f64 = classes.iter().map(|class| class["percentage"].as_f64().unwrap()).sum();
    assert!((percent - 100.0).abs() < 1e-9);
    assert_eq!(written["links"][1]["mlm:name"], "unet");
    let confidence = &written["assets"]["confidence"];
    assert_eq!(confidence["href"], "./scores.tif");
    assert_eq!(confidence["file:size"], fs::metadata(&path).unwrap().len());
    assert_eq!(confidence["file:checksum"].as_str().unwrap().len(), 4 + 64);

    let nowhere = Georeference::default();
    item.georeference = &nowhere;
    item.existing = Existing::Overwrite;
    item.acquired = Some("2020-06-01T10:00:00Z".parse().unwrap());
    item.write().unwrap();
    let written = json(&item);
    assert_eq!(written["geometry"], Value::Null);
    assert_eq!(written.get("bbox"), None);
    assert_eq!(written["properties"]["datetime"], "2020-06-01T10:00:00Z");
}

#[test]
fn acquisition_times_come_from_the_raster() {
    let mut dataset = DriverManager::get_driver_by_name("MEM").unwrap().create("", 4, 4, 1).unwrap();
    assert_eq!(swath::acquired(&dataset), None);
    dataset.set_metadata_item("TIFFTAG_DATETIME", "2019:05:06 07:08:09", "").unwrap();
    assert_eq!(swath::acquired(&dataset).unwrap().to_string(), "2019-05-06T07:08:09Z");
    dataset.set_metadata_item("ACQUISITIONDATETIME", "2018-01-02 03:04:05", "IMAGERY").unwrap();
    assert_eq!(swath::acquired(&dataset).unwrap().to_string(), "2018-01-02T03:04:05Z");
}
