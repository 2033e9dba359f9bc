//! The built binary: what it prints, where, how it ends, and what its options do.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod real_data;
mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use gdal::{Dataset, Metadata as _};
use serde_json::{Value, json};
use support::{Linear, NODATA, Pixels, Run, assert_nothing_left, files, program, read_band, read_labels, segment, swath};
use swath_models::{Builder, Conv, Model, Rank, Scope, ScoreActivation};
use tempfile::TempDir;

/// A folder with `scene.tif`, three bands of noise, and `model`, which labels it by their sum.
fn workplace(width: usize, height: usize) -> (TempDir, Linear, Pixels<u8>) {
    let folder = TempDir::new().unwrap();
    let pixels = support::write_noise(&folder.path().join("scene.tif"), width, height, 3);
    let linear = Linear::by_sum(3, 600.0, 900.0);
    linear.write(&folder.path().join("model"));
    (folder, linear, pixels)
}

/// A model whose labels depend on the neighbours two pixels away in each direction: its halo is 2.
fn write_neighbours(folder: &Path) {
    let linear = Linear::by_sum(3, 600.0, 900.0);
    let Model { card, mut weights, .. } = linear.model();
    let mut builder = Builder::new("neighbours", Rank::Planar, 3);
    let input = builder.input();
    let mixed = builder.conv(input, &Scope::root("mix"), Conv::square(3, 5)).node();
    let head = builder.conv(mixed, &Scope::root("head"), Conv::square(3, 1).biased()).node();
    weights.insert("mix.weight", vec![3, 3, 5, 5], (0..225_u8).map(|at| f32::from(at % 7) / 75.0).collect());
    Model { card, graph: builder.build(head).unwrap(), weights }.write(folder).unwrap();
}

/// A model with a stride: `stride` pixels a side become one, and are given back.
fn write_strided(folder: &Path, stride: usize) {
    let Model { card, mut weights, .. } = Linear::by_sum(3, 600.0, 900.0).model();
    let mut builder = Builder::new("strided", Rank::Planar, 3);
    let input = builder.input();
    let down = builder.at(input).max_pool(stride, stride, 0).node();
    let head = builder.conv(down, &Scope::root("head"), Conv::square(3, 1).biased()).node();
    let output = builder.resize_like(head, input).node();
    weights.insert("head.bias", vec![3], vec![0.0, -600.0, -1500.0]);
    Model { card, graph: builder.build(output).unwrap(), weights }.write(folder).unwrap();
}

#[test]
fn help_is_data_and_wrong_usage_is_an_error() {
    let folder = TempDir::new().unwrap();
    let help = swath(folder.path(), "--help").succeeds();
    assert!(help.stdout.contains("segment") && help.stdout.contains("Exit codes") && help.stderr.is_empty());
    assert!(swath(folder.path(), "--version").succeeds().stdout.starts_with("swath "));
    swath(folder.path(), "").fails(2, &["Usage"]);
    swath(folder.path(), "segment").fails(2, &["SCENE", "--model", "--output"]);
    swath(folder.path(), "segment a.tif --model m --output o.tif --device gpu").fails(2, &["cuda:NUMBER"]);
    swath(folder.path(), "segment a.tif --model m --output o.tif --device cuda:x").fails(2, &["cuda:NUMBER"]);
    swath(folder.path(), "segment a.tif --model m --output o.tif --precision f8").fails(2, &["f32", "bf16"]);
    swath(folder.path(), "segment a.tif --model m --output o.tif --max-memory 2parsecs").fails(2, &["parsecs"]);
    swath(folder.path(), "segment a.tif --model m --output o.tif --window 1,2,3").fails(2, &["4 numbers"]);
    swath(folder.path(), "segment a.tif --model m --output o.tif --window 0,0,0,9").fails(2, &["at least 1"]);
    swath(folder.path(), "segment a.tif --model m --output o.tif --window 1,0,18446744073709551615,9").fails(2, &["larger"]);
}

#[test]
fn a_scene_is_labelled_and_counted() {
    let (folder, linear, pixels) = workplace(300, 200);
    let run = segment(folder.path(), "scene.tif --model model --output labels.tif").succeeds();
    let labels = read_labels(&folder.path().join("labels.tif"));
    assert!(labels == linear.labels(&pixels));
    assert_eq!(files(folder.path()), ["labels.json", "labels.tif", "labels.tif.aux.xml", "model", "scene.tif"]);
    // Data on standard output, messages on standard error.
    assert!(run.stdout.starts_with("labels.tif\n") && !run.stdout.contains("INFO"), "{}", run.stdout);
    assert!(run.stderr.contains("INFO") && run.stderr.contains("300 x 200"), "{}", run.stderr);
    for class in 0..3 {
        let count = support::count(&labels, linear.value(class));
        let row = run.stdout.lines().find(|line| line.contains(&format!("class_{class}"))).unwrap();
        assert_eq!(row.split_whitespace().nth(1).unwrap(), count.to_string());
    }

    let run = segment(folder.path(), "scene.tif --model model --output again.tif --json -q").succeeds();
    assert_eq!(run.stderr, "");
    let [result] = &run.json()[..] else { panic!("{}", run.stdout) };
    assert_eq!(result["scene"], "scene.tif");
    assert_eq!(result["labels"], "again.tif");
    assert_eq!(result["item"], "again.json");
    assert_eq!(result["nodata"], 0);
    let class = |place: usize| {
        let value = linear.value(place);
        json!({ "value": value, "name": format!("class_{place}"), "pixels": support::count(&labels, value) })
    };
    assert_eq!(result["classes"], json!([class(0), class(1), class(2)]));
    assert_eq!(fs::read(folder.path().join("labels.tif")).unwrap(), fs::read(folder.path().join("again.tif")).unwrap());
}

