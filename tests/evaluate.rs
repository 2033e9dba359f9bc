//! `swath evaluate`, the built binary: its figures against scikit-learn's, what it prints, and what it refuses.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod support;

use std::fs;
use std::path::Path;

use gdal::Dataset;
use serde_json::{Value, json};
use support::{Linear, Pixels, files, noise, segment, swath, utm};
use tempfile::TempDir;

/// Pixels without a class in the generated maps.
const NONE: u8 = 255;
/// Blocks that do not fit those of the prediction.
const TILES: [&str; 3] = ["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=48"];

/// The reference of the golden values: patches of classes, some of them none.
fn reference(classes: usize, patch: usize, none: u8) -> impl Fn(usize, usize, usize) -> u8 {
    move |_, x, y| {
        let (x, y) = (x / patch, y / patch);
        if noise(3, x, y) < none { NONE } else { (usize::from(noise(0, x, y)) * classes / 256) as u8 }
    }
}

/// The prediction of the golden values, which is right at about half of the pixels.
fn prediction(classes: usize, patch: usize, none: u8) -> impl Fn(usize, usize, usize) -> u8 {
    move |_, x, y| {
        let drawn = if noise(1, x, y) < 128 { noise(0, x / patch, y / patch) } else { noise(2, x, y) };
        if noise(4, x, y) < none { NONE } else { (usize::from(drawn) * classes / 256) as u8 }
    }
}

/// Writes a map; `place` puts it on the ground.
fn write_at(
    path: &Path,
    size: [usize; 2],
    options: &[&str],
    value: impl Fn(usize, usize, usize) -> u8,
    place: impl FnOnce(&mut Dataset),
) {
    Pixels::new(size[0], size[1], 1, value).write(path, options, |dataset| {
        place(dataset);
        dataset.rasterband(1).unwrap().set_no_data_value(Some(NONE.into())).unwrap();
    });
}

fn write(path: &Path, size: [usize; 2], options: &[&str], value: impl Fn(usize, usize, usize) -> u8) {
    write_at(path, size, options, value, |_| {});
}

/// A folder with `a.tif` and `b.tif`, a prediction and its reference of three classes on the map.
fn workplace() -> TempDir {
    let folder = TempDir::new().unwrap();
    write_at(&folder.path().join("a.tif"), [90, 70], &[], prediction(3, 9, 20), utm);
    write_at(&folder.path().join("b.tif"), [90, 70], &[], reference(3, 9, 20), utm);
    folder
}

#[track_caller]
fn assert_near(got: &Value, expected: &Value, what: &str) {
    match (got.as_f64(), expected.as_f64()) {
        (Some(got), Some(expected)) => assert!((got - expected).abs() < 1e-12, "{what}: {got}, expected {expected}"),
        _ => assert!(got.is_null() && expected.is_null(), "{what}: {got}, expected {expected}"),
    }
}

/// Compares one set of figures with that of scikit-learn.
#[track_caller]
fn assert_figures(got: &Value, expected: &Value) {
    for exact in ["matrix", "unlabelled", "pixels"] {
        assert_eq!(got[exact], expected[exact], "{exact}");
    }
    for figure in ["accuracy", "kappa", "mean_f1", "mean_iou"] {
        assert_near(&got[figure], &expected[figure], figure);
    }
    let classes = got["classes"].as_array().unwrap();
    for figure in ["precision", "recall", "f1", "iou"] {
        let expected = expected[figure].as_array().unwrap();
        assert_eq!(expected.len(), classes.len());
        for (class, expected) in classes.iter().zip(expected) {
            assert_near(&class[figure], expected, figure);
        }
    }
}

