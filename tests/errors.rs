//! What goes wrong, and what is said and left behind then.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gdal::spatial_ref::SpatialRef;
use gdal::{Dataset, Metadata as _};
use serde_json::{Value, json};
use support::{Linear, Pixels, Run, assert_nothing_left, edit_json, files, segment, swath};
use swath_models::{ScoreActivation, Weights};
use tempfile::TempDir;

/// A folder with `scene.tif`, three bands of noise, and `model`, which labels it by their sum.
fn workplace() -> (TempDir, Linear) {
    let folder = TempDir::new().unwrap();
    support::write_noise(&folder.path().join("scene.tif"), 300, 200, 3);
    let linear = Linear::by_sum(3, 600.0, 900.0);
    linear.write(&folder.path().join("model"));
    (folder, linear)
}

/// Labels the scene and expects this exit code, these words, and nothing left.
#[track_caller]
fn refused(folder: &TempDir, options: &str, code: i32, words: &[&str]) -> Run {
    let before = files(folder.path());
    let arguments = format!("scene.tif --model model --output labels.tif --confidence labels_c.tif --tile 64 {options}");
    let run = segment(folder.path(), &arguments).fails(code, words);
    assert_eq!(files(folder.path()), before);
    run
}

#[test]
fn a_missing_scene() {
    let (folder, _) = workplace();
    fs::remove_file(folder.path().join("scene.tif")).unwrap();
    refused(&folder, "", 2, &["cannot open scene.tif", "No such file"]);
}

#[test]
fn a_scene_that_is_no_raster() {
    let (folder, _) = workplace();
    for content in ["", "no raster", "II*\0"] {
        fs::write(folder.path().join("scene.tif"), content).unwrap();
        refused(&folder, "", 2, &["cannot open scene.tif"]);
    }
}

#[test]
fn a_truncated_scene() {
    let (folder, _) = workplace();
    let scene = folder.path().join("scene.tif");
    let pixels = Pixels::<u8>::new(300, 200, 3, support::noise);
    let tiled = ["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64"];
    for options in [&[][..], &["COMPRESS=DEFLATE"], &tiled, &[tiled[0], tiled[1], tiled[2], "COMPRESS=LZW"]] {
        fs::remove_file(&scene).unwrap();
        pixels.write(&scene, options, |_| {});
        let whole = fs::read(&scene).unwrap();
        for part in [whole.len() / 2, whole.len() - 100] {
            fs::write(&scene, &whole[..part]).unwrap();
            let run = segment(folder.path(), "scene.tif --model model --output labels.tif --confidence labels_c.tif --tile 64");
            let run = run.fails(1, &["cannot read window x ", " of scene.tif: "]);
            // What could be read is done: the rows are kept, and nothing is published.
            assert!(files(folder.path()).iter().filter(|name| name.contains("labels")).all(|name| name.contains(".part")));
            for name in files(folder.path()).iter().filter(|name| name.contains("labels")) {
                fs::remove_file(folder.path().join(name)).unwrap();
            }
            // GDAL's own words, once.
            assert_eq!(run.stderr.lines().filter(|line| line.contains("ERROR")).count(), 1, "{}", run.stderr);
        }
        // The directory lies before the pixels: of 100 bytes, nothing can be opened.
        fs::write(&scene, &whole[..100]).unwrap();
        refused(&folder, "", 2, &["cannot open scene.tif"]);
    }
}

#[test]
fn bands_that_are_not_there() {
    let (folder, linear) = workplace();
    refused(&folder, "--bands 1,2", 2, &["expected 3 bands for model `linear` (1, 2, 3), got 2"]);
    refused(&folder, "--bands 1,2,4", 2, &["no band `4` in scene.tif, which has 1 ", "hint: --bands"]);
    refused(&folder, "--bands 0,1,2", 2, &["no band `0` in scene.tif"]);
    refused(&folder, "--bands 1,2,nir", 2, &["no band `nir` in scene.tif", "hint: --bands"]);
    Pixels::<u8>::new(9, 9, 3, support::noise).write(&folder.path().join("scene.tif"), &[], |dataset| {
        for number in [1, 3] {
            dataset.rasterband(number).unwrap().set_description("B08").unwrap();
        }
    });
    refused(&folder, "--bands 1,2,b08", 2, &["band `b08` of scene.tif is ambiguous", "band 1 and band 3"]);

    // A model for named bands does not take others for them, whatever their number.
    let mut model = linear.model();
    model.card.bands = ["red", "green", "nir"].map(String::from).to_vec();
    fs::remove_dir_all(folder.path().join("model")).unwrap();
    model.write(&folder.path().join("model")).unwrap();
    refused(&folder, "", 2, &["no band `nir` in scene.tif, which has 1 B08, 2 green, 3 B08", "hint: --bands"]);
    support::write_noise(&folder.path().join("scene.tif"), 9, 9, 2);
    refused(&folder, "--bands 1,2,3", 2, &["no band `3` in scene.tif"]);
}