#[test]
fn threads_and_memory_do_not_change_a_byte() {
    let (folder, ..) = workplace(700, 300);
    write_neighbours(&folder.path().join("neighbours"));
    let run = |output: &str, options: &str| {
        let arguments = format!("segment scene.tif --model neighbours --tile 128 --output {output} {options}");
        swath(folder.path(), &arguments).succeeds();
        fs::read(folder.path().join(output)).unwrap()
    };
    let one = run("one.tif", "--threads 1 --max-memory 1GiB");
    for options in ["--threads 2", "--threads 2 --workers 1", "--threads 4 --workers 2", "--threads 4 --workers 3", "--threads 4"]
    {
        let file = format!("labels{}.tif", options.replace(' ', ""));
        assert!(one == run(&file, &format!("{options} --max-memory 1GiB")), "{options}");
    }
    assert!(one == run("five.tif", "--threads 5 --max-memory 2GiB"), "memory");
}

#[test]
fn workers_are_chosen_or_given() {
    let (folder, ..) = workplace(700, 300);
    let plan = |options: &str| swath(folder.path(), &format!("plan scene.tif --model model --tile 64 --overlap 0 {options}"));
    for (options, workers) in [
        ("--threads 1", "1 of 1 thread each"),
        ("--threads 2", "2 of 1 thread each"),
        ("--threads 2 --workers auto", "2 of 1 thread each"),
        ("--threads 4 --workers 1", "1 of 4 threads each"),
        ("--threads 8 --workers 3", "3 of 2 to 3 threads each"),
    ] {
        let run = plan(options).succeeds();
        let line = run.stdout.lines().find(|line| line.contains("workers")).unwrap();
        assert_eq!(line.split_once("workers").unwrap().1.trim(), workers, "{options}");
    }
    let json = &plan("--threads 4 --workers 2 --json").succeeds().json()[0];
    assert_eq!((&json["workers"], &json["threads"]), (&json!(2), &json!(4)));
    for (workers, words) in [
        ("3", "expected 1 to 2 workers, as many as there are threads, got 3"),
        ("0", "expected 1 to 2 workers"),
        ("many", "expected a number of workers or `auto`"),
    ] {
        plan(&format!("--threads 2 --workers {workers}")).fails(2, &[words]);
        let arguments = format!("scene.tif --model model --output labels.tif --workers {workers}");
        segment(folder.path(), &arguments).fails(2, &[words]);
        assert_nothing_left(folder.path());
    }
}

#[test]
fn timings_are_printed_when_asked_for() {
    let (folder, ..) = workplace(300, 200);
    let run = |options: &str| {
        let arguments = format!("scene.tif --model model --tile 64 --overlap 16 --output labels.tif --overwrite {options}");
        segment(folder.path(), &arguments).succeeds()
    };
    let stages = ["reading", "scaling", "network", "stitching", "writing", "finishing"];
    let rows = |run: &Run| run.stdout.lines().filter(|line| stages.iter().any(|name| line.trim().starts_with(name))).count();
    assert_eq!(rows(&run("")), 0);
    let text = run("--timings");
    assert_eq!(rows(&text), stages.len(), "{}", text.stdout);
    assert!(text.stdout.contains("the network computed"), "{}", text.stdout);

    assert_eq!(run("--json").json()[0].get("timings"), None);
    let result = &run("--json --timings").json()[0];
    let timings = &result["timings"];
    let total = timings["total_s"].as_f64().unwrap();
    assert!(total > 0.0 && total <= result["seconds"].as_f64().unwrap(), "{result}");
    for name in stages {
        let stage = &timings["stages"][name];
        let times = ["busy_s", "starved_s", "blocked_s"].map(|time| stage[time].as_f64().unwrap());
        assert!(times[0] > 0.0 && times.iter().sum::<f64>() <= stage["threads"].as_f64().unwrap() * total, "{name}: {timings}");
    }
    assert_eq!(timings["network_share"], timings["stages"]["network"]["share"]);
    assert!(timings["network_mpx_per_s"].as_f64().unwrap() > 0.0, "{timings}");
}

#[test]
fn plan_says_what_would_be_done_and_does_nothing() {
    let (folder, ..) = workplace(1000, 500);
    write_neighbours(&folder.path().join("neighbours"));
    let arguments = "plan scene.tif --model neighbours --device cpu --tile 256 --blend crop --max-memory 300MiB";
    let text = swath(folder.path(), arguments).succeeds();
    for words in ["labelled", "1000 x 500 pixels", "8 of 256 x 256", "equal to inference on the whole scene", "2 x 2 pixels"] {
        assert!(text.stdout.contains(words), "`{words}` is missing from:\n{}", text.stdout);
    }
    assert_eq!(text.stderr, "");

    let run = swath(folder.path(), &format!("{arguments} --json")).succeeds();
    let [plan] = &run.json()[..] else { panic!("{}", run.stdout) };
    assert_eq!(plan["tiles"], 8);
    assert_eq!(plan["tile"], json!({ "width": 256, "height": 256 }));
    assert_eq!(plan["halo"], json!({ "width": 2, "height": 2 }));
    assert_eq!(plan["equals_whole"], true);
    assert_eq!(plan["bytes_to_read"], 8 * 256 * 256 * 3);
    assert_eq!(plan["max_memory"], 300 << 20);
    // The files are finished when the network has run: the larger of both counts.
    let part = |name: &str| plan["memory"][name].as_u64().unwrap();
    let stage = (part("tiles_waiting") + part("mosaic")).max(part("finishing"));
    let loaded = part("block_cache") + part("remote_blocks") + part("blocks") + part("weights") + part("network") + stage;
    assert_eq!(part("total"), part("program") + loaded.max(part("loading")));
    // A 5x5 and a 1x1 convolution with two operations for each multiplication; bias and softmax are a few more.
    let operations = plan["flops"].as_f64().unwrap() / (8.0 * 256.0 * 256.0);
    assert!((468.0..500.0).contains(&operations), "{operations}");
    assert_eq!(files(folder.path()), ["model", "neighbours", "scene.tif"]);
}

