//! Keras models: the scores that Keras computes, and files that are refused by what is wrong with them.
#![expect(clippy::unwrap_used, reason = "a test may")]

#[path = "common/data.rs"]
mod data;

use std::path::{Path, PathBuf};

use swath_models::{Checkpoint, Executor as _, Extent, Reference, Shape, Tensor, Weights, keras, onnx};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/keras").join(name)
}

#[test]
fn scores_are_those_of_keras() {
    let values = Weights::read(&golden("values.safetensors")).unwrap();
    for (name, fixed_extent) in [("all_kinds", None), ("strided", Some(Extent::planar(13, 10))), ("one_layer", None)] {
        let imported = keras::read(&golden(&format!("{name}.h5"))).unwrap();
        assert_eq!(imported.graph.fixed_extent(), fixed_extent, "{name}");
        // Of 13 x 10 pixels become 16 x 12: no network to label with.
        assert_eq!(imported.graph.geometry().is_ok(), fixed_extent.is_none(), "{name}");
        let tensor = |what: &str| {
            let name = format!("{name}.{what}");
            let spec = values.specs().find(|spec| spec.name == name).unwrap();
            let [c, y, x] = spec.shape[..] else { panic!("{name}") };
            Tensor::new(Shape::planar(c, y, x), values.get(&name).unwrap().to_vec()).unwrap()
        };
        let scores = Reference::new(imported.graph, &imported.weights).unwrap().run(tensor("input")).unwrap();
        let expected = tensor("output");
        assert_eq!(scores.shape(), expected.shape(), "{name}");
        let worst = scores.data().iter().zip(expected.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-5, "{name}: {worst:e}");
    }
}

#[test]
fn chunks_other_floats_and_what_was_never_written_are_read() {
    let values = |name: &str| keras::read(&golden(name)).unwrap().weights.get("first.weight").unwrap().to_vec();
    let plain = values("one_layer.h5");
    assert_eq!(values("chunked.h5"), plain, "big-endian doubles in chunks that reach over the end");
    assert_eq!(values("latest.h5"), plain, "links and headers of the latest version");
    // Of three filters two were written, or none: the file says what the others are.
    assert_eq!(values("filled.h5"), [&plain[..54], &[1.5; 27]].concat());
    assert_eq!(values("unwritten.h5"), [1.5; 81]);
    let weights = Checkpoint::read(&golden("one_layer.h5")).unwrap().weights;
    assert_eq!(weights.get("first.weight").unwrap(), plain);
}

/// The two networks of `weights/cloud_unet` were converted to ONNX by others: both files give the same scores.
#[test]
fn the_cloud_networks_are_their_conversions() {
    let Some(folder) = data::weights() else { return };
    for name in ["landsatbiomeRGBI6", "landsatbiomeRGBISWIR7"] {
        let path = folder.join("cloud_unet").join(name);
        let keras = keras::read(&path.with_extension("hdf5")).unwrap();
        let onnx = onnx::read(&path.with_extension("onnx"), None).unwrap();
        assert_eq!(keras.passed_over, ["optimizer_weights", "training_config"]);
        assert_eq!(keras.graph.fixed_extent(), None);
        let shape = Shape::planar(keras.graph.input_channels(), 64, 96);
        // Reflectances from dark to bright, alike in all bands but for some noise: no cloud to the left, one to the right.
        let value = |place: usize| 0.02 + 0.7 * (place % 96) as f32 / 96.0 + 0.01 * (place as f32 * 0.37).sin();
        let input: Vec<f32> = (0..shape.elements()).map(value).collect();
        let run = |graph, weights| {
            let scores = Reference::new(graph, weights).unwrap().run(Tensor::new(shape, input.clone()).unwrap()).unwrap();
            scores.data().to_vec()
        };
        let (a, b) = (run(keras.graph, &keras.weights), run(onnx.graph, &onnx.weights));
        let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let spread = a.iter().copied().fold(0.0, f32::max) - a.iter().copied().fold(1.0, f32::min);
        eprintln!("{name}: Keras and ONNX differ by {worst:e} at most, over scores that spread {spread}");
        assert!(worst < 1e-5 && spread > 0.01, "{name}: {worst:e}");
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or(error.to_string(), |source| format!("{error}: {}", chain(source)))
}

fn refusal(name: &str) -> String {
    let error = chain(&keras::read(&golden(name)).unwrap_err());
    error.split_once(name).map_or_else(|| error.clone(), |(_, message)| message.to_owned())
}

#[test]
fn what_leads_elsewhere_is_refused_by_name() {
    let link = refusal("external_link.h5");
    assert!(link.ends_with("/kernel` is a link to another file, which is not followed"), "{link}");
    let link = refusal("soft_link.h5");
    assert!(link.ends_with("/kernel` is a link to another place, which is not followed"), "{link}");
    let storage = refusal("external_storage.h5");
    assert!(storage.ends_with("/kernel`: its values are in other files, which are not read"), "{storage}");
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let compressed = refusal("compressed.h5");
    assert!(compressed.ends_with("/kernel`: its values are filtered (deflate): save it without compression"), "{compressed}");
    let integers = refusal("integers.h5");
    assert!(integers.ends_with("/kernel`: expected floating point, got an integer"), "{integers}");
    let misshapen = refusal("misshapen.h5");
    assert!(
        misshapen.starts_with(": tensor `first/") && misshapen.ends_with("expected shape [3, 3, 3, 3], got [3, 3, 3, 2]"),
        "{misshapen}"
    );
    let large = refusal("ten_gigabytes.h5");
    assert!(large.ends_with("/kernel`: it claims a shape of [50000, 50000], which the file cannot hold"), "{large}");
    assert_eq!(refusal("lambda.h5"), "node `code`: operator Lambda is not supported");
    let weights = refusal("weights_only.h5");
    assert!(weights.ends_with("it has no `model_config`: save the whole model, not its weights alone"), "{weights}");
}

#[test]
fn every_part_of_a_file_is_refused() {
    for name in ["one_layer.h5", "latest.h5", "chunked.h5"] {
        let whole = std::fs::read(golden(name)).unwrap();
        keras::read_bytes(&whole, Path::new(name)).unwrap();
        for length in 0..whole.len() {
            assert!(keras::read_bytes(&whole[..length], Path::new(name)).is_err(), "{length} bytes of {name}");
        }
    }
}
