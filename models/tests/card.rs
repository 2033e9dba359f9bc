//! Cards: what is written is read back, and what contradicts itself is refused by name.
#![expect(clippy::unwrap_used, reason = "a test may")]

use std::path::Path;

use serde_json::{Value, json};
use swath_models::{
    Builder, Class, Conv, Executor, Extent, Golden, Graph, GsdRange, Model, ModelBytes, ModelCard, Rank, Reference, Scaling,
    Scope, ScoreActivation, Shape, Tensor, VolumeInput, Weights, zoo,
};

fn class(value: u8, name: &str) -> Class {
    Class { value, name: name.into(), title: None, description: None, colour: "#0A1B2C".parse().ok() }
}

fn model() -> Model {
    let mut g = Builder::new("trial", Rank::Planar, 3);
    let input = g.input();
    let head = g.conv(input, &Scope::root("head"), Conv::square(2, 3).biased()).node();
    let graph = g.build(head).unwrap();
    let weights = zoo::random_weights(&graph, 1);
    let card = ModelCard {
        name: "trial".into(),
        architecture: "one convolution".into(),
        bands: ["red", "green", "nir"].map(String::from).to_vec(),
        scaling: vec![
            Scaling::ZScore { mean: 1.5, stddev: 2.0 },
            Scaling::MinMax { minimum: 0.0, maximum: 3000.0 },
            Scaling::Scale { value: 255.0 },
        ],
        classes: vec![class(3, "land"), class(7, "water")],
        nodata: 0,
        activation: ScoreActivation::Softmax,
        dropped: vec![7],
        gsd: Some(GsdRange { minimum: 0.5, maximum: 2.0 }),
        crf: None,
        volume: Some(VolumeInput { slices: Some(3), spacing: Some([1.5, 1.5, 3.0]), ..VolumeInput::new("SPL".parse().unwrap()) }),
    };
    Model { card, graph, weights }
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let written = model();
    written.write(folder.path()).unwrap();
    assert_eq!(Model::read(folder.path()).unwrap(), written);
    let error = written.write(folder.path()).unwrap_err().to_string();
    assert!(error.contains(&folder.path().display().to_string()), "a folder that is not empty is left alone: {error}");
}

/// Names of what lies in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_folder_is_whole_or_not_there() {
    let parent = tempfile::tempdir().unwrap();
    let (folder, model) = (parent.path().join("new/model"), model());
    let executor = Reference::new(model.graph.clone(), &model.weights).unwrap();
    let shape = Shape::planar(3, 4, 5);
    let input = Tensor::new(shape, vec![0.5; shape.elements()]).unwrap();
    let scores = executor.run(input.clone()).unwrap();
    let mut tensors = Weights::new();
    tensors.insert("input", vec![3, 4, 5], input.into_data());
    tensors.insert("output", vec![2, 4, 5], scores.into_data());
    let path = parent.path().join("made.safetensors");
    tensors.write(&path).unwrap();
    let golden = Golden::open(&path).unwrap();
    golden.check(&executor).unwrap();
    // Gone when it is to be copied, the last but one of the files.
    std::fs::remove_file(&path).unwrap();
    let error = model.write_with_golden(&folder, &golden).unwrap_err().to_string();
    assert!(error.contains("golden.safetensors"), "{error}");
    assert!(names(&parent.path().join("new")).is_empty());

    tensors.write(&path).unwrap();
    model.write_with_golden(&folder.join(""), &golden).unwrap();
    assert_eq!(names(&parent.path().join("new")), ["model"]);
    assert_eq!(names(&folder), ["golden.safetensors", "graph.json", "model.json", "weights.safetensors"]);
    Golden::read(&folder).unwrap().unwrap().check(&executor).unwrap();
}

#[test]
fn what_is_wrong_with_weights_names_their_file() {
    let folder = tempfile::tempdir().unwrap();
    model().write(folder.path()).unwrap();
    let path = folder.path().join("weights.safetensors");
    let mut weights = model().weights;
    weights.insert("tail.bias", vec![1], vec![0.0]);
    weights.write(&path).unwrap();
    let message = |path: &Path| {
        let what = "the weights hold tensors that the graph does not use: tail.bias";
        format!("cannot use the tensors of {}: {what}", path.display())
    };
    assert_eq!(chain(&Model::read(folder.path()).unwrap_err()), message(&path));
    let [card, graph, weights] = Model::files(folder.path()).map(|path| std::fs::read(path).unwrap());
    let files = ModelBytes { card: &card, graph: &graph, weights: &weights };
    let error = Model::from_bytes(Path::new("bundled"), &files).unwrap_err();
    assert_eq!(chain(&error), message(Path::new("bundled/weights.safetensors")));
    let error = chain(&Golden::open(&path).unwrap_err());
    assert_eq!(error, format!("cannot use the tensors of {}: tensor `input` is missing from the weights", path.display()));
}

/// The message for a card with one field changed.
fn refusal(change: impl FnOnce(&mut Value)) -> String {
    let folder = tempfile::tempdir().unwrap();
    model().write(folder.path()).unwrap();
    let path = folder.path().join("model.json");
    let mut card: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut card);
    std::fs::write(&path, card.to_string()).unwrap();
    chain(&Model::read(folder.path()).unwrap_err())
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or(error.to_string(), |source| format!("{error}: {}", chain(source)))
}