#[test]
fn plans_keep_to_the_memory_that_is_given() {
    let (folder, ..) = workplace(3000, 200);
    write_neighbours(&folder.path().join("neighbours"));
    let mut smaller_tiles = false;
    for mebibytes in [205, 210, 250, 300, 500, 1000] {
        for blend in ["hann", "gaussian", "flat", "crop"] {
            let arguments = format!("plan scene.tif --model neighbours --json --blend {blend} --max-memory {mebibytes}MiB");
            let run = swath(folder.path(), &arguments);
            if run.code == Some(2) {
                run.fails(2, &["at least", "MiB"]);
                continue;
            }
            let plan = &run.succeeds().json()[0];
            assert!(plan["memory"]["total"].as_u64().unwrap() <= mebibytes << 20, "{plan}");
            smaller_tiles |= plan["tile"]["width"].as_u64().unwrap() < 1000;
        }
    }
    assert!(smaller_tiles, "memory was never short");
}

/// The figure after `--max-memory` in the hint.
fn hinted(stderr: &str) -> String {
    let (_, rest) = stderr.split_once("--max-memory ").unwrap_or_else(|| panic!("no hint in:\n{stderr}"));
    rest.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn too_little_memory_is_refused_before_the_first_read_with_a_figure_that_works() {
    let (folder, linear, pixels) = workplace(900, 700);
    let scene = folder.path().join("scene.tif");
    let whole = fs::read(&scene).unwrap();
    // Reading a pixel of this half would be another error.
    fs::write(&scene, &whole[..whole.len() / 2]).unwrap();
    let run = swath(folder.path(), "segment scene.tif --model model --output labels.tif --max-memory 100MiB");
    let run = run.fails(2, &["scene.tif needs at least", "MiB of memory, the limit is 100 MiB", "hint: --max-memory"]);
    assert_nothing_left(folder.path());
    fs::write(&scene, &whole).unwrap();
    let arguments = format!("segment scene.tif --model model --output labels.tif --max-memory {}", hinted(&run.stderr));
    swath(folder.path(), &arguments).succeeds();
    assert!(read_labels(&folder.path().join("labels.tif")) == linear.labels(&pixels));
}

#[test]
fn the_figure_works_for_wide_striped_scenes_too() {
    let folder = TempDir::new().unwrap();
    Linear::by_sum(4, 2.0, 3.0).write(&folder.path().join("model"));
    // Sparse: nothing but its header is on the disk.
    let scene = folder.path().join("scene.tif");
    let options = gdal::raster::RasterCreationOptions::from_iter(["SPARSE_OK=TRUE", "BLOCKYSIZE=1"]);
    let driver = gdal::DriverManager::get_driver_by_name("GTiff").unwrap();
    driver.create_with_band_type_with_options::<f32, _>(&scene, 100_000, 3000, 4, &options).unwrap().close().unwrap();
    for limit in ["150MiB", "300MiB", "420MiB"] {
        let arguments = "plan scene.tif --model model --tile 1024 --overlap 256 --json --max-memory";
        let run = swath(folder.path(), &format!("{arguments} {limit}")).fails(2, &["at least"]);
        swath(folder.path(), &format!("{arguments} {}", hinted(&run.stderr))).succeeds();
    }
}

#[test]
fn a_window_has_the_labels_of_the_whole() {
    let (folder, ..) = workplace(500, 400);
    write_neighbours(&folder.path().join("neighbours"));
    for options in ["--blend hann --tile 96", "--blend crop --tile 64", "--blend gaussian --tile 128 --overlap 50"] {
        let arguments = format!("scene.tif --model neighbours --overwrite {options}");
        segment(folder.path(), &format!("{arguments} --output whole.tif --probabilities whole_p.tif")).succeeds();
        segment(folder.path(), &format!("{arguments} --output part.tif --probabilities part_p.tif --window 133,71,250,301"))
            .succeeds();
        let cut = |all: Vec<f32>| {
            let row = |y: usize| all[y * 500 + 133..y * 500 + 383].to_vec();
            (71..372).flat_map(row).collect::<Vec<_>>()
        };
        let [whole, part] = ["whole.tif", "part.tif"].map(|name| read_band::<f32>(&folder.path().join(name), 1));
        assert!(cut(whole) == part, "labels with {options}");
        for band in 1..=3 {
            let [whole, part] = ["whole_p.tif", "part_p.tif"].map(|name| read_band::<f32>(&folder.path().join(name), band));
            assert!(cut(whole) == part, "probabilities with {options}");
        }
    }
    let outside = "scene.tif --model model --output labels.tif --window 400,0,101,10";
    segment(folder.path(), outside).fails(2, &["within the 500 x 400 pixels of scene.tif", "x 400 y 0 of 101 x 10"]);
    assert_nothing_left(folder.path());
}

#[test]
fn one_broken_scene_of_several_does_not_stop_the_others() {
    let (folder, linear, pixels) = workplace(60, 50);
    fs::copy(folder.path().join("scene.tif"), folder.path().join("last.tif")).unwrap();
    fs::write(folder.path().join("broken.tif"), "no raster").unwrap();
    let run = segment(folder.path(), "scene.tif broken.tif last.tif --model model --output out --confidence sure --json");
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("cannot open broken.tif"), "{}", run.stderr);
    assert_eq!(run.json().iter().map(|result| &result["scene"]).collect::<Vec<_>>(), ["scene.tif", "last.tif"]);
    let made = ["last.json", "last.tif", "last.tif.aux.xml", "scene.json", "scene.tif", "scene.tif.aux.xml"];
    assert_eq!(files(&folder.path().join("out")), made);
    assert_eq!(files(&folder.path().join("sure")), ["last_confidence.tif", "scene_confidence.tif"]);
    for name in ["scene.tif", "last.tif"] {
        assert!(read_labels(&folder.path().join("out").join(name)) == linear.labels(&pixels));
    }
}

