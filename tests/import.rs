//! `swath model import` of other libraries' files, and trainings that start from them, by the built binary.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod support;
#[path = "../models/tests/common/torch.rs"]
mod torch;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Pixels, noise, program, swath, utm};
use swath_models::{CrfSettings, Model, Weights, zoo};
use tempfile::TempDir;
use torch::{Pickle, archive};

/// What every import needs to be told.
const FLAGS: &str =
    "--network fcn_small --bands red,green,blue --scaling scale:255 --classes land,water --scores logits --output model";

/// A recipe that starts from `weights.ckpt`.
const RECIPE: &str = r#"
output = "out"
epochs = 1
batch = 2

[model]
network = "fcn_small"
weights = "weights.ckpt"
# model

[[classes]]
name = "a"
values = [0]

[[classes]]
name = "b"
values = [1]

[[scenes]]
image = "scene.tif"
labels = "labels.tif"

[validation]
windows = [{ scene = "scene", x = 48, y = 48, width = 48, height = 48 }]
tile = 64

[sampling]
crop = 32
samples = 8

[[loss]]
kind = "cross_entropy"

[optimizer]
kind = "adamw"

[schedule]
rate = 1e-3
"#;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/tests/golden").join(name)
}

/// Writes a checkpoint as Lightning does: the weights within `state_dict`, `prefix` before their names, and what else there is.
fn write_checkpoint(path: &Path, weights: &Weights, prefix: &str) {
    let mut pickle = Pickle::new().raw(b"}(").text("epoch").int(3).text("state_dict").raw(b"}(");
    let mut storages = Vec::new();
    for (index, spec) in weights.specs().enumerate() {
        let key = index.to_string();
        let bytes: Vec<u8> = weights.get(&spec.name).unwrap().iter().flat_map(|value| value.to_le_bytes()).collect();
        pickle = pickle.text(&format!("{prefix}{}", spec.name)).dense(&key, &spec.shape);
        storages.push((key, bytes));
    }
    pickle = pickle.text(&format!("{prefix}stem.1.num_batches_tracked")).tensor("Long", "no", 1, &[], &[]);
    pickle = pickle.text("criterion.weight").dense("no", &[2]);
    let storages: Vec<(&str, Vec<u8>)> = storages.iter().map(|(key, bytes)| (key.as_str(), bytes.clone())).collect();
    let storages = [storages, vec![("no", vec![0; 8])]].concat();
    fs::write(path, archive(pickle.raw(b"uu").end(), &storages)).unwrap();
}

/// A folder with `weights.ckpt` of `fcn_small` for three bands and so many classes, and these weights.
fn workplace(classes: usize) -> (TempDir, Weights) {
    let folder = TempDir::new().unwrap();
    let weights = zoo::random_weights(&zoo::build("fcn_small", 3, classes).unwrap(), 7);
    write_checkpoint(&folder.path().join("weights.ckpt"), &weights, "model.");
    (folder, weights)
}

#[test]
fn weights_become_a_model_and_what_was_changed_is_told() {
    let (folder, weights) = workplace(2);
    let run = swath(folder.path(), &format!("model import weights.ckpt {FLAGS}")).succeeds();
    assert_eq!(run.stdout, "model\n");
    for change in ["passed over `epoch`", "the weights are those of `state_dict`", "without `model.`", "passed over `criterion.`"]
    {
        assert!(run.stderr.contains(change), "{change}: {}", run.stderr);
    }
    let model = Model::read(&folder.path().join("model")).unwrap();
    assert_eq!(model.weights, weights);
    assert_eq!(model.graph, zoo::build("fcn_small", 3, 2).unwrap());
    swath(folder.path(), "model check model").succeeds();
}

#[test]
fn bands_are_adapted_only_when_asked() {
    let (folder, weights) = workplace(2);
    let four = FLAGS.replace("blue", "blue,nir");
    let refused = swath(folder.path(), &format!("model import weights.ckpt {four}"));
    refused.fails(2, &["weights.ckpt", "tensor `stem.0.weight`: expected weights for 4 bands, got 3", "hint: --adapt-bands"]);
    assert!(!folder.path().join("model").exists());
    let run = swath(folder.path(), &format!("model import weights.ckpt {four} --adapt-bands zero")).succeeds();
    assert!(run.stderr.contains("`stem.0.weight` adapted from 3 bands to 4: zeros for further ones"), "{}", run.stderr);
    let adapted = Model::read(&folder.path().join("model")).unwrap().weights;
    let (old, new) = (weights.get("stem.0.weight").unwrap(), adapted.get("stem.0.weight").unwrap());
    for (old, new) in old.chunks(27).zip(new.chunks(36)) {
        assert!(old == &new[..27] && new[27..] == [0.0; 9]);
    }
}