/// The CRS of a raster as WKT.
fn crs(path: &Path) -> Option<String> {
    Dataset::open(path).unwrap().spatial_ref().ok().map(|crs| crs.to_wkt().unwrap()).filter(|wkt| !wkt.is_empty())
}

/// A CRS that nobody knows is no error: the labels say what GDAL makes of the scene's, and no more.
#[test]
fn an_unknown_crs() {
    let (folder, _) = workplace();
    let [scene, labels] = ["scene.tif", "labels.tif"].map(|name| folder.path().join(name));
    let write = |crs: Option<SpatialRef>| {
        Pixels::<u8>::new(30, 20, 3, support::noise).write(&scene, &[], |dataset| {
            dataset.set_geo_transform(&[500_000.0, 10.0, 0.0, 4_000_000.0, 0.0, -10.0]).unwrap();
            if let Some(crs) = crs {
                dataset.set_spatial_ref(&crs).unwrap();
            }
        });
    };
    let label = || {
        segment(folder.path(), "scene.tif --model model --output labels.tif --overwrite").succeeds();
        let item: Value = serde_json::from_slice(&fs::read(folder.path().join("labels.json")).unwrap()).unwrap();
        (crs(&labels), item["properties"].clone())
    };
    write(None);
    let (wkt, item) = label();
    assert_eq!(wkt, None);
    assert!(item.get("proj:code").is_none() && item.get("proj:wkt2").is_none());

    write(Some(SpatialRef::from_wkt("LOCAL_CS[\"Plant grid\",UNIT[\"metre\",1]]").unwrap()));
    let (wkt, item) = label();
    assert!(wkt.as_ref().is_some_and(|wkt| wkt.contains("Plant grid")));
    assert_eq!(wkt, crs(&scene));
    assert!(item["proj:wkt2"].as_str().unwrap().contains("Plant grid"));

    // An EPSG code that does not exist, where the one of UTM zone 33N was.
    write(Some(SpatialRef::from_epsg(32633).unwrap()));
    let mut bytes = fs::read(&scene).unwrap();
    let key = |code: u16| [3072_u16, 0, 1, code].map(u16::to_le_bytes).concat();
    let at = bytes.windows(8).position(|bytes| bytes == key(32633)).unwrap();
    bytes[at..at + 8].copy_from_slice(&key(32399));
    fs::write(&scene, bytes).unwrap();
    let (wkt, item) = label();
    assert_eq!(wkt, crs(&scene));
    assert!(item.get("proj:code").is_none(), "{item}");
}