#[test]
fn what_cannot_be_labelled_shows_before_the_first_scene_is() {
    let (folder, ..) = workplace(60, 50);
    fs::copy(folder.path().join("scene.tif"), folder.path().join("last.tif")).unwrap();
    fs::create_dir(folder.path().join("out")).unwrap();
    fs::write(folder.path().join("out/last.json"), "mine").unwrap();
    let arguments = "scene.tif last.tif missing.tif --model model --output out --json";
    let run = segment(folder.path(), arguments);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let at = |words: &str| run.stderr.find(words).unwrap_or_else(|| panic!("no {words} in:\n{}", run.stderr));
    assert!(at("last.json exists already") < at("missing.tif") && at("missing.tif") < at("60 x 50"), "{}", run.stderr);
    assert_eq!(run.json().len(), 1);
    assert_eq!(fs::read(folder.path().join("out/last.json")).unwrap(), b"mine");
    // Now none of them can be.
    segment(folder.path(), arguments).fails(2, &["scene.tif exists already", "last.json exists already", "missing.tif"]);
    assert_eq!(files(&folder.path().join("out")), ["last.json", "scene.json", "scene.tif", "scene.tif.aux.xml"]);
}

#[test]
fn a_folder_as_output_takes_the_name_of_the_scene() {
    let (folder, ..) = workplace(20, 20);
    fs::create_dir(folder.path().join("out")).unwrap();
    segment(folder.path(), "scene.tif --model model --output out").succeeds();
    assert_eq!(files(&folder.path().join("out")), ["scene.json", "scene.tif", "scene.tif.aux.xml"]);
}

#[test]
fn outputs_that_would_be_one_file_are_refused() {
    let (folder, ..) = workplace(20, 20);
    fs::create_dir(folder.path().join("other")).unwrap();
    fs::copy(folder.path().join("scene.tif"), folder.path().join("other/scene.tif")).unwrap();
    let before = fs::read(folder.path().join("scene.tif")).unwrap();
    segment(folder.path(), "scene.tif other/scene.tif --model model --output out")
        .fails(2, &["scene.tif", "other/scene.tif", "both"]);
    let same = "scene.tif --model model --output labels.tif";
    segment(folder.path(), &format!("{same} --confidence labels.tif")).fails(2, &["labels.tif"]);
    segment(folder.path(), &format!("{same} --probabilities ./labels.tif")).fails(2, &["labels.tif"]);
    segment(folder.path(), &format!("{same} --probabilities p.tif --confidence p.tif")).fails(2, &["p.tif"]);
    // A scene is not replaced by its labels, whatever is said.
    segment(folder.path(), "scene.tif --model model --output scene.tif --overwrite").fails(2, &["scene.tif"]);
    segment(folder.path(), "scene.tif --model model --output ./other/../scene.tif --overwrite").fails(2, &["scene.tif"]);
    segment(folder.path(), "scene.tif other/scene.tif --model model --output other --overwrite").fails(2, &["scene.tif"]);
    assert!(fs::read(folder.path().join("scene.tif")).unwrap() == before);
    assert_nothing_left(folder.path());
}

#[test]
fn existing_outputs_stay_unless_told_otherwise() {
    let (folder, linear, pixels) = workplace(40, 30);
    let arguments = "scene.tif --model model --output labels.tif --probabilities p.tif --confidence c.tif";
    for name in ["labels.tif", "p.tif", "c.tif", "labels.json"] {
        let path = folder.path().join(name);
        fs::write(&path, "mine").unwrap();
        segment(folder.path(), arguments).fails(2, &[&format!("{name} exists already"), "hint: --overwrite"]);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        let mut left = vec!["model".to_owned(), "scene.tif".to_owned(), name.to_owned()];
        left.sort();
        assert_eq!(files(folder.path()), left);
        fs::remove_file(path).unwrap();
    }
    for name in ["labels.tif", "p.tif", "c.tif", "labels.json", "labels.tif.aux.xml", "labels.tif.ovr"] {
        fs::write(folder.path().join(name), "old").unwrap();
    }
    segment(folder.path(), &format!("{arguments} --overwrite")).succeeds();
    assert!(read_labels(&folder.path().join("labels.tif")) == linear.labels(&pixels));
    let made = ["c.tif", "labels.json", "labels.tif", "labels.tif.aux.xml", "model", "p.tif", "scene.tif"];
    assert_eq!(files(folder.path()), made);
}