#[test]
fn figures_equal_those_of_scikit_learn() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let cases: Vec<Value> = serde_json::from_str(include_str!("golden/evaluation.json")).unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let number = |key: &str| case[key].as_u64().unwrap() as usize;
        let (drawn, patch, none) = (number("drawn"), number("patch"), number("none") as u8);
        write(&path("a.tif"), [211, 157], &[], prediction(drawn, patch, none));
        write(&path("b.tif"), [211, 157], &TILES, reference(drawn, patch, none));
        let sure = Pixels::new(211, 157, 1, |_, x, y| (f64::from(noise(5, x, y)) / 255.0) as f32);
        sure.write(&path("p.tif"), &[], |_| {});
        let names: Vec<String> = (0..number("classes")).map(|class| format!("class_{class}")).collect();
        let mut arguments = format!("evaluate a.tif b.tif --probabilities p.tif --json - -q --classes {}", names.join(","));
        if case["eroded"].is_null() {
            let got = &swath(folder.path(), &arguments).succeeds().json()[0];
            assert_figures(&got["full"], &case["full"]);
            let error = &got["calibration"]["expected_calibration_error"];
            assert!((error.as_f64().unwrap() - case["calibration_error"].as_f64().unwrap()).abs() < 1e-9, "{error}");
            continue;
        }
        arguments.push_str(" --erode ");
        for (radius, eroded) in case["eroded"].as_object().unwrap() {
            let got = &swath(folder.path(), &format!("{arguments}{radius}")).succeeds().json()[0];
            assert_figures(&got["full"], &case["full"]);
            assert_figures(&got["eroded"], eroded);
        }
    }
}

/// Rasters larger than a window, so that erosion reaches over the edges of windows and threads share them.
#[test]
fn windows_and_threads_do_not_change_the_figures() {
    let folder = TempDir::new().unwrap();
    let size = [1500, 1300];
    write(&folder.path().join("a.tif"), size, &[], prediction(5, 37, 20));
    write(&folder.path().join("b.tif"), size, &[], reference(5, 37, 20));
    let tiled = ["TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256", "COMPRESS=DEFLATE"];
    write(&folder.path().join("tiled_a.tif"), size, &tiled, prediction(5, 37, 20));
    write(&folder.path().join("tiled_b.tif"), size, &tiled, reference(5, 37, 20));
    let run = |files: &str, options: &str| {
        let arguments = format!("evaluate {files} --classes a,b,c,d,e --erode 9 --json - -q {options}");
        let json = swath(folder.path(), &arguments).succeeds().json().remove(0);
        assert!(json["eroded"]["pixels"].as_u64().unwrap() > 400_000);
        json!([json["full"], json["eroded"], json["mapped_pixels"]])
    };
    let strips = run("a.tif b.tif", "--threads 1");
    assert_eq!(strips, run("tiled_a.tif tiled_b.tif", "--threads 1"));
    assert_eq!(strips, run("tiled_a.tif tiled_b.tif", "--threads 5"));
    assert_eq!(strips, run("tiled_a.tif b.tif", "--threads 3"));
}

