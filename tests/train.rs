//! `swath train`, by the built binary: that it learns, goes on after a kill with the same bits, and says what is wrong.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
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
        "validation.png",
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
    assert!(right * 5 > 4 * labels.len(), "{right} of {}", labels.len());
    swath(folder.path(), "model check model/last").succeeds();
    // It is there, and stays unless it is said otherwise.
    train(folder.path(), "").fails(2, &["model exists already", "--overwrite"]);
}

/// Checks that two trainings left the same, but for the time they took.
#[track_caller]
fn assert_same(folder: &Path, [one, other]: [&str; 2]) {
    let [one, other] = [one, other].map(|model| folder.join(model));
    assert_eq!(support::files(&one), support::files(&other));
    let last = support::files(&one.join("last"));
    assert_eq!(last, support::files(&other.join("last")));
    let last = last.into_iter().map(|file| format!("last/{file}"));
    // The checkpoint has seconds, too.
    let others = support::files(&one).into_iter().filter(|file| !["last", "checkpoint.safetensors"].contains(&file.as_str()));
    for file in others.chain(last) {
        let [one, other] = [&one, &other].map(|model| {
            let bytes = fs::read(model.join(&file)).unwrap();
            if file == "metrics.csv" { without_seconds(&String::from_utf8(bytes).unwrap()).into_bytes() } else { bytes }
        });
        assert!(one == other, "{file} differs");
    }
}

/// A table without its fifth column.
fn without_seconds(metrics: &str) -> String {
    let line = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        assert!(cells[4] == "seconds" || cells[4].parse::<f64>().is_ok(), "{line}");
        [&cells[..4], &cells[5..]].concat().join(",") + "\n"
    };
    metrics.lines().map(line).collect()
}

#[test]
fn a_training_that_is_killed_again_and_again_ends_with_the_same_bytes() {
    let folder = workplace(|recipe| recipe.replace("epochs = 6", "epochs = 12\naccumulate = 2"));
    train(folder.path(), "--output whole/model").succeeds();

    let model = folder.path().join("killed/model");
    let mut killed = 0;
    // Between these lie the writing of the first checkpoint, steps, validations, and all that is written after them.
    for moment in 0..12 {
        let arguments = "train recipe.toml --quiet --threads 1 --output killed/model --resume";
        let mut child = program(folder.path()).args(arguments.split(' ')).spawn().unwrap();
        let started = Instant::now();
        while !model.join("checkpoint.safetensors").exists() && child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < Duration::from_mins(2), "no checkpoint");
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(37 * moment));
        killed += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(killed > 2, "the training ended before it was killed");
    train(folder.path(), "--output killed/model --resume").succeeds();
    assert_same(folder.path(), ["whole/model", "killed/model"]);
    // Nothing is left to do, and nothing is changed.
    train(folder.path(), "--output killed/model --resume").succeeds();
    assert_same(folder.path(), ["whole/model", "killed/model"]);
}

#[test]
fn an_interrupted_epoch_goes_on_unless_recipe_or_data_changed() {
    let folder = workplace(|recipe| {
        let recipe = recipe.replace("\"fcn_small\"", "\"fcn_small\"\nweights = \"first\"");
        recipe.replace("epochs = 6", "epochs = 2").replace("samples = 24", "samples = 160")
    });
    let first = "model new fcn_small --bands 3 --classes 2 --scaling scale:255 --seed 5 --output first";
    swath(folder.path(), first).succeeds();
    train(folder.path(), "--output whole/model").succeeds();

    let arguments = "train recipe.toml --threads 1 --progress json --output stopped/model";
    let mut child = program(folder.path()).args(arguments.split(' ')).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    lines.find(|line| line.contains("\"event\":\"step\"")).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let said = lines.collect::<Vec<_>>().join("\n");
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    let step = said.split_once("stopped after step ").unwrap().1.split_once("; ").unwrap().0;
    assert!((1..80).contains(&step.parse::<u64>().unwrap()), "{said}");
    assert!(said.contains("stopped/model/checkpoint.safetensors has all of it") && said.contains("--resume"), "{said}");

    // What the first weights were taken from is not needed any more.
    fs::remove_dir_all(folder.path().join("first")).unwrap();
    let resume = |edit: &dyn Fn(&str) -> String| {
        let path = folder.path().join("recipe.toml");
        let recipe = fs::read_to_string(&path).unwrap();
        fs::write(&path, edit(&recipe)).unwrap();
        let run = train(folder.path(), "--output stopped/model --resume --progress json");
        fs::write(&path, recipe).unwrap();
        run
    };
    resume(&|recipe| recipe.replace("rate = 5e-3", "rate = 6e-3"))
        .fails(2, &["is from another recipe than recipe.toml", "--overwrite"]);
    let labels = folder.path().join("labels.tif");
    write_labels(&labels, |x, y| if (x, y) == (3, 4) { 10 - 10 * class(x, y) } else { 10 * class(x, y) }, utm);
    resume(&str::to_owned).fails(2, &["is from other data: the labels of scene were ", "--overwrite"]);
    write_labels(&labels, |x, y| 10 * class(x, y), utm);
    let scene = folder.path().join("scene.tif");
    let pixels = fs::read(&scene).unwrap();
    Pixels::new(SIDE, SIDE, 3, noise).write(&scene, &["PHOTOMETRIC=RGB"], utm);
    resume(&str::to_owned).fails(2, &["is from other data: band red was ", "--overwrite"]);
    fs::write(&scene, pixels).unwrap();

    let run = resume(&|recipe| format!("# The same.\n{}", recipe.replace("5e-3", "0.005"))).succeeds();
    assert_same(folder.path(), ["whole/model", "stopped/model"]);
    let events = run.stderr.lines().filter(|line| line.contains("\"event\":\"validation\""));
    let events: Vec<serde_json::Value> = events.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2, "{}", run.stderr);
    assert!(events[1]["figures"]["mean_iou"].as_f64().is_some() && events[1]["step"] == 160, "{}", events[1]);
}