#[test]
fn progress_for_machines_is_a_json_object_a_line() {
    let (folder, ..) = workplace(300, 200);
    let arguments = "scene.tif --model model --tile 32 --progress json --overwrite --output labels.tif";
    let run = segment(folder.path(), &format!("-q {arguments}")).succeeds();
    let lines: Vec<Value> = run.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.last().unwrap();
    assert_eq!(last["event"], "finished");
    assert_eq!(last["scene"], "scene.tif");
    assert_eq!(last["pixels"], 300 * 200);
    assert_eq!(last["tiles"], last["tiles_total"]);
    assert_eq!(last["eta_s"], 0.0);
    assert!(last["mpx_per_s"].as_f64().unwrap() > 0.0);
    // Without -q too, the log does not come between them.
    let run = segment(folder.path(), arguments).succeeds();
    let events: Vec<Value> = run.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (finished, progress) = events.split_last().unwrap();
    assert_eq!(finished["event"], "finished");
    assert!(!progress.is_empty() && progress.iter().all(|event| event["event"] == "progress"), "{}", run.stderr);
    assert_eq!(progress[0]["tiles"], 1);
    let run = segment(folder.path(), &arguments.replace("json", "none")).succeeds();
    assert!(!run.stderr.contains('{'));
}

#[test]
fn progress_of_a_failed_run_is_not_finished() {
    let (folder, ..) = workplace(300, 200);
    let scene = folder.path().join("scene.tif");
    let whole = fs::read(&scene).unwrap();
    fs::write(&scene, &whole[..whole.len() / 2]).unwrap();
    let run = segment(folder.path(), "scene.tif --model model --tile 32 --progress json -q --output labels.tif");
    let mut events = run.stderr.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    assert_eq!(events.next().unwrap()["event"], "failed");
    run.fails(1, &["scene.tif"]);
}

#[test]
fn bands_are_chosen_by_number_and_by_name() {
    let (folder, linear, pixels) = workplace(50, 40);
    let scene = folder.path().join("named.tif");
    pixels.write(&scene, &["PHOTOMETRIC=RGB"], |dataset| {
        dataset.rasterband(1).unwrap().set_description("B04").unwrap();
        dataset.rasterband(2).unwrap().set_description("B03").unwrap();
    });
    let with = |order: [usize; 3]| {
        let bands = order.map(|at| pixels.bands[at].clone()).to_vec();
        linear.labels(&Pixels { bands, ..pixels })
    };
    let run = |bands: &str| {
        let arguments = format!("named.tif --model model --output labels.tif --overwrite --bands {bands}");
        segment(folder.path(), &arguments).succeeds();
        read_labels(&folder.path().join("labels.tif"))
    };
    assert!(run("1,2,3") == with([0, 1, 2]));
    assert!(run("3,1,2") == with([2, 0, 1]));
    assert!(run("2,2,2") == with([1, 1, 1]));
    assert!(run("B03,b04,blue") == with([1, 0, 2]));
    assert!(run("Blue,B03,1") == with([2, 1, 0]));
    assert!(run("green,red,3") == with([1, 0, 2]));

    // A band's name comes before a place, and only plain numbers are places.
    pixels.write(&folder.path().join("named.tif"), &[], |dataset| {
        for (number, name) in [(1, "08"), (2, "3"), (3, "12")] {
            dataset.rasterband(number).unwrap().set_description(name).unwrap();
        }
    });
    assert!(run("08,3,12") == with([0, 1, 2]));
    assert!(run("3,2,1") == with([1, 1, 0]));
    let arguments = "named.tif --model model --output labels.tif --overwrite --bands 1,2,";
    for name in ["03", "+3", "012", "4", "0", "8"] {
        segment(folder.path(), &format!("{arguments}{name}")).fails(2, &[&format!("no band `{name}` in named.tif")]);
    }
    pixels.write(&folder.path().join("named.tif"), &["PHOTOMETRIC=RGB"], |dataset| {
        dataset.rasterband(2).unwrap().set_description("B03").unwrap();
    });

    // The model's own names are looked for where none are given.
    let mut model = linear.model();
    model.card.bands = ["blue", "B03", "red"].map(String::from).to_vec();
    model.write(&folder.path().join("by_name")).unwrap();
    segment(folder.path(), "named.tif --model by_name --output labels.tif --overwrite").succeeds();
    assert!(read_labels(&folder.path().join("labels.tif")) == with([2, 1, 0]));
}

#[test]
fn a_tile_that_does_not_fit_the_stride_is_refused_with_one_that_does() {
    let (folder, ..) = workplace(300, 200);
    write_strided(&folder.path().join("strided"), 8);
    for options in
        ["--tile 100", "--tile 20", "--tile 15 --overlap 10", "--tile 90 --overlap 70 --blend flat", "--tile 63 --blend crop"]
    {
        let arguments = format!("scene.tif --model strided --output labels.tif --overwrite {options}");
        let run = segment(folder.path(), &arguments).fails(2, &["multiple of the network's stride of 8", "hint: --tile"]);
        let (_, hint) = run.stderr.split_once("hint: --tile ").unwrap();
        let side = hint.split_whitespace().next().unwrap();
        let (_, after) = options.split_once("--tile ").unwrap();
        let rest = after.split_once(' ').map_or("", |(_, rest)| rest);
        let arguments = format!("scene.tif --model strided --output labels.tif --overwrite {rest} --tile {side}");
        segment(folder.path(), &arguments).succeeds();
    }
}

