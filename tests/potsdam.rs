//! The recipe for ISPRS Potsdam on generated files of the contest's names and colours, from training to the figures of its protocol.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod support;

use std::fs;
use std::path::Path;

use gdal::Dataset;
use gdal::spatial_ref::SpatialRef;
use support::{Pixels, noise, program, run};

/// The labelled tiles, and those of the test.
const TRAINING: [&str; 24] = [
    "2_10", "2_11", "2_12", "3_10", "3_11", "3_12", "4_10", "4_11", "4_12", "5_10", "5_11", "5_12", "6_7", "6_8", "6_9", "6_10",
    "6_11", "6_12", "7_7", "7_8", "7_9", "7_10", "7_11", "7_12",
];
const TEST: [&str; 14] =
    ["2_13", "2_14", "3_13", "3_14", "4_13", "4_14", "4_15", "5_13", "5_14", "5_15", "6_13", "6_14", "6_15", "7_13"];
/// Impervious surface, building, low vegetation, tree, car, clutter.
const PALETTE: [[u8; 3]; 6] = [[255, 255, 255], [0, 0, 255], [0, 255, 255], [0, 255, 0], [255, 255, 0], [255, 0, 0]];
const SIDE: usize = 64;
/// By how much the contest erodes boundaries.
const RADIUS: usize = 3;

/// The class of a pixel: a board of all classes.
fn class(x: usize, y: usize) -> usize {
    (x / 16 + 2 * (y / 16)) % PALETTE.len()
}

/// The class of a pixel in the labels, which have a black stripe: as between the eroded classes.
fn label(x: usize, y: usize) -> Option<usize> {
    (!(36..40).contains(&y)).then(|| class(x, y))
}

/// Number of pixels whose labels fulfil a condition.
fn count(condition: impl Fn(usize, usize) -> bool) -> usize {
    (0..SIDE * SIDE).filter(|at| condition(at % SIDE, at / SIDE)).count()
}

/// Whether all pixels near one have its label.
fn is_inside(x: usize, y: usize) -> bool {
    let near = |at: usize| at.saturating_sub(RADIUS)..SIDE.min(at + RADIUS + 1);
    let is_near = |other: (usize, usize)| x.abs_diff(other.0).pow(2) + y.abs_diff(other.1).pow(2) <= RADIUS.pow(2);
    let mut others = near(y).flat_map(|y| near(x).map(move |x| (x, y))).filter(|other| is_near(*other));
    others.all(|other| label(other.0, other.1) == label(x, y))
}

/// Red, green, blue and near infrared that tell the classes apart, and its labels.
fn write_tile(folder: &Path, name: &str, labels: &str) {
    let image = |band: usize, x: usize, y: usize| (40 * ((class(x, y) + band) % 6)) as u8 + noise(band, x, y) / 8;
    let describe = |dataset: &mut Dataset| {
        dataset.set_geo_transform(&[366_976.0, 0.05, 0.0, 5_808_452.0, 0.0, -0.05]).unwrap();
        dataset.set_spatial_ref(&SpatialRef::from_epsg(32633).unwrap()).unwrap();
    };
    let path = folder.join(format!("4_Ortho_RGBIR/top_potsdam_{name}_RGBIR.tif"));
    Pixels::new(SIDE, SIDE, 4, image).write(&path, &["PHOTOMETRIC=RGB"], describe);
    let path = folder.join(format!("{labels}/top_potsdam_{name}_label.tif"));
    Pixels::new(SIDE, SIDE, 3, |band, x, y| label(x, y).map_or(0, |class| PALETTE[class][band])).write(
        &path,
        &["PHOTOMETRIC=RGB"],
        describe,
    );
}

#[test]
fn the_recipe_runs_from_the_archives_to_the_figures() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive");
    for part in ["4_Ortho_RGBIR", "5_Labels_for_participants", "5_Labels_all"] {
        fs::create_dir_all(archive.join(part)).unwrap();
    }
    for name in TRAINING {
        write_tile(&archive, name, "5_Labels_for_participants");
    }
    for name in TEST {
        write_tile(&archive, name, "5_Labels_all");
    }

    // Only what makes it long is changed; in fewer steps, the running statistics stay so far off that scores overflow.
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/potsdam/fcn_resnet50.toml");
    let mut recipe = fs::read_to_string(recipe).unwrap();
    let short = [
        ("epochs = 60", "epochs = 1"),
        ("batch = 8", "batch = 2"),
        ("crop = 512", "crop = 32"),
        ("samples = 8000", "samples = 16"),
        ("[sampling]", "[validation]\ntile = 64\n\n[sampling]"),
    ];
    for (long, short) in short {
        assert!(recipe.contains(long), "{long}");
        recipe = recipe.replace(long, short);
    }
    fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    let swath =
        |arguments: &str| run(program(folder.path()).env("POTSDAM", &archive).args(arguments.split_whitespace())).succeeds();

    let trained = swath("train recipe.toml --output model --threads 2 --json");
    let report = &trained.json()[0];
    assert_eq!(report["steps"], 8);
    assert!(report["best_mean_iou"].is_number(), "{report}");
    let summary = |name: &str| trained.stderr.lines().filter(|line| line.contains(&format!("{name}: {SIDE} x {SIDE}"))).count();
    assert_eq!(TRAINING.iter().filter(|name| summary(name) == 1).count(), 23, "{}", trained.stderr);
    assert_eq!(summary("7_10"), 0);

    let black = format!("{SIDE} x {SIDE}; {:.2} k labelled pixels", (SIDE * (SIDE - 4)) as f64 / 1000.0);
    assert!(trained.stderr.contains(&black), "`{black}` is missing from:\n{}", trained.stderr);

    let scene = "archive/4_Ortho_RGBIR/top_potsdam_2_13_RGBIR.tif";
    swath(&format!("segment {scene} --model model --output 2_13.tif --max-memory 2GiB --threads 2"));
    let truth = "archive/5_Labels_all/top_potsdam_2_13_label.tif";
    let evaluated = swath(&format!("evaluate 2_13.tif {truth} --palette isprs --erode {RADIUS} --without clutter --json -"));
    let figures = &evaluated.json()[0];
    let clutter = PALETTE.len() - 1;
    let is_inside = |x: usize, y: usize| label(x, y).is_some() && is_inside(x, y);
    let is_other = |x: usize, y: usize| label(x, y) != Some(clutter);
    let expected = [
        (&figures["full"], count(|x, y| label(x, y).is_some())),
        (&figures["eroded"], count(is_inside)),
        (&figures["without"]["full"], count(|x, y| label(x, y).is_some() && is_other(x, y))),
        (&figures["without"]["eroded"], count(|x, y| is_inside(x, y) && is_other(x, y))),
    ];
    for (figures, pixels) in expected {
        assert_eq!(figures["pixels"], pixels, "{figures}");
        assert!(figures["mean_f1"].is_number() && figures["accuracy"].is_number(), "{figures}");
    }
    assert_eq!(figures["without"]["classes"], serde_json::json!(["clutter"]));
    let names: Vec<&str> =
        figures["full"]["classes"].as_array().unwrap().iter().map(|class| class["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["impervious", "building", "low_vegetation", "tree", "car", "clutter"]);
}