/// Runs `swath` where no file may grow beyond so many bytes: as on a full disk, writing fails.
fn on_a_full_disk(folder: &Path, bytes: usize, arguments: &str) -> Run {
    let script = format!("ulimit -f {}; trap '' XFSZ; exec \"$0\" {arguments}", bytes / 512);
    support::run(Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_swath")]).current_dir(folder).env_remove("RUST_LOG"))
}

#[test]
fn a_full_disk() {
    let folder = TempDir::new().unwrap();
    Linear::identity().write(&folder.path().join("model"));
    // Noise: compressed and with its overview, it is larger than as it is.
    let pixels = Pixels::<u8>::new(1024, 512, 1, |band, x, y| support::noise(band, x, y) / 2);
    pixels.write(&folder.path().join("scene.tif"), &[], |_| {});
    let arguments = "segment scene.tif --model model --tile 256 --blend crop --output labels.tif --max-memory 1GiB --threads 2";
    // Half of the pixels fit: that shows before the first of them is labelled.
    on_a_full_disk(folder.path(), 300_000, arguments)
        .fails(1, &["cannot reserve room for labels.tif.scratch.part", "File too large"]);
    assert_eq!(files(folder.path()), ["model", "scene.tif"]);
    // All of them do, and so does the finished confidence; the finished labels do not, and it is not published without them.
    let arguments = &format!("{arguments} --confidence labels_c.tif");
    on_a_full_disk(folder.path(), 545_000, arguments)
        .fails(1, &["labels.tif.part", "File too large", "the same command goes on"]);
    let kept = ["labels.tif.ledger.part", "labels.tif.scratch.part", "labels_c.tif.scratch.part", "model", "scene.tif"];
    assert_eq!(files(folder.path()), kept);
    let run = on_a_full_disk(folder.path(), 700_000, arguments).succeeds();
    assert!(run.stderr.contains("resuming at row 512 of 512"), "{}", run.stderr);
    assert!(support::read_labels(&folder.path().join("labels.tif")) == pixels.bands[0]);
}

#[test]
fn a_full_disk_in_the_demo() {
    let folder = TempDir::new().unwrap();
    let demo = folder.path().join("demo");
    let run = |bytes, size| on_a_full_disk(folder.path(), bytes, &format!("demo --size {size} --output demo"));
    swath(folder.path(), "demo --size 600 --output whole").succeeds();
    let size = |name: &str| fs::metadata(folder.path().join("whole").join(name)).unwrap().len() as usize;
    // The scene is the largest file.
    for bytes in [size("scene.tif") / 2, size("scene.tif") - 1024] {
        run(bytes, 600).fails(1, &["scene.tif.part", "File too large"]);
        assert_eq!(files(&demo), Vec::<String>::new(), "{bytes}");
    }
}

#[test]
fn an_output_folder_that_cannot_be_written_to() {
    let (folder, _) = workplace();
    fs::write(folder.path().join("file"), "not a folder").unwrap();
    let before = files(folder.path());
    // Below a file, in a folder that is not there, and where nobody may create a file: permissions do not bind root, /proc does.
    for output in ["file/labels.tif", "missing/labels.tif", "/proc/labels.tif"] {
        let run = segment(folder.path(), &format!("scene.tif --model model --output {output}"));
        run.fails(2, &[&format!("cannot create {output}.part")]);
        let run = segment(folder.path(), &format!("scene.tif --model model --output labels.tif --confidence {output}"));
        run.fails(2, &[&format!("cannot create {output}.part")]);
        assert_eq!(files(folder.path()), before);
    }
    segment(folder.path(), "scene.tif scene.tif --model model --output file/out").fails(2, &["cannot create file/out"]);
    assert_eq!(files(folder.path()), before);
}

#[test]
fn an_existing_output() {
    let (folder, _) = workplace();
    fs::write(folder.path().join("labels.tif"), "mine").unwrap();
    let before = files(folder.path());
    let run = segment(folder.path(), "scene.tif --model model --output labels.tif");
    run.fails(2, &["labels.tif exists already", "hint: --overwrite"]);
    assert_eq!(files(folder.path()), before);
    assert_eq!(fs::read(folder.path().join("labels.tif")).unwrap(), b"mine");
}

/// The weights of the model folder, changed.
fn edit_weights(folder: &TempDir, linear: &Linear, edit: impl FnOnce(&mut Weights)) {
    let mut weights = linear.model().weights;
    edit(&mut weights);
    // Unlike `Model::write`, this checks nothing.
    weights.write(&folder.path().join("model/weights.safetensors")).unwrap();
}

#[test]
fn weights_that_are_not_those_of_the_graph() {
    let (folder, linear) = workplace();
    let mut values = linear.weights.concat();
    values[7] = f32::NAN;
    edit_weights(&folder, &linear, |weights| weights.insert("head.weight", vec![3, 3, 1, 1], values.clone()));
    // Of several models, which one.
    let words = ["cannot use the tensors of model/weights.safetensors: tensor `head.weight` holds NaN at element 7"];
    refused(&folder, "", 2, &words);
    swath(folder.path(), "model check model").fails(2, &words);
    swath(folder.path(), "plan scene.tif --model model").fails(2, &words);

    values[7] = f32::NEG_INFINITY;
    edit_weights(&folder, &linear, |weights| weights.insert("head.weight", vec![3, 3, 1, 1], values));
    refused(&folder, "", 2, &["tensor `head.weight` holds -inf at element 7"]);

    edit_weights(&folder, &linear, |weights| weights.insert("head.weight", vec![3, 3], linear.weights.concat()));
    refused(&folder, "", 2, &["tensor `head.weight`: expected shape [3, 3, 1, 1], got [3, 3]"]);

    edit_weights(&folder, &linear, |weights| {
        let old = std::mem::take(weights);
        weights.insert("head.weight", vec![3, 3, 1, 1], old.get("head.weight").unwrap().to_vec());
    });
    refused(&folder, "", 2, &["tensor `head.bias` is missing"]);

    edit_weights(&folder, &linear, |weights| weights.insert("tail.bias", vec![1], vec![0.0]));
    refused(&folder, "", 2, &["tensors that the graph does not use: tail.bias"]);
}

#[test]
fn scores_that_are_no_numbers() {
    // Finite weights, infinite sums: their softmax is NaN wherever the scene is not 0.
    let (folder, mut linear) = workplace();
    Pixels::<u8>::new(300, 200, 3, |_, x, y| u8::from(x >= 123 && y >= 77)).write(&folder.path().join("scene.tif"), &[], |_| {});
    linear.weights = vec![vec![f32::MAX; 3]; 3];
    linear.bias = vec![0.0; 3];
    for (activation, score) in [(ScoreActivation::Softmax, "NaN"), (ScoreActivation::None, "inf")] {
        linear.activation = activation;
        fs::remove_dir_all(folder.path().join("model")).unwrap();
        linear.write(&folder.path().join("model"));
        let words = ["at column 123, row 77 of scene.tif", &format!("got {score} for class 0")];
        refused(&folder, "--blend crop", 1, &words);
        refused(&folder, "--blend hann", 1, &[words[1], "of scene.tif"]);
    }
}

#[test]
fn a_score_that_is_no_probability() {
    // The card says that the network gives probabilities: 8 bits cannot hold what it gives.
    let (folder, mut linear) = workplace();
    linear.activation = ScoreActivation::None;
    fs::remove_dir_all(folder.path().join("model")).unwrap();
    linear.write(&folder.path().join("model"));
    refused(&folder, "", 1, &["expected a probability", "labels_c.tif"]);
}

/// Every part of a model folder that is damaged is named; nothing is labelled.
#[test]
fn a_damaged_model() {
    let (folder, linear) = workplace();
    let model = folder.path().join("model");
    let refused = |words: &[&str]| {
        swath(folder.path(), "model check model").fails(2, words);
        refused(&folder, "", 2, words);
    };
    for name in ["model.json", "graph.json", "weights.safetensors"] {
        let path = model.join(name);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, "").unwrap();
        refused(&[name, "is empty"]);
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        refused(&[name, "cannot parse"]);
        fs::remove_file(&path).unwrap();
        refused(&[name, "cannot read", "No such file"]);
        fs::write(&path, whole).unwrap();
    }
    fs::remove_dir_all(&model).unwrap();
    refused(&["cannot read model/model.json"]);
    linear.write(&model);
    segment(folder.path(), "scene.tif --model model --output labels.tif").succeeds();
}