#[test]
fn a_crop_tile_smaller_than_the_halo_is_refused_with_one_that_works() {
    let (folder, ..) = workplace(1500, 40);
    swath(folder.path(), "model new fcn_resnet50 --bands 3 --classes 2 --output fcn").succeeds();
    let arguments = "plan scene.tif --model fcn --blend crop --max-memory 8GiB --json";
    let run = swath(folder.path(), &format!("{arguments} --tile 256"));
    let run = run.fails(2, &["a tile of 256 is too small for an overlap of", "the smallest one that works is", "--blend hann"]);
    let (_, rest) = run.stderr.split_once("hint: --tile ").unwrap();
    let smallest: usize = rest.split_whitespace().next().unwrap().parse().unwrap();
    let plan = &swath(folder.path(), &format!("{arguments} --tile {smallest}")).succeeds().json()[0];
    assert_eq!(plan["equals_whole"], true);
    // It is the smallest one.
    swath(folder.path(), &format!("{arguments} --tile {}", smallest - 32)).fails(2, &["too small"]);

    write_neighbours(&folder.path().join("neighbours"));
    let arguments = "scene.tif --model neighbours --output labels.tif --blend crop --tile";
    segment(folder.path(), &format!("{arguments} 4")).fails(2, &["the smallest one that works is 5", "--tile 5 works"]);
    segment(folder.path(), &format!("{arguments} 5 --window 700,10,20,20")).succeeds();
}

#[test]
fn probabilities_and_confidence_are_written() {
    let folder = TempDir::new().unwrap();
    // The network's output is its probability: x / 256 and 1 - x / 256, exact in single precision.
    let linear =
        Linear { weights: vec![vec![1.0 / 256.0], vec![-1.0 / 256.0]], bias: vec![0.0, 1.0], activation: ScoreActivation::None };
    linear.write(&folder.path().join("model"));
    let pixels = Pixels::<u8>::new(120, 90, 1, support::noise);
    pixels.write(&folder.path().join("scene.tif"), &[], |dataset| {
        support::utm(dataset);
        dataset.rasterband(1).unwrap().set_no_data_value(Some(77.0)).unwrap();
    });
    let arguments = "scene.tif --model model --tile 32 --blend crop --overwrite --output labels.tif";
    segment(folder.path(), &format!("{arguments} --probabilities p.tif --confidence c.tif")).succeeds();
    let [p, c, u] = ["p.tif", "c.tif", "u.tif"].map(|name| folder.path().join(name));
    let truth = |class: usize, x: u8| if class == 0 { f32::from(x) / 256.0 } else { 1.0 - f32::from(x) / 256.0 };
    for class in 0..2 {
        let band = read_band::<f32>(&p, class + 1);
        for (x, got) in pixels.bands[0].iter().zip(band) {
            assert!(if *x == 77 { got.is_nan() } else { got.to_bits() == truth(class, *x).to_bits() }, "{got} for {x}");
        }
    }
    let step = |probability: f32| (254.0 * probability).round() as u8;
    for (x, got) in pixels.bands[0].iter().zip(read_band::<u8>(&c, 1)) {
        let sure = truth(0, *x).max(truth(1, *x));
        assert_eq!(got, if *x == 77 { NODATA } else { step(sure) });
    }
    let dataset = Dataset::open(&p).unwrap();
    assert_eq!(dataset.rasterband(2).unwrap().description().unwrap(), "class_1");
    assert!(dataset.rasterband(1).unwrap().no_data_value().unwrap().is_nan());

    segment(folder.path(), &format!("{arguments} --probabilities u.tif --probability-type u8")).succeeds();
    for class in 0..2 {
        for (x, got) in pixels.bands[0].iter().zip(read_band::<u8>(&u, class + 1)) {
            assert_eq!(got, if *x == 77 { NODATA } else { step(truth(class, *x)) });
        }
    }
    let dataset = Dataset::open(&u).unwrap();
    let band = dataset.rasterband(1).unwrap();
    assert_eq!((band.no_data_value(), band.scale()), (Some(255.0), Some(1.0 / 254.0)));
    swath(folder.path(), "segment a.tif --model m --output o.tif --probability-type u8").fails(2, &["--probabilities"]);
}

#[test]
fn blending_a_constant_gives_the_constant() {
    let folder = TempDir::new().unwrap();
    let mut linear = Linear::by_sum(1, 100.0, 200.0);
    linear.activation = ScoreActivation::None;
    linear.weights = vec![vec![0.0]; 3];
    linear.bias = vec![0.1, 0.7, 0.2];
    linear.write(&folder.path().join("model"));
    support::write_noise(&folder.path().join("scene.tif"), 200, 150, 1);
    for blend in ["hann", "gaussian", "flat", "crop"] {
        let arguments = format!("scene.tif --model model --tile 64 --overlap 30 --blend {blend} --overwrite");
        segment(folder.path(), &format!("{arguments} --output labels.tif --probabilities p.tif")).succeeds();
        for (band, constant) in (1..).zip(&linear.bias) {
            let values = read_band::<f32>(&folder.path().join("p.tif"), band);
            assert!(values.iter().all(|p| (p - constant).abs() < 1e-6), "{blend}");
        }
    }
}

