//! `--aoi`: labels within polygons, nothing beside them, and nothing read or run for what lies beside.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use gdal::Dataset;
use serde_json::{Value, json};
use support::{Linear, NODATA, count, read_labels, segment, swath, utm};
use swath::source::{BandRequest, RasterSource as _, Scene};
use swath_models::{Builder, Conv, Model, Rank, Scope};
use swath_tiling::Window;
use tempfile::TempDir;

/// Of the scene: `utm` of `support` puts it there.
const CORNER: [f64; 2] = [399_960.0, 5_000_040.0];
const PIXEL: f64 = 10.0;

/// A ring in UTM coordinates through these columns and rows.
fn ring(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    points.iter().map(|[column, row]| [CORNER[0] + PIXEL * column, CORNER[1] - PIXEL * row]).collect()
}

fn rectangle([left, top, right, bottom]: [f64; 4]) -> Vec<[f64; 2]> {
    ring(&[[left, top], [right, top], [right, bottom], [left, bottom], [left, top]])
}

/// Writes geometries as `GeoJSON`.
fn write(path: &Path, crs: Option<&str>, geometries: &[Value]) {
    let feature = |geometry: &Value| json!({ "type": "Feature", "properties": {}, "geometry": geometry });
    let mut file = json!({ "type": "FeatureCollection", "features": geometries.iter().map(feature).collect::<Vec<_>>() });
    if let Some(crs) = crs {
        file["crs"] = json!({ "type": "name", "properties": { "name": crs } });
    }
    fs::write(path, file.to_string()).unwrap();
}

fn polygon(ring: &[[f64; 2]]) -> Value {
    json!({ "type": "Polygon", "coordinates": [ring] })
}

/// A folder with `scene.tif` on the map and a model that sees the neighbours of each pixel, two away.
fn workplace(width: usize, height: usize) -> TempDir {
    let folder = TempDir::new().unwrap();
    support::Pixels::new(width, height, 3, support::noise).write(&folder.path().join("scene.tif"), &["TILED=YES"], utm);
    let Model { card, mut weights, .. } = Linear::by_sum(3, 600.0, 900.0).model();
    let mut builder = Builder::new("neighbours", Rank::Planar, 3);
    let input = builder.input();
    let mixed = builder.conv(input, &Scope::root("mix"), Conv::square(3, 5)).node();
    let head = builder.conv(mixed, &Scope::root("head"), Conv::square(3, 1).biased()).node();
    weights.insert("mix.weight", vec![3, 3, 5, 5], (0..225_u8).map(|at| f32::from(at % 7) / 75.0).collect());
    Model { card, graph: builder.build(head).unwrap(), weights }.write(&folder.path().join("model")).unwrap();
    folder
}

#[test]
fn labels_within_are_those_of_the_whole_and_beside_there_are_none() {
    let folder = workplace(400, 300);
    let path = |name: &str| folder.path().join(name);
    // A triangle, and an odd corner of a multipolygon far from it: no edge goes through a pixel's centre.
    let inner = ring(&[[60.3, 40.2], [200.7, 60.1], [90.4, 170.9], [60.3, 40.2]]);
    let other = json!({ "type": "MultiPolygon", "coordinates": [[rectangle([330.2, 210.2, 360.2, 500.0])]] });
    write(&path("aoi.geojson"), Some("EPSG:32633"), &[polygon(&inner), other]);
    let cross = |[ax, ay]: [f64; 2], [bx, by]: [f64; 2], [x, y]: [f64; 2]| (bx - ax) * (y - ay) - (by - ay) * (x - ax);
    let is_within = |at: usize| {
        let p = [(at % 400) as f64 + 0.5, (at / 400) as f64 + 0.5];
        let [a, b, c] = [[60.3, 40.2], [200.7, 60.1], [90.4, 170.9]];
        let triangle = cross(a, b, p) > 0.0 && cross(b, c, p) > 0.0 && cross(c, a, p) > 0.0;
        triangle || ((330.2..360.2).contains(&p[0]) && p[1] > 210.2)
    };
    for blend in ["hann", "crop"] {
        let tiles = format!("--tile 64 --blend {blend} --model model");
        segment(folder.path(), &format!("scene.tif {tiles} --output whole-{blend}.tif")).succeeds();
        segment(folder.path(), &format!("scene.tif {tiles} --aoi aoi.geojson --output within-{blend}.tif")).succeeds();
        let [whole, within] = ["whole", "within"].map(|name| read_labels(&path(&format!("{name}-{blend}.tif"))));
        let expected: Vec<u8> = (0..whole.len()).map(|at| if is_within(at) { whole[at] } else { NODATA }).collect();
        assert!(within == expected, "{blend}");
        assert!(count(&within, NODATA) > 80_000 && count(&within, NODATA) < 119_000 && count(&whole, NODATA) == 0);
        let item: Value = serde_json::from_slice(&fs::read(path(&format!("within-{blend}.json"))).unwrap()).unwrap();
        let aoi = item.to_string();
        assert!(aoi.contains("\"layer\":\"aoi\"") && aoi.contains("\"sha256\""), "{aoi}");
    }
}