#[test]
fn tables_json_and_picture_say_the_same() {
    let folder = workplace();
    let arguments =
        "evaluate a.tif b.tif --classes land,water,clutter=FF0000 --erode 2 --without clutter --areas --json r.json --png m.png";
    let run = swath(folder.path(), arguments).succeeds();
    assert_eq!(files(folder.path()), ["a.tif", "b.tif", "m.png", "r.json"]);
    let result: Value = serde_json::from_slice(&fs::read(folder.path().join("r.json")).unwrap()).unwrap();
    let cells = |start: &str| {
        let line = run.stdout.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}: {}", run.stdout));
        line[start.len()..].split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let share = |value: &Value| format!("{:.4}", value.as_f64().unwrap());
    let both = |figure: &str| ["full", "eroded"].map(|set| share(&result[set][figure]));
    assert_eq!(cells("accuracy"), both("accuracy"));
    assert_eq!(cells("kappa"), both("kappa"));
    assert_eq!(cells("mIoU except clutter"), both("mean_iou_without"));
    let ious = |class: usize| result["full"]["classes"][class]["iou"].as_f64().unwrap();
    assert!((result["full"]["mean_iou_without"].as_f64().unwrap() - f64::midpoint(ious(0), ious(1))).abs() < 1e-12);
    let water = &result["full"]["classes"][1];
    assert_eq!(
        cells("water")[..5],
        [water["reference_pixels"].to_string()]
            .into_iter()
            .chain(["precision", "recall", "f1", "iou"].map(|figure| share(&water[figure])))
            .collect::<Vec<_>>()
    );
    // Clutter's pixels are gone from the reference; labels that name it are still wrong.
    let (full, without) = (&result["full"], &result["without"]["full"]);
    let count = |reference: usize, label: usize| full["matrix"][reference][label].as_u64().unwrap();
    let unlabelled = |class: usize| full["unlabelled"][class].as_u64().unwrap();
    assert_eq!(without["matrix"], json!([[count(0, 0), count(0, 1)], [count(1, 0), count(1, 1)]]));
    assert_eq!(without["unlabelled"], json!([unlabelled(0) + count(0, 2), unlabelled(1) + count(1, 2)]));
    assert_eq!(result["classes"][2], json!({ "value": 2, "name": "clutter", "color_hint": "FF0000" }));

    // The whole prediction is mapped, also where the reference does not say anything.
    let mapped = result["mapped_pixels"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum::<u64>();
    let labels = (0..90 * 70).filter(|at| prediction(3, 9, 20)(0, at % 90, at / 90) != NONE).count() as u64;
    assert_eq!(mapped, labels);
    assert_eq!(result["areas"]["total_m2"].as_f64(), Some(mapped as f64 * 100.0));
    let shares = result["areas"]["classes"].as_array().unwrap().iter().map(|class| class["share"]["value"].as_f64().unwrap());
    assert!((shares.sum::<f64>() - 1.0).abs() < 1e-12);
    assert!(run.stdout.contains("area (ha)"), "{}", run.stdout);

    let picture = Dataset::open(folder.path().join("m.png")).unwrap();
    assert_eq!(picture.raster_count(), 3);
    let drawn = support::read_band::<u8>(&folder.path().join("m.png"), 1);
    assert!(drawn.contains(&0) && drawn.contains(&255));

    swath(folder.path(), arguments).fails(2, &["r.json exists already", "--overwrite"]);
    swath(folder.path(), &format!("{arguments} --overwrite")).succeeds();
    swath(folder.path(), "evaluate a.tif b.tif --classes a,b,c --json x --png x").fails(2, &["x twice"]);
}

#[test]
fn labels_of_swath_bring_their_classes() {
    let folder = TempDir::new().unwrap();
    let pixels = support::write_noise(&folder.path().join("scene.tif"), 200, 150, 3);
    let linear = Linear::by_sum(3, 600.0, 900.0);
    linear.write(&folder.path().join("model"));
    let outputs = "--output labels.tif --probabilities p.tif --probability-type u8 --confidence c.tif";
    segment(folder.path(), &format!("scene.tif --model model {outputs}")).succeeds();
    let truth = linear.labels(&pixels);
    Pixels::new(200, 150, 1, |_, x, y| truth[y * 200 + x]).write(&folder.path().join("b.tif"), &[], |_| {});
    let evaluate = |probabilities: &str| {
        let arguments = format!("evaluate labels.tif b.tif --json - -q --probabilities {probabilities}");
        swath(folder.path(), &arguments).succeeds().json().remove(0)
    };
    let [all, own] = ["p.tif", "c.tif"].map(evaluate);
    assert_eq!(all["full"]["accuracy"], 1.0);
    assert_eq!(all["full"]["classes"][1]["name"], "class_1");
    // A label's probability is that of its class.
    assert_eq!(all["calibration"], own["calibration"]);
    let bins = own["calibration"]["bins"].as_array().unwrap();
    assert_eq!(bins.iter().map(|bin| bin["pixels"].as_u64().unwrap()).sum::<u64>(), 200 * 150);

    // Without the item, its names are those that GDAL has; without any, they have to be given.
    fs::remove_file(folder.path().join("labels.json")).unwrap();
    assert_eq!(evaluate("c.tif")["classes"], all["classes"]);
    fs::remove_file(folder.path().join("labels.tif.aux.xml")).unwrap();
    swath(folder.path(), "evaluate labels.tif b.tif").fails(2, &["labels.tif does not say which classes", "hint", "--classes"]);
}

#[test]
fn values_are_mapped_and_ignored() {
    let folder = workplace();
    let run =
        |options: &str| swath(folder.path(), &format!("evaluate a.tif b.tif --json - -q {options}")).succeeds().json().remove(0);
    let own = run("--classes a,b,c");
    let merged = run("--classes x,y --map prediction:0=x,1=x,2=y --map reference:0=x,1=x,2=y");
    let counts = |result: &Value| -> Vec<Vec<u64>> { serde_json::from_value(result["full"]["matrix"].clone()).unwrap() };
    let (fine, coarse) = (counts(&own), counts(&merged));
    assert_eq!(
        coarse,
        [[fine[0][0] + fine[0][1] + fine[1][0] + fine[1][1], fine[0][2] + fine[1][2]], [fine[2][0] + fine[2][1], fine[2][2]]]
    );
    let ignored = counts(&run("--classes a,b,c --ignore 1,-7"));
    assert_eq!(ignored, [fine[0].clone(), vec![0; 3], fine[2].clone()]);
}

#[test]
fn colours_stand_for_classes() {
    let folder = TempDir::new().unwrap();
    let palette = [[255_u8, 255, 255], [0, 0, 255], [0, 255, 255], [0, 255, 0], [255, 255, 0], [255, 0, 0], [0, 0, 0]];
    let class = |x: usize, y: usize| (x / 10 + y / 10) % 7;
    Pixels::new(70, 40, 3, |band, x, y| palette[class(x, y)][band]).write(&folder.path().join("b.tif"), &[], |_| {});
    // Black is ignored, whatever the prediction has there.
    Pixels::new(70, 40, 1, |_, x, y| (class(x, y) % 6) as u8).write(&folder.path().join("a.tif"), &[], |_| {});
    let names = "impervious,building,low_vegetation,tree,car,clutter";
    let run = |options: &str| swath(folder.path(), &format!("evaluate a.tif b.tif --json - -q {options}"));
    let json = run(&format!("--classes {names} --palette isprs")).succeeds().json().remove(0);
    assert_eq!((&json["full"]["accuracy"], &json["full"]["pixels"]), (&json!(1.0), &json!(6 * 400)));
    let own = "g=FFFFFF,b=0000FF,v=00FFFF,t=00FF00,c=FFFF00,x=FF0000";
    run(&format!("--classes {own} --palette classes")).fails(1, &["colour 000000 at column 60, row 0 of b.tif"]);
    let same = run(&format!("--classes g,b,v,t,c,x --palette {own},ignore=000000")).succeeds().json().remove(0);
    assert_eq!(same["full"]["matrix"], json["full"]["matrix"]);

    run(&format!("--classes {names}")).fails(2, &["b.tif", "palette", "got 3 bands"]);
    run("--classes a,b,c,d,e,f --palette isprs").fails(2, &["no class is called `impervious`", "a, b, c", "hint"]);
    Pixels::new(70, 40, 3, |_, _, _| 0_u16).write(&folder.path().join("c.tif"), &[], |_| {});
    let arguments = format!("evaluate a.tif c.tif --classes {names} --palette isprs");
    swath(folder.path(), &arguments).fails(2, &["three bands of 8 bits in c.tif, got 3 bands of another type"]);
    run(&format!("--classes {names} --palette red")).fails(2, &["isprs, classes or"]);
    let arguments = format!("evaluate b.tif a.tif --classes {names}");
    swath(folder.path(), &arguments).fails(2, &["expected one band of labels in b.tif, got 3 bands"]);
}

#[test]
fn grids_must_be_the_same() {
    let folder = workplace();
    let write = |name: &str, width: usize, describe: &dyn Fn(&mut Dataset)| {
        let pixels = Pixels::new(width, 70, 1, |_, x, _| (x % 3) as u8);
        pixels.write(&folder.path().join(name), &[], |dataset| describe(dataset));
    };
    let shifted = |dataset: &mut Dataset, by: f64| {
        utm(dataset);
        dataset.set_geo_transform(&[399_960.0 + by, 10.0, 0.0, 5_000_040.0, 0.0, -10.0]).unwrap();
    };
    write("size.tif", 91, &utm);
    write("shift.tif", 90, &|dataset| shifted(dataset, 5.0));
    write("rounded.tif", 90, &|dataset| shifted(dataset, 0.001));
    write("crs.tif", 90, &|dataset| {
        utm(dataset);
        dataset.set_spatial_ref(&gdal::spatial_ref::SpatialRef::from_epsg(32634).unwrap()).unwrap();
    });
    write("bare.tif", 90, &|_| {});
    let run = |reference: &str| swath(folder.path(), &format!("evaluate a.tif {reference} --classes a,b,c"));
    run("size.tif").fails(2, &["the same size, got 90 x 70 for a.tif and 91 x 70 for size.tif"]);
    run("shift.tif").fails(2, &["the same transform", "399960.0", "399965.0"]);
    run("crs.tif").fails(2, &["the same CRS, got EPSG:32633 for a.tif and EPSG:32634 for crs.tif"]);
    run("rounded.tif").succeeds();
    let bare = run("bare.tif").succeeds();
    assert!(bare.stderr.contains("WARN") && bare.stderr.contains("bare.tif has none"), "{}", bare.stderr);
    run("missing.tif").fails(2, &["cannot open missing.tif"]);
    let options = "evaluate a.tif b.tif --classes a,b,c --probabilities shift.tif";
    swath(folder.path(), options).fails(2, &["the same transform", "shift.tif"]);
}

#[test]
fn what_means_nothing_is_an_error_with_its_place() {
    let folder = workplace();
    let run = |options: &str| swath(folder.path(), &format!("evaluate a.tif b.tif {options}"));
    let first = |value: &dyn Fn(usize, usize) -> u8| {
        let at = (0..90 * 70).find(|at| value(at % 90, at / 90) == 2).unwrap();
        format!("value 2 at column {}, row {}", at % 90, at / 90)
    };
    let [in_a, in_b] = [first(&|x, y| prediction(3, 9, 20)(0, x, y)), first(&|x, y| reference(3, 9, 20)(0, x, y))];
    run("--classes a,b --map reference:0=a,1=b,2=b").fails(1, &[&format!("{in_a} of a.tif"), "hint", "--map"]);
    run("--classes a,b --map prediction:0=a,1=b,2=b").fails(1, &[&format!("{in_b} of b.tif")]);
    run("--classes a,b --map prediction:0=a,1=b,2=b --ignore 2").succeeds();
    run("--classes a,b --map reference:0=a,1=sea").fails(2, &["no class is called `sea`: there are a, b"]);
    run("--classes a,b --map truth:0=a").fails(2, &["reference:VALUE=CLASS"]);
    run("--classes a,b --map reference:0=a,0=b").fails(2, &["several for 0"]);
    run("--classes a,b,c --without sea").fails(2, &["no class is called `sea`"]);
    run("--classes a,b,a").fails(2, &["`a` twice"]);

    // Probabilities that are none.
    Pixels::new(90, 70, 1, |_, x, _| if x == 77 { 1.5_f32 } else { 0.5 }).write(&folder.path().join("p.tif"), &[], |_| {});
    run("--classes a,b,c --probabilities p.tif -q").fails(1, &["expected a probability at column 77, row", "p.tif, got 1.5"]);
    Pixels::new(90, 70, 2, |_, _, _| 0.5_f32).write(&folder.path().join("p.tif"), &[], |_| {});
    run("--classes a,b,c --probabilities p.tif -q").fails(2, &["or one for each class", "got 2 bands"]);
}

/// A class of the map that the reference says nothing of leaves its area open; the other figures stand.
#[test]
fn areas_need_samples_of_every_class() {
    let folder = TempDir::new().unwrap();
    Pixels::new(30, 30, 1, |_, x, _| (x / 10) as u8).write(&folder.path().join("a.tif"), &[], |_| {});
    write(&folder.path().join("b.tif"), [30, 30], &[], |_, x, y| if x < 20 && y % 5 == 0 { (x / 10) as u8 } else { NONE });
    let run = |options: &str| swath(folder.path(), &format!("evaluate a.tif b.tif --areas --json - {options}")).succeeds();
    let open = run("--classes a,b,c");
    assert!(
        open.stderr.contains("no areas: expected at least 2 counted pixels where the map has class `c`, got 0"),
        "{}",
        open.stderr
    );
    assert_eq!((&open.json()[0]["areas"], &open.json()[0]["full"]["accuracy"]), (&Value::Null, &json!(1.0)));
    let merged = &run("--classes a,b --map prediction:0=a,1=b,2=b").json()[0];
    assert_eq!(merged["areas"]["total_m2"], Value::Null);
    assert!((merged["areas"]["classes"][1]["share"]["value"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-12);
}

/// If the prediction does not say what its classes are, the reference may.
#[test]
fn category_names_of_the_reference_are_read() {
    let folder = workplace();
    let names = ["Low vegetation", "Tree", "Car"].map(|name| format!("<Category>{name}</Category>")).concat();
    let band = format!("<PAMRasterBand band=\"1\"><CategoryNames>{names}</CategoryNames></PAMRasterBand>");
    let text = format!("<PAMDataset>{band}</PAMDataset>");
    fs::write(folder.path().join("b.tif.aux.xml"), text).unwrap();
    let json = &swath(folder.path(), "evaluate a.tif b.tif --json - -q").succeeds().json()[0];
    assert_eq!(json["classes"][0]["name"], "Low vegetation");
    assert_eq!(json["full"]["classes"][2]["name"], "Car");
}