#[test]
fn networks_are_made_inspected_and_checked() {
    let folder = TempDir::new().unwrap();
    let unknown = swath(folder.path(), "model new unet_42 --bands 3 --classes 6 --output model");
    unknown.fails(2, &["no network is called `unet_42`", "fcn_resnet50"]);
    let twice = swath(folder.path(), "model new fcn_resnet50 --bands 3 --classes a,b,a --output model");
    twice.fails(2, &["--classes", "`a` twice"]);
    assert_eq!(files(folder.path()), Vec::<String>::new());

    let new = |output: &str, seed: u32| {
        let arguments = "model new fcn_resnet50 --bands red,green,blue --classes water=0000FF,land --scaling scale:255";
        let run = swath(folder.path(), &format!("{arguments} --seed {seed} --output {output}")).succeeds();
        assert_eq!(run.stdout, format!("{output}\n"));
        fs::read(folder.path().join(output).join("weights.safetensors")).unwrap()
    };
    let first = new("model", 7);
    assert!(first == new("same", 7), "the same seed");
    assert!(first != new("other", 8), "another seed");
    assert_eq!(files(&folder.path().join("model")), ["graph.json", "model.json", "weights.safetensors"]);
    swath(folder.path(), "model new fcn_resnet50 --bands 3 --classes 2 --output model").fails(2, &["model", "not empty"]);

    let text = swath(folder.path(), "model inspect model").succeeds().stdout;
    for words in [
        "fcn_resnet50",
        "red",
        "red (x / 255)",
        "2 channels, then softmax",
        "0 water #0000FF",
        "1 land",
        "no data",
        "255",
        "stride",
        "32 x 32",
        "parameters",
        "FLOP per pixel",
    ] {
        assert!(text.contains(words), "`{words}` is missing from:\n{text}");
    }
    assert!(!text.contains("made for") && !text.contains("never a label") && !text.contains("only for"), "{text}");
    support::edit_json(&folder.path().join("same/model.json"), |card| {
        card["properties"]["swath:gsd"] = json!({ "minimum": 0.1, "maximum": 0.5 });
        card["properties"]["swath:dropped_classes"] = json!([1]);
    });
    let text = swath(folder.path(), "model inspect same").succeeds().stdout;
    let fact = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    assert_eq!(fact("never a label"), Some("land"), "{text}");
    assert_eq!(fact("made for"), Some("0.1 to 0.5 m per pixel"), "{text}");
    swath(folder.path(), "model new unet_3d --widths 4,8,16 --bands ct --classes 2 --output volumes").succeeds();
    let text = swath(folder.path(), "model inspect volumes").succeeds().stdout;
    assert!(text.contains("4 x 4 x 4") && text.contains("a tile of 64 x 64 x 64"), "{text}");
    let facts = &swath(folder.path(), "model inspect volumes --json").succeeds().json()[0];
    assert_eq!(facts["stride"], json!({ "depth": 4, "height": 4, "width": 4 }));
    assert_eq!(facts["scaling"], json!([null]));
    let layers = swath(folder.path(), "model inspect model --layers").succeeds().stdout;
    assert!(layers.contains("layer4.2.conv3"), "{layers}");
    let facts = &swath(folder.path(), "model inspect model --json").succeeds().json()[0];
    assert_eq!(facts["bands"], json!(["red", "green", "blue"]));
    assert_eq!(facts["stride"], json!({ "height": 32, "width": 32 }));
    assert_eq!(facts["activation"], "softmax");
    assert_eq!(facts["nodata"], 255);
    assert_eq!(facts["gsd"], Value::Null);
    assert!(facts["parameters"].as_u64().unwrap() > 23_000_000);

    let check = swath(folder.path(), "model check model").succeeds();
    assert!(check.stdout.contains("card, graph and weights agree") && check.stdout.contains("no golden input"));
}

#[test]
fn a_golden_input_is_checked() {
    let (folder, linear, _) = workplace(8, 8);
    let input: Vec<f32> = (0..12_u8).map(f32::from).collect();
    let pixel = |at: usize| linear.scores(&[input[at], input[4 + at], input[8 + at]]);
    let mut output: Vec<f32> =
        (0..3).flat_map(|class| (0..4).map(move |at| (class, at))).map(|(class, at)| pixel(at)[class]).collect();
    let write = |output: &[f32]| {
        let mut golden = swath_models::Weights::new();
        golden.insert("input", vec![3, 2, 2], input.clone());
        golden.insert("output", vec![3, 2, 2], output.to_vec());
        golden.write(&folder.path().join("model/golden.safetensors")).unwrap();
    };
    write(&output);
    assert!(swath(folder.path(), "model check model").succeeds().stdout.contains("golden output reproduced"));
    output[5] += 0.5;
    write(&output);
    let run = swath(folder.path(), "model check model");
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("golden.safetensors") && run.stderr.contains("5e-1"), "{}", run.stderr);
}

#[test]
fn onnx_files_are_imported() {
    let Some(data) = real_data::folder() else { return };
    let onnx = data.join("weights/buildings/fcn_resnet18.onnx");
    if !onnx.is_file() {
        // Written past the test harness, which would swallow it.
        std::io::stderr().write_all(format!("SKIPPED: no {}\n", onnx.display()).as_bytes()).unwrap();
        return;
    }
    let folder = TempDir::new().unwrap();
    let import = |options: &str| {
        support::run(program(folder.path()).args(["model", "import"]).arg(&onnx).args(options.split_whitespace()))
    };
    let options =
        "--bands red,green,blue --scaling scale:255 --scores logits --output model --classes background,building=FF0000";
    assert_eq!(import(options).succeeds().stdout, "model\n");
    swath(folder.path(), "model check model").succeeds();
    assert!(swath(folder.path(), "model inspect model").succeeds().stdout.contains("building #FF0000"));
    let options = &options.replace("output model", "output other");
    import(&options.replace("red,green,blue", "red,green")).fails(2, &["expected 3 bands", "got 2"]);
    import(&options.replace("background,building=FF0000", "a,b,c")).fails(2, &["classes", "got 3"]);
    import(&format!("{options} --drop water")).fails(2, &["--drop", "water"]);
    import(&options.replace("scale:255", "scale:0")).fails(2, &["value_scaling"]);
    import(&options.replace("scale:255", "divide:255")).fails(2, &["expected none, scale:V"]);
    fs::write(folder.path().join("bad.onnx"), "no network").unwrap();
    swath(folder.path(), &format!("model import bad.onnx {options}")).fails(2, &["bad.onnx", "ONNX"]);
    assert_eq!(files(folder.path()), ["bad.onnx", "model"]);
}