#[test]
fn a_graph_that_is_unsound() {
    let (folder, _) = workplace();
    let graph = folder.path().join("model/graph.json");
    let refused = |edit: &dyn Fn(&mut Value), words: &[&str]| {
        let whole = fs::read(&graph).unwrap();
        edit_json(&graph, |value| edit(value));
        refused(&folder, "", 2, words);
        fs::write(&graph, whole).unwrap();
    };
    refused(&|graph| graph["nodes"][1]["inputs"] = json!([7]), &["graph.json", "head"]);
    refused(&|graph| graph["nodes"][1]["inputs"] = json!([1]), &["graph.json", "head"]);
    refused(&|graph| graph["nodes"][1]["op"] = json!("conv9"), &["graph.json", "conv9"]);
    refused(&|graph| graph["nodes"][1]["kernel"]["x"] = json!(0), &["graph.json", "node `head`", "a kernel of 0"]);
    refused(&|graph| graph["nodes"][1]["kernel"]["x"] = json!(3), &["head"]);
    refused(&|graph| graph["nodes"][1]["stride"]["x"] = json!(0), &["graph.json", "node `head`", "a stride of 0"]);
    refused(&|graph| graph["nodes"][1]["groups"] = json!(2), &["graph.json", "head"]);
    refused(&|graph| graph["output"] = json!(5), &["graph.json"]);
    refused(&|graph| graph["nodes"] = json!([]), &["graph.json"]);
}