#[test]
fn tiles_beside_are_neither_read_nor_run() {
    let folder = workplace(512, 512);
    let path = |name: &str| folder.path().join(name);
    write(&path("aoi.geojson"), Some("EPSG:32633"), &[polygon(&rectangle([10.0, 10.0, 40.0, 40.0]))]);
    // All but the first block of the scene is broken: who reads more fails.
    let dataset = Dataset::open(path("scene.tif")).unwrap();
    assert_eq!(dataset.rasterband(1).unwrap().block_size(), (256, 256));
    drop(dataset);
    let whole = fs::read(path("scene.tif")).unwrap();
    fs::write(path("scene.tif"), &whole[..3 * 256 * 256 + 4096]).unwrap();
    segment(folder.path(), "scene.tif --tile 64 --model model --output labels.tif").fails(1, &["scene.tif"]);
    let run = segment(folder.path(), "scene.tif --tile 64 --model model --aoi aoi.geojson --output labels.tif --timings");
    run.succeeds();
    assert_eq!(read_labels(&path("labels.tif")).iter().filter(|label| **label != NODATA).count(), 30 * 30);
    let plan = &swath(folder.path(), "plan scene.tif --tile 64 --model model --aoi aoi.geojson --json").succeeds().json()[0];
    let [all, within] = ["tiles", "tiles_within_aoi"].map(|key| plan[key].as_u64().unwrap());
    assert!(all > 80 && within == 1, "{plan}");
    let text = swath(folder.path(), "plan scene.tif --tile 64 --model model --aoi aoi.geojson").succeeds().stdout;
    assert!(text.contains("1 touch the area of interest"), "{text}");
}

#[test]
fn areas_in_another_crs_and_in_one_of_several_layers_are_taken() {
    let folder = workplace(200, 100);
    write(&folder.path().join("a.geojson"), Some("EPSG:32633"), &[polygon(&rectangle([20.0, 20.0, 50.0, 40.0]))]);
    write(&folder.path().join("b.geojson"), Some("EPSG:32633"), &[polygon(&rectangle([120.0, 20.0, 150.0, 60.0]))]);
    for (name, more) in [("a", ""), ("b", "-update")] {
        let mut command = Command::new("ogr2ogr");
        command.current_dir(folder.path()).args(["-f", "GPKG", "-t_srs", "EPSG:4326", "-nln", name]);
        command.args(more.split_whitespace()).args(["areas.gpkg", &format!("{name}.geojson")]);
        assert!(command.status().unwrap().success());
    }
    let args = "scene.tif --tile 64 --model model --aoi areas.gpkg --output labels.tif";
    segment(folder.path(), args).fails(2, &["a, b", "got none", "--aoi-layer"]);
    segment(folder.path(), &format!("{args} --aoi-layer c")).fails(2, &["got `c`"]);
    segment(folder.path(), &format!("{args} --aoi-layer b")).succeeds();
    let labels = read_labels(&folder.path().join("labels.tif"));
    let is_within = |at: usize| (120..150).contains(&(at % 200)) && (20..60).contains(&(at / 200));
    assert!(labels.iter().enumerate().all(|(at, label)| is_within(at) == (*label != NODATA)));
}