#[test]
fn the_demo_labels_its_scene() {
    let folder = TempDir::new().unwrap();
    let run = swath(folder.path(), "demo --size 512 --seed 3 --output demo --json").succeeds();
    let result = &run.json()[0];
    assert!(result["accuracy"].as_f64().unwrap() > 0.9, "{result}");
    assert!(result["miou"].as_f64().unwrap() > 0.85, "{result}");
    for key in ["scene", "truth", "labels", "preview"] {
        assert!(folder.path().join(result[key].as_str().unwrap()).is_file(), "{key}");
    }
    let labels = fs::read(folder.path().join("demo/labels.tif")).unwrap();
    let again = swath(folder.path(), "demo --size 512 --seed 3 --output demo --overwrite").succeeds();
    assert!(again.stdout.contains("accuracy") && again.stdout.contains("labels   demo/labels.tif"), "{}", again.stdout);
    assert!(fs::read(folder.path().join("demo/labels.tif")).unwrap() == labels);
}

#[test]
fn the_demo_does_not_replace_files() {
    let folder = TempDir::new().unwrap();
    let demo = folder.path().join("demo");
    for name in ["scene.tif", "truth.tif", "labels.tif", "labels.json", "preview.png"] {
        fs::create_dir(&demo).unwrap();
        fs::write(demo.join(name), "mine").unwrap();
        let run = swath(folder.path(), "demo --size 64 --output demo");
        run.fails(2, &[&format!("{name} exists already"), "hint: --overwrite"]);
        assert_eq!(files(&demo), [name]);
        assert_eq!(fs::read(demo.join(name)).unwrap(), b"mine");
        fs::remove_dir_all(&demo).unwrap();
    }
}

#[test]
fn an_interrupted_run_publishes_nothing_and_keeps_what_it_did() {
    for signal in ["-INT", "-TERM"] {
        interrupt(signal);
    }
}

/// Begins minutes of work, sends the signal twice, and expects a clean end.
fn interrupt(signal: &str) {
    let folder = TempDir::new().unwrap();
    Linear::identity().write(&folder.path().join("model"));
    let scene = folder.path().join("scene.tif");
    let options = gdal::raster::RasterCreationOptions::from_iter(["SPARSE_OK=TRUE"]);
    let driver = gdal::DriverManager::get_driver_by_name("GTiff").unwrap();
    driver.create_with_band_type_with_options::<u8, _>(&scene, 20_000, 20_000, 1, &options).unwrap().close().unwrap();
    let arguments =
        "segment scene.tif --model model --tile 256 --max-memory 2GiB --threads 2 --output labels.tif --confidence labels_c.tif";
    let mut child = program(folder.path());
    let child = child.args(arguments.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    while !folder.path().join("labels.tif.scratch.part").exists() {
        assert!(started.elapsed() < Duration::from_mins(1), "the run never began");
        thread::sleep(Duration::from_millis(20));
    }
    // The first row of tiles is on the disk.
    let ledger = folder.path().join("labels.tif.ledger.part");
    while fs::read_to_string(&ledger).map_or(0, |text| text.matches('\n').count()) < 2 {
        assert!(started.elapsed() < Duration::from_mins(2), "no row of tiles was finished");
        thread::sleep(Duration::from_millis(20));
    }
    let asked = Instant::now();
    let kill = || Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(kill().success());
    // Asking again does no harm; it may be over by now.
    kill();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(asked.elapsed() < Duration::from_secs(20), "stopped after {:?}", asked.elapsed());
    assert!(stderr.contains("interrupted: finishing the current step"), "{stderr}");
    assert_eq!(output.stdout, b"");
    let kept = ["labels.tif.ledger.part", "labels.tif.scratch.part", "labels_c.tif.scratch.part"];
    let ours = |name: &String| name.contains("labels");
    assert_eq!(files(folder.path()).into_iter().filter(ours).collect::<Vec<_>>(), kept, "{stderr}");
    assert!(stderr.contains("the same command goes on"), "{stderr}");
}

/// A scene of one tile needs no overlap, however much is asked for; an absurd one is an error at once.
#[test]
fn overlaps_larger_than_the_scene() {
    let (folder, ..) = workplace(40, 30);
    segment(folder.path(), "scene.tif --model model --tile 64 --output plain.tif").succeeds();
    segment(folder.path(), "scene.tif --model model --tile 64 --overlap 50 --output labels.tif").succeeds();
    assert_eq!(fs::read(folder.path().join("plain.tif")).unwrap(), fs::read(folder.path().join("labels.tif")).unwrap());
    for (overlap, words) in [
        ("2000000000", "the smallest one that works is 2000000001"),
        ("1000000000000000000", "expected an overlap of at most 2147483647 pixels"),
        ("18446744073709551615", "expected an overlap of at most 2147483647 pixels"),
    ] {
        let arguments = format!("plan scene.tif --model model --tile 16 --overlap {overlap}");
        swath(folder.path(), &arguments).fails(2, &[words]);
    }
}