#[test]
fn a_crf_is_asked_for_in_the_card() {
    let (folder, _) = workplace(2);
    let import = |more: &str| swath(folder.path(), &format!("model import weights.ckpt {FLAGS} {more}"));
    import("--crf iterations=0").fails(2, &["expected 1 to 1000 for iterations, got 0"]);
    import("--crf bands=red+nir").fails(2, &["(red, green, blue)", "got `nir`", "hint: "]);
    import("--crf off").fails(2, &["--crf", "expected NAME=VALUE"]);
    assert!(!folder.path().join("model").exists());
    import("--crf iterations=5,appearance-width=30,bands=red+blue").succeeds();
    let bands = Some(vec!["red".to_owned(), "blue".to_owned()]);
    let crf = CrfSettings { iterations: Some(5), appearance_width: Some(30.0), bands, ..CrfSettings::default() };
    assert_eq!(Model::read(&folder.path().join("model")).unwrap().card.crf, Some(crf));
    Pixels::new(64, 64, 3, noise).write(&folder.path().join("scene.tif"), &[], utm);
    swath(folder.path(), "segment scene.tif --model model --bands 1,2,3 --output labels.tif --threads 1 --max-memory 1GiB")
        .succeeds();
    let item: Value = serde_json::from_slice(&fs::read(folder.path().join("labels.json")).unwrap()).unwrap();
    assert_eq!(item["properties"]["swath:parameters"]["crf"]["appearance"]["bands"], json!(["red", "blue"]));
}

#[test]
fn the_files_head_says_how_many_classes_there_are() {
    let (folder, _) = workplace(5);
    let refused = swath(folder.path(), &format!("model import weights.ckpt {FLAGS}"));
    refused.fails(2, &["--classes: expected the 5 that the file's network scores, got 2"]);
    // One output scores the second of two classes.
    let (folder, weights) = workplace(1);
    swath(folder.path(), &format!("model import weights.ckpt {FLAGS}")).succeeds();
    assert_eq!(Model::read(&folder.path().join("model")).unwrap().weights, weights);
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    let (folder, mut weights) = workplace(2);
    let import = |flags: &str| swath(folder.path(), &format!("model import weights.ckpt {flags}"));
    import(&FLAGS.replace("--network fcn_small ", "")).fails(2, &["--network", "holds weights without a network", "fcn_small"]);
    import(&FLAGS.replace("fcn_small", "fcn_large")).fails(2, &["no network is called `fcn_large`"]);
    import(&format!("{FLAGS} --head out")).fails(2, &["--head"]);
    import(&FLAGS.replace("fcn_small", "unet")).fails(2, &["tensor `", "` is missing from the weights"]);
    weights.insert("extra.weight", vec![1], vec![0.0]);
    write_checkpoint(&folder.path().join("weights.ckpt"), &weights, "");
    import(FLAGS).fails(2, &["the weights hold tensors that the graph does not use: extra.weight"]);
    let system = Pickle::new().global("os", "system").raw(b"(").text("touch hurt").raw(b"tR").end();
    fs::write(folder.path().join("weights.ckpt"), archive(system, &[])).unwrap();
    import(FLAGS).fails(2, &["weights.ckpt: expected tensors and plain containers, got `os.system`, which is not run", "hint: "]);
    assert!(!folder.path().join("hurt").exists() && !folder.path().join("model").exists());
    fs::write(folder.path().join("weights.ckpt"), "<html>").unwrap();
    import(FLAGS).fails(2, &["weights.ckpt: expected ONNX, safetensors, a PyTorch state_dict", "got something else"]);
}

#[test]
fn keras_models_bring_their_network() {
    let folder = TempDir::new().unwrap();
    let import = |name: &str, flags: &str| {
        let mut command = program(folder.path());
        support::run(command.args(["model", "import"]).arg(golden("keras").join(name)).args(flags.split_whitespace()))
    };
    let flags = "--bands 1,2,3 --scaling none --classes a,b,c,d --scores probabilities --output model";
    import("all_kinds.h5", flags).succeeds();
    swath(folder.path(), "model check model").succeeds();
    import("all_kinds.h5", &format!("{flags} --network unet")).fails(2, &["--network", "has a network of its own"]);
    import("external_link.h5", flags).fails(2, &["is a link to another file, which is not followed"]);
    import("lambda.h5", flags).fails(2, &["node `code`: operator Lambda is not supported"]);
}

#[test]
fn a_training_starts_from_them() {
    let (folder, _) = workplace(2);
    Pixels::new(96, 96, 4, noise).write(&folder.path().join("scene.tif"), &["PHOTOMETRIC=MINISBLACK", "ALPHA=NO"], utm);
    Pixels::new(96, 96, 1, |_, x, _| u8::from(x % 32 > 12)).write(&folder.path().join("labels.tif"), &[], utm);
    let recipe = |model: &str| {
        let recipe = RECIPE.replace("# model\n", model);
        fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
        swath(folder.path(), "train recipe.toml --dry-run --threads 1 --max-memory 1GiB").succeeds()
    };
    let run = recipe("");
    assert!(run.stderr.contains("stem.0.weight [16, 3, 3, 3] instead of [16, 4, 3, 3]"), "{}", run.stderr);
    assert!(run.stderr.contains("weights: renamed, without `model.`"), "{}", run.stderr);
    let run = recipe("adapt_bands = \"mean\"\n");
    assert!(run.stderr.contains("`stem.0.weight` adapted from 3 bands to 4: the mean for each"), "{}", run.stderr);
    assert!(!run.stderr.contains("in another shape"), "{}", run.stderr);
}