#[test]
fn a_finished_model_is_not_taken_for_a_training_to_go_on_with() {
    let folder = workplace(str::to_owned);
    swath(folder.path(), "model new fcn_small --bands 3 --classes 2 --scaling scale:255 --output finished").succeeds();
    let model = folder.path().join("finished");
    let bytes = || support::files(&model).iter().map(|file| fs::read(model.join(file)).unwrap()).collect::<Vec<_>>();
    let before = bytes();
    train(folder.path(), "--output finished --resume").fails(2, &["finished has no checkpoint.safetensors", "--overwrite"]);
    assert!(before == bytes());
}

#[test]
fn held_back_pixels_without_labels_are_an_error_at_the_start() {
    let folder = workplace(|recipe| recipe.replace("[[scenes]]", "[ignore]\nvalues = [99]\n\n[[scenes]]"));
    let label = |x: usize, y: usize| if x.min(y) < 48 { 10 * class(x, y) } else { 99 };
    write_labels(&folder.path().join("labels.tif"), label, utm);
    train(folder.path(), "").fails(2, &["no pixel that is held back has data and a label: window x 48 y 48 of 48 x 48 of scene"]);
    assert!(!folder.path().join("model").exists());
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
fn what_is_not_finite_stops_with_step_and_crops_and_is_never_written() {
    let folder = workplace(|recipe| recipe.replace("rate = 5e-3", "rate = 1e30").replace("warm_up = 4", "warm_up = 0"));
    let run = train(folder.path(), "");
    let place = "of 32 x 32 of ";
    run.fails(2, &["expected a finite", "at step ", "the crops were window x ", place, "scene.tif", "schedule.rate"]);
    let checkpoint = fs::read(folder.path().join("model/checkpoint.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&checkpoint).unwrap();
    let is_finite = |bytes: &[u8]| bytes.as_chunks().0.iter().all(|bytes| f32::from_le_bytes(*bytes).is_finite());
    assert!(!tensors.is_empty() && tensors.tensors().iter().all(|(_, tensor)| is_finite(tensor.data())));
}

#[test]
fn a_crop_with_a_pixel_out_of_range_is_named() {
    // The first crop of a batch is as likely of the other scene.
    for seed in 0..3 {
        let folder = workplace(|recipe| {
            let recipe = recipe.replace("seed = 3", &format!("seed = {seed}\nscaling = [{{ type = \"scale\", value = 0.5 }}]"));
            let second = "[[scenes]]\nimage = \"bad.tif\"\nlabels = \"labels.tif\"\n\n[validation]";
            recipe.replace("batch = 2", "batch = 8").replace("[validation]", second)
        });
        let value =
            |bad: bool| move |band, x, y| if bad && (band, x, y) == (1, 30, 40) { 3e38 } else { f32::from(noise(band, x, y)) };
        for (name, bad) in [("scene.tif", false), ("bad.tif", true)] {
            Pixels::new(SIDE, SIDE, 3, value(bad)).write(&folder.path().join(name), &[], utm);
        }
        let run = train(folder.path(), "").fails(2, &["expected finite pixels at step ", "got inf after scaling in window x "]);
        let line = run.stderr.lines().find(|line| line.contains("expected finite pixels")).unwrap();
        assert!(line.ends_with("bad.tif"), "{line}");
        let window = line.split_once("in window x ").unwrap().1.split_once(" of ").unwrap().0;
        let [x, y] = window.split(" y ").map(|at| at.parse::<usize>().unwrap()).collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!((x..x + 32).contains(&30) && (y..y + 32).contains(&40), "{line}");
    }
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