#[test]
fn every_contradiction_is_refused_by_the_name_of_its_field() {
    let cases = [
        ("/properties/mlm:input/0/bands", json!(["red", "green"]), "mlm:input[0].input.shape"),
        (
            "/properties/mlm:input/0/bands/2",
            json!({ "name": "ndvi", "format": "python", "expression": "x" }),
            "`ndvi`, which is computed",
        ),
        ("/properties/mlm:input/0/input/data_type", json!("uint8"), "mlm:input[0].input.data_type"),
        ("/properties/mlm:input/0/input/dim_order", json!(["batch", "height", "width", "bands"]), "mlm:input[0].input.dim_order"),
        (
            "/properties/mlm:input/0/value_scaling",
            json!([{ "type": "scale", "value": 1 }, { "type": "scale", "value": 2 }]),
            "mlm:input[0].value_scaling",
        ),
        (
            "/properties/mlm:input/0/value_scaling/1",
            json!({ "type": "processing", "format": "x", "expression": "y" }),
            "unknown variant `processing`",
        ),
        ("/properties/mlm:input/0/value_scaling/2", json!({ "type": "scale", "value": 0 }), "mlm:input[0].value_scaling[2]"),
        ("/properties/mlm:input/0/resize_type", json!("interpolation-linear"), "mlm:input[0].resize_type"),
        ("/properties/mlm:output/0/classification:classes/1/value", json!(3), "3 twice"),
        ("/properties/mlm:output/0/classification:classes/1/name", json!("open water"), "`open water`"),
        ("/properties/mlm:output/0/classification:classes/1/color_hint", json!("blue"), "expected a colour as RRGGBB"),
        ("/properties/mlm:tasks", json!(["classification"]), "mlm:tasks"),
        ("/properties/swath:activation", json!("relu"), "unknown variant `relu`"),
        ("/properties/swath:dropped_classes", json!([3, 7]), "swath:dropped_classes"),
        ("/properties/mlm:output/0/classification:classes/1/name", json!("land"), "`land` twice"),
        ("/properties/mlm:input/0/input/shape", json!([-1, 3, 512, -1]), "mlm:input[0].input.shape"),
        ("/properties/mlm:input/0/input/dim_order", json!(["batch", "bands", "width", "height"]), "mlm:input[0].input.dim_order"),
        ("/properties/mlm:output/0/result/shape", json!([-1, 2, -1, 512]), "mlm:output[0].result.shape"),
        ("/properties/mlm:output/0/result/shape", json!([-1, 1, -1, -1]), "mlm:output[0].result.shape"),
        ("/properties/mlm:output/0/result/dim_order/3", json!("depth"), "mlm:output[0].result.dim_order"),
        ("/stac_extensions", json!(["https://stac-extensions.github.io/mlm/v1.4.0/schema.json"]), "stac_extensions"),
        ("/stac_extensions", json!([]), "stac_extensions"),
    ];
    for (pointer, value, words) in cases {
        let message = refusal(|card| *card.pointer_mut(pointer).unwrap() = value);
        assert!(message.contains(words) && message.contains("model.json"), "{pointer}: {message}");
    }
    let message = refusal(|card| drop(card["properties"].as_object_mut().unwrap().remove("swath:activation")));
    assert!(message.contains("swath:activation"), "{message}");
    let message = refusal(|card| card["properties"]["swath:dropped"] = json!([7]));
    assert!(message.contains("`swath:dropped`") && message.contains("swath:dropped_classes"), "{message}");
}

#[test]
fn the_shapes_of_a_fixed_network_are_its_own_or_any() {
    let mut fixed = model();
    let (name, nodes, output) = (fixed.graph.name().to_owned(), fixed.graph.nodes().to_vec(), fixed.graph.output());
    fixed.graph = Graph::new(name, Rank::Planar, nodes, output, Some(Extent::planar(32, 48))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fixed.write(folder.path()).unwrap();
    let path = folder.path().join("model.json");
    let card: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (shape, is_right) in
        [([-1, 3, 32, 48], true), ([1, -1, -1, 48], true), ([-1, 3, 48, 32], false), ([-1, 3, 32, -2], false)]
    {
        let mut card = card.clone();
        card["properties"]["mlm:input"][0]["input"]["shape"] = json!(shape);
        std::fs::write(&path, card.to_string()).unwrap();
        assert_eq!(Model::read(folder.path()).is_ok(), is_right, "{shape:?}");
    }
}

#[test]
fn probabilities_are_not_computed_twice() {
    let mut model = model();
    model.graph = model.graph.with_activation(ScoreActivation::Softmax);
    let check = |model: &Model| model.card.check(&model.graph, Path::new("model.json"));
    let error = check(&model).unwrap_err().to_string();
    assert!(error.contains("swath:activation") && error.contains("is a softmax already, got softmax"), "{error}");
    model.card.activation = ScoreActivation::None;
    check(&model).unwrap();
}

#[test]
fn a_card_that_disagrees_with_the_graph_is_refused() {
    let mut model = model();
    // Its slices are as many as the bands.
    model.card.volume = None;
    model.card.classes.push(class(9, "ice"));
    let error = model.card.check(&model.graph, Path::new("model.json")).unwrap_err().to_string();
    assert!(error.contains("expected 2 classes") && error.contains("got 3"), "{error}");
    model.card.classes.truncate(2);
    model.card.bands.pop();
    let error = model.card.check(&model.graph, Path::new("model.json")).unwrap_err().to_string();
    assert!(error.contains("expected 3 bands") && error.contains("got 2"), "{error}");
}
