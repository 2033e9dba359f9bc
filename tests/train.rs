//! `swath train`, by the built binary: that it learns, goes on after a kill with the same bits, and says what is wrong.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod support;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use gdal::Dataset;
use serde_json::{Value, json};
use support::{Pixels, Run, noise, program, read_labels, segment, swath, utm};
use tempfile::TempDir;

const SIDE: usize = 96;

/// The class of a pixel: two checks of a board.
fn class(x: usize, y: usize) -> u8 {
    u8::from((x / 24 + y / 24).is_multiple_of(2))
}

/// A folder with a scene of three bands, its labels, and `recipe.toml`; `edit` changes the recipe's text.
fn workplace(edit: impl Fn(&str) -> String) -> TempDir {
    let folder = TempDir::new().unwrap();
    // Both classes have the same mean, and differ by how much neighbours differ.
    let value = |band, x, y| if class(x, y) == 1 { 100 + noise(band, x, y) / 4 } else { noise(band, x, y) };
    Pixels::new(SIDE, SIDE, 3, value).write(&folder.path().join("scene.tif"), &["PHOTOMETRIC=RGB"], utm);
    write_labels(&folder.path().join("labels.tif"), |x, y| 10 * class(x, y), utm);
    fs::write(folder.path().join("recipe.toml"), edit(RECIPE)).unwrap();
    folder
}

fn write_labels(path: &Path, value: impl Fn(usize, usize) -> u8, describe: impl FnOnce(&mut Dataset)) {
    Pixels::new(SIDE, SIDE, 1, |_, x, y| value(x, y)).write(path, &[], describe);
}

const RECIPE: &str = r#"
seed = 3
output = "model"
epochs = 6
batch = 2

[model]
network = "fcn_small"

[[classes]]
name = "rough"
values = [0]

[[classes]]
name = "smooth"
colour = "00FF00"
values = [10]

[[scenes]]
image = "scene.tif"
labels = "labels.tif"

[validation]
windows = [{ scene = "scene", x = 48, y = 48, width = 48, height = 48 }]
tile = 64

[sampling]
crop = 32
samples = 24
balance = 0.5

[augment]
contrast = 0.1
brightness = 0.05

[[loss]]
kind = "cross_entropy"

[[loss]]
kind = "dice"

[optimizer]
kind = "adamw"

[schedule]
rate = 5e-3
warm_up = 4
"#;

/// `swath train` with threads that do not depend on the machine.
fn train(folder: &Path, args: &str) -> Run {
    swath(folder, &format!("train recipe.toml --threads 2 {args}"))
}

#[test]
fn a_trained_model_labels_scenes() {
    let folder = workplace(str::to_owned);
    let run = train(folder.path(), "--json").succeeds();
    let report = &run.json()[0];
    assert_eq!(report["steps"], 72);
    assert!(report["best_mean_iou"].as_f64().unwrap() > 0.8, "{report}");
    assert!(run.stderr.contains("rough 5") && run.stderr.contains("band red: (x - "), "{}", run.stderr);

    let model = folder.path().join("model");
    let expected = [
        "checkpoint.safetensors",
        "curves.png",
        "graph.json",
        "last",
        "metrics.csv",
        "model.json",
        "recipe.toml",
        "weights.safetensors",
    ];
    assert_eq!(support::files(&model), expected);
    assert_eq!(fs::read_to_string(model.join("recipe.toml")).unwrap(), RECIPE);
    let metrics = fs::read_to_string(model.join("metrics.csv")).unwrap();
    let names = "step,epoch,learning_rate,loss,seconds,mean_iou,mean_f1,accuracy,iou_rough,iou_smooth,f1_rough,f1_smooth";
    assert_eq!(metrics.lines().next(), Some(names));
    let validated = metrics.lines().skip(1).filter(|line| !line.contains(",,")).count();
    assert_eq!(validated, 6, "{metrics}");

    segment(folder.path(), "scene.tif --model model --output labelled.tif").succeeds();
    let labels = read_labels(&folder.path().join("labelled.tif"));
    let right = labels.iter().enumerate().filter(|(at, label)| **label == class(at % SIDE, at / SIDE)).count();
    assert!(right * 10 > 9 * labels.len(), "{right} of {}", labels.len());
    swath(folder.path(), "model check model/last").succeeds();
    // It is there, and stays unless it is said otherwise.
    train(folder.path(), "").fails(2, &["model exists already", "--overwrite"]);
}