#[test]
fn areas_that_cannot_be_are_errors() {
    let folder = workplace(64, 64);
    let path = folder.path().join("aoi.geojson");
    let fails = |words: &[&str]| {
        segment(folder.path(), "scene.tif --model model --aoi aoi.geojson --output labels.tif").fails(2, words);
        support::assert_nothing_left(folder.path());
    };
    fails(&["cannot open aoi.geojson"]);
    write(&path, Some("EPSG:32633"), &[]);
    fails(&["has no features"]);
    write(&path, Some("EPSG:32633"), &[polygon(&rectangle([100.0, 100.0, 110.0, 110.0]))]);
    fails(&["does not touch scene.tif", "hint:"]);
    // Round the scene, but not on it.
    let far = [polygon(&rectangle([-50.0, -50.0, -40.0, -40.0])), polygon(&rectangle([90.0, 90.0, 99.0, 99.0]))];
    write(&path, Some("EPSG:32633"), &far);
    fails(&["does not touch scene.tif"]);
    write(&path, Some("EPSG:32633"), &[json!({ "type": "Point", "coordinates": [CORNER[0] + 5.0, CORNER[1] - 5.0] })]);
    fails(&["expected polygons", "POINT"]);
    write(&path, Some("EPSG:32633"), &[polygon(&rectangle([1.0, 1.0, 9.0, 9.0]))]);
    support::write_noise(&folder.path().join("scene.tif"), 64, 64, 3);
    fails(&["the scene has no CRS"]);
    swath(folder.path(), "plan scene.tif --model model --aoi-layer a").fails(2, &["--aoi"]);
}

/// Writes 160 overlapping scenes of 40 x 40 in a grid 16 wide, and what GDAL makes of them: `mosaic.vrt` and, pixel by pixel, `merged.tif`.
fn write_mosaic(folder: &Path) {
    let mut names = Vec::new();
    for number in 0..160_usize {
        let (column, row) = (number % 16 * 30, number / 16 * 30);
        let pixels = support::Pixels::new(40, 40, 3, |band, x, y| support::noise(band + 3 * number, x, y));
        let name = format!("part{number}.tif");
        pixels.write(&folder.join(&name), &["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16"], |dataset| {
            utm(dataset);
            let (x, y) = (CORNER[0] + PIXEL * column as f64, CORNER[1] - PIXEL * row as f64);
            dataset.set_geo_transform(&[x, PIXEL, 0.0, y, 0.0, -PIXEL]).unwrap();
        });
        names.push(name);
    }
    let run = |program: &str, args: &[&str]| {
        assert!(Command::new(program).current_dir(folder).arg("-q").args(args).status().unwrap().success(), "{program}");
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    run("gdalbuildvrt", &[&["mosaic.vrt"], &names[..]].concat());
    run("gdal_translate", &["mosaic.vrt", "merged.tif"]);
}

#[test]
fn a_mosaic_is_labelled_as_the_merged_raster_is() {
    let folder = workplace(64, 64);
    let path = |name: &str| folder.path().join(name);
    write_mosaic(folder.path());
    write(&path("aoi.geojson"), Some("EPSG:32633"), &[polygon(&rectangle([35.0, 20.0, 300.0, 260.0]))]);
    segment(folder.path(), "mosaic.vrt --tile 64 --model model --aoi aoi.geojson --output within.tif").succeeds();
    segment(folder.path(), "merged.tif --tile 64 --model model --output whole.tif").succeeds();
    let [whole, within] = ["whole", "within"].map(|name| read_labels(&path(&format!("{name}.tif"))));
    let (width, height) = (15 * 30 + 40, 9 * 30 + 40);
    assert_eq!(whole.len(), width * height);
    let is_within = |at: usize| (35..300).contains(&(at % width)) && (20..260).contains(&(at / width));
    let expected: Vec<u8> = (0..whole.len()).map(|at| if is_within(at) { whole[at] } else { NODATA }).collect();
    assert!(within == expected);
}

#[test]
#[cfg(target_os = "linux")]
fn a_mosaic_does_not_hold_all_its_files_open() {
    let folder = TempDir::new().unwrap();
    write_mosaic(folder.path());
    let scene = Scene::open(folder.path().join("mosaic.vrt"), &[BandRequest::Number(1)]).unwrap();
    let mut reader = scene.reader().unwrap();
    let mut most = 0;
    for y in (0..310).step_by(31) {
        reader.read(Window::plane(0, y, 490, 31)).unwrap();
        let own = |entry: std::io::Result<fs::DirEntry>| {
            fs::read_link(entry.unwrap().path()).is_ok_and(|to| to.starts_with(folder.path()))
        };
        most = most.max(fs::read_dir("/proc/self/fd").unwrap().map(own).filter(|own| *own).count());
    }
    assert!((1..=101).contains(&most), "{most} files are open");
}