/// A card is never guessed around: each field that is wrong or disagrees with the graph is named.
#[test]
fn a_card_that_is_wrong() {
    let (folder, _) = workplace();
    let card: PathBuf = folder.path().join("model/model.json");
    let refused = |edit: &dyn Fn(&mut Value), words: &[&str]| {
        let whole = fs::read(&card).unwrap();
        edit_json(&card, |value| edit(&mut value["properties"]));
        let mut all = vec!["model.json"];
        all.extend(words);
        refused(&folder, "", 2, &all);
        fs::write(&card, whole).unwrap();
    };
    let input = |card: &mut Value, field: &str, value: Value| card["mlm:input"][0][field] = value;
    let output = |card: &mut Value, field: &str, value: Value| card["mlm:output"][0][field] = value;
    let shape = |channels: i32| json!({ "shape": [-1, channels, -1, -1], "dim_order": ["batch", "channel", "height", "width"], "data_type": "float32" });
    refused(&|card| input(card, "bands", json!(["1", "2"])), &["mlm:input[0]", "2"]);
    refused(
        &|card| {
            input(card, "bands", json!(["1", "2"]));
            input(card, "input", shape(2));
            input(card, "value_scaling", json!([{ "type": null }]));
        },
        &["mlm:input[0].bands", "expected 3 bands", "got 2"],
    );
    refused(&|card| input(card, "input", shape(4)), &["mlm:input[0].input.shape", "expected 3", "[-1, 4, -1, -1]"]);
    refused(&|card| output(card, "result", shape(4)), &["mlm:output[0].result.shape", "expected 3", "[-1, 4, -1, -1]"]);
    let class = |value: u8| json!({ "value": value, "name": format!("class_{value}") });
    refused(
        &|card| {
            output(card, "classification:classes", json!([class(1), class(3)]));
            output(card, "result", shape(2));
        },
        &["classification:classes", "expected 3 classes", "got 2"],
    );
    refused(&|card| output(card, "classification:classes", json!([class(1), class(3), class(3)])), &["classes", "3 twice"]);
    refused(&|card| output(card, "classification:classes", json!([class(1), class(3), class(255)])), &["classes", "255 twice"]);
    let scale = json!({ "type": "scale", "value": 255 });
    refused(&|card| input(card, "value_scaling", json!([scale, scale])), &["value_scaling", "one for each band", "got 2"]);
    let unknown = json!([{ "type": "histogram" }]);
    refused(&|card| input(card, "value_scaling", unknown.clone()), &["unknown variant `histogram`"]);
    refused(&|card| input(card, "value_scaling", json!([{ "type": "scale" }])), &["missing field `value`"]);
    let zero = json!([{ "type": "z-score", "mean": 1, "stddev": 0 }]);
    refused(&|card| input(card, "value_scaling", zero.clone()), &["value_scaling[0]", "divisor other than 0"]);
    refused(&|card| input(card, "pre_processing_function", json!({ "format": "python" })), &["pre_processing_function"]);
    refused(&|card| input(card, "resize_type", json!("interpolation-linear")), &["resize_type", "interpolation-linear"]);
    refused(&|card| card["swath:activation"] = Value::Null, &["swath:activation", "no such field"]);
    refused(&|card| card["swath:activation"] = json!("tanh"), &["tanh"]);
    refused(&|card| card["swath:dropped_classes"] = json!([2]), &["swath:dropped_classes", "got 2"]);
    refused(&|card| card["swath:dropped_classes"] = json!([1, 3, 5]), &["swath:dropped_classes", "all of them"]);
    refused(&|card| card["swath:gsd"] = json!({ "minimum": 0, "maximum": 1 }), &["swath:gsd", "0 to 1"]);
    refused(&|card| card["mlm:tasks"] = json!(["object-detection"]), &["mlm:tasks", "object-detection"]);
    refused(&|card| card["mlm:input"] = json!([]), &["mlm:input", "one input"]);
    assert_nothing_left(folder.path());
}