#[test]
fn a_killed_training_goes_on_with_the_same_bits() {
    let folder = workplace(|recipe| recipe.replace("epochs = 6", "epochs = 12\naccumulate = 2"));
    train(folder.path(), "--output whole").succeeds();

    let mut child =
        program(folder.path()).args(["train", "recipe.toml", "--quiet", "--threads", "1", "--output", "killed"]).spawn().unwrap();
    let checkpoint = folder.path().join("killed/checkpoint.safetensors");
    let started = Instant::now();
    while !checkpoint.exists() {
        assert!(started.elapsed() < Duration::from_mins(2), "no checkpoint");
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let metrics = fs::read_to_string(folder.path().join("killed/metrics.csv")).unwrap();
    assert!(!metrics.contains("\n72,"), "the training ended before it was killed");

    train(folder.path(), "--output killed --resume").succeeds();
    let bytes = |file: &str| ["whole", "killed"].map(|model| fs::read(folder.path().join(model).join(file)).unwrap());
    for file in ["last/weights.safetensors", "weights.safetensors"] {
        let [whole, killed] = bytes(file);
        assert!(whole == killed, "{file} differs");
    }
    // Nothing is left to do, and nothing is changed.
    train(folder.path(), "--output killed --resume").succeeds();
    let [whole, killed] = bytes("last/weights.safetensors");
    assert!(whole == killed);

    let recipe = fs::read_to_string(folder.path().join("recipe.toml")).unwrap();
    fs::write(folder.path().join("recipe.toml"), recipe.replace("rate = 5e-3", "rate = 6e-3")).unwrap();
    train(folder.path(), "--output killed --resume").fails(2, &["is from another recipe than recipe.toml", "--overwrite"]);
}

#[test]
fn fine_tuning_says_what_was_taken_over() {
    let folder = workplace(|recipe| recipe.replace("epochs = 6", "epochs = 1"));
    train(folder.path(), "--output first").succeeds();
    let recipe = fs::read_to_string(folder.path().join("recipe.toml")).unwrap();
    let third = "[[classes]]\nname = \"other\"\nvalues = [77]\n\n[[scenes]]";
    let recipe = recipe.replace("\"fcn_small\"", "\"fcn_small\"\nweights = \"first\"").replace("[[scenes]]", third);
    fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    let run = train(folder.path(), "--output second --dry-run").succeeds();
    let line = |word: &str| run.stderr.lines().find(|line| line.contains(word)).unwrap_or_default().to_owned();
    assert!(line("weights loaded").contains("stem.0.weight"), "{}", run.stderr);
    assert!(line("in another shape").contains("head1.weight [2, 16, 1, 1] instead of [3, 16, 1, 1]"), "{}", run.stderr);
    assert!(!folder.path().join("second").exists());
}

#[test]
fn a_loss_that_is_no_number_stops_with_step_and_sample() {
    let folder = workplace(|recipe| recipe.replace("rate = 5e-3", "rate = 1e30").replace("warm_up = 4", "warm_up = 0"));
    let run = train(folder.path(), "");
    let place = "of 32 x 32 of ";
    run.fails(2, &["expected a finite", "at step ", "window x ", place, "scene.tif", "schedule.rate"]);
}

#[test]
fn labels_that_do_not_fit_are_errors() {
    let folder = workplace(str::to_owned);
    let labels = folder.path().join("labels.tif");
    write_labels(&labels, |x, y| if (x, y) == (70, 31) { 7 } else { 0 }, utm);
    train(folder.path(), "").fails(2, &["value 7 at column 70, row 31 of ", "labels.tif", "0, 10", "`[ignore]`"]);
    write_labels(
        &labels,
        |x, y| 10 * class(x, y),
        |dataset| {
            utm(dataset);
            dataset.set_spatial_ref(&gdal::spatial_ref::SpatialRef::from_epsg(32634).unwrap()).unwrap();
        },
    );
    train(folder.path(), "").fails(2, &["CRS", "EPSG:32633", "scene.tif", "EPSG:32634", "labels.tif", "gdalwarp"]);
    write_labels(
        &labels,
        |x, y| 10 * class(x, y),
        |dataset| {
            utm(dataset);
            dataset.set_geo_transform(&[399_970.0, 10.0, 0.0, 5_000_040.0, 0.0, -10.0]).unwrap();
        },
    );
    train(folder.path(), "").fails(2, &["transform", "399960", "399970"]);
    Pixels::new(SIDE, SIDE - 1, 1, |_, _, _| 0u8).write(&labels, &[], utm);
    train(folder.path(), "").fails(2, &["size", "96 x 96", "96 x 95"]);
    fs::write(folder.path().join("empty.geojson"), r#"{ "type": "FeatureCollection", "features": [] }"#).unwrap();
    let recipe = RECIPE.replace("labels.tif", "empty.geojson").replace("values = [0]", "background = true");
    fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    train(folder.path(), "")
        .fails(2, &["layer `empty` of ", "empty.geojson", "has no features", "hint: one layer for several scenes"]);
}

/// A scene of bytes with a label raster and one of floats, in part without data, with vectors, and a class that neither has.
#[test]
fn scenes_of_several_types_are_validated_by_blocks() {
    let folder = TempDir::new().unwrap();
    let value = |x: usize, y: usize| if class(x, y) == 1 { 100 + noise(0, x, y) / 4 } else { noise(0, x, y) };
    Pixels::new(SIDE, SIDE, 1, |_, x, y| value(x, y)).write(&folder.path().join("bytes.tif"), &[], utm);
    write_labels(&folder.path().join("labels.tif"), class, utm);
    let float = |_, x: usize, y: usize| if x + y < 20 { f32::NAN } else { 40.0 * f32::from(value(x, y)) };
    Pixels::new(SIDE, SIDE, 1, float).write(&folder.path().join("floats.tif"), &[], |dataset| {
        utm(dataset);
        dataset.rasterband(1).unwrap().set_no_data_value(Some(f64::NAN)).unwrap();
    });
    let corner = |column: f64, row: f64| json!([399_960.0 + 10.0 * column, 5_000_040.0 - 10.0 * row]);
    let square = |at: usize| {
        let (left, top) = (24.0 * (at % 4) as f64, 24.0 * (at / 4) as f64);
        let (right, bottom) = (left + 24.0, top + 24.0);
        let ring = json!([corner(left, top), corner(right, top), corner(right, bottom), corner(left, bottom), corner(left, top)]);
        json!({ "type": "Feature", "properties": {}, "geometry": { "type": "Polygon", "coordinates": [ring] } })
    };
    let squares: Vec<Value> = (0..16).filter(|at| class(24 * (at % 4), 24 * (at / 4)) == 1).map(square).collect();
    let crs = json!({ "type": "name", "properties": { "name": "EPSG:32633" } });
    let vectors = json!({ "type": "FeatureCollection", "crs": crs, "features": squares });
    fs::write(folder.path().join("squares.geojson"), vectors.to_string()).unwrap();

    let recipe = RECIPE
        .replace(
            "windows = [{ scene = \"scene\", x = 48, y = 48, width = 48, height = 48 }]",
            "blocks = { size = 16, share = 0.06 }",
        )
        .replace("values = [0]", "values = [0]\nbackground = true")
        .replace("values = [10]", "values = [1]\nwhere = \"OGR_GEOMETRY = 'POLYGON'\"")
        .replace("[[scenes]]", "[[classes]]\nname = \"absent\"\nvalues = [2]\nwhere = \"FID = -1\"\n\n[[scenes]]")
        .replace("image = \"scene.tif\"", "image = \"bytes.tif\"")
        .replace("[validation]", "[[scenes]]\nimage = \"floats.tif\"\nlabels = \"squares.geojson\"\n\n[validation]")
        .replace("epochs = 6", "epochs = 1")
        .replace("[augment]", "[augment]\nscale = [0.75, 1.33]");
    fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    let run = train(folder.path(), "--json").succeeds();
    assert!(run.json()[0]["best_mean_iou"].is_number(), "{}", run.stdout);
    assert!(run.stderr.contains("class `absent` has no pixel"), "{}", run.stderr);
    // Two of the 36 blocks of each scene.
    for scene in ["bytes", "floats"] {
        let held_back = format!("{scene}, held back: 512 labelled pixels");
        assert!(run.stderr.contains(&held_back), "`{held_back}` is missing from:\n{}", run.stderr);
    }
}

#[test]
fn recipes_that_do_not_fit_are_errors_with_a_line() {
    let refused = |from: &str, to: &str, words: &[&str]| {
        assert!(RECIPE.contains(from));
        let folder = workplace(|recipe| recipe.replace(from, to));
        train(folder.path(), "").fails(2, words);
    };
    refused("epochs = 6", "epoch = 6", &["recipe.toml:4: ", "unknown field `epoch`"]);
    refused("\"fcn_small\"", "\"fcn_tiny\"", &["recipe.toml:8: `model.network`", "fcn_small", "got `fcn_tiny`"]);
    refused("values = [10]", "values = [0]", &["recipe.toml:17: `classes[1].values`", "0 twice"]);
    refused(
        "scene = \"scene\"",
        "scene = \"scenery\"",
        &["recipe.toml:24: `validation.windows[0].scene`", "one of scene, got `scenery`"],
    );
    refused("width = 48", "width = 49", &["recipe.toml:24: `validation.windows[0]`", "within 96 x 96"]);
    let overlapping = "}, { scene = \"scene\", x = 95, y = 95, width = 1, height = 1 }]\ntile";
    refused(
        "}]\ntile",
        overlapping,
        &["recipe.toml:24: `validation.windows[1]`", "no pixel in common", "of `scene` over another"],
    );
    refused("batch = 2", "batch = 9000000000\naccumulate = 9000000000", &["recipe.toml:6: `accumulate`", "can be counted"]);
    refused("epochs = 6", "epochs = 9000000000000000000", &["recipe.toml:4: `epochs`", "can be counted"]);
    refused("crop = 32", "crop = 100", &["at least 100 x 100", "got 96 x 96"]);
    refused("rate = 5e-3", "rate = -1.0", &["recipe.toml:46: `schedule.rate`", "a number above 0, got -1"]);
    refused("\"scene.tif\"", "\"${SWATH_NOWHERE}/scene.tif\"", &["recipe.toml:20: `scenes[0].image`", "`SWATH_NOWHERE`"]);
    refused("balance = 0.5", "balance = 0.5\nclasses = [\"smoth\"]", &["recipe.toml:31: `sampling.classes[0]`", "got `smoth`"]);
}
