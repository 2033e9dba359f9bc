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
const SIDE: usize = 96;

/// The class of a pixel: a board of all classes.
fn class(x: usize, y: usize) -> usize {
    (x / 16 + 2 * (y / 16)) % PALETTE.len()
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
    Pixels::new(SIDE, SIDE, 3, |band, x, y| PALETTE[class(x, y)][band]).write(&path, &["PHOTOMETRIC=RGB"], describe);
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

    // Only what makes it long is changed.
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/potsdam/fcn_resnet50.toml");
    let mut recipe = fs::read_to_string(recipe).unwrap();
    let short = [
        ("epochs = 60", "epochs = 1"),
        ("batch = 8", "batch = 2"),
        ("crop = 512", "crop = 64"),
        ("samples = 8000", "samples = 4"),
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
    assert_eq!(report["steps"], 2);
    assert!(report["best_mean_iou"].is_number(), "{report}");
    let summary = |name: &str| trained.stderr.lines().filter(|line| line.contains(&format!("{name}: {SIDE} x {SIDE}"))).count();
    assert_eq!(TRAINING.iter().filter(|name| summary(name) == 1).count(), 23, "{}", trained.stderr);
    assert_eq!(summary("7_10"), 0);

    swath(
        "segment archive/4_Ortho_RGBIR/top_potsdam_2_13_RGBIR.tif --model model --output 2_13.tif --max-memory 2GiB --threads 2",
    );
    let truth = "archive/5_Labels_all/top_potsdam_2_13_label.tif";
    let evaluated = swath(&format!("evaluate 2_13.tif {truth} --palette isprs --erode 3 --without clutter"));
    for word in ["impervious", "low_vegetation", "car", "eroded", "clutter"] {
        assert!(evaluated.stdout.contains(word), "`{word}` is missing from:\n{}", evaluated.stdout);
    }
}
