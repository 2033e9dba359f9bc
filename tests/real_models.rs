//! Trained networks on real scenes and other people's ONNX files, through the program, against ONNX Runtime.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]
#![expect(clippy::float_cmp, reason = "labels are whole numbers, read as floats")]
#![expect(clippy::print_stderr, reason = "what is measured, and what is not, is part of the result")]

mod common;
mod real_data;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{Raster, difference};
use swath_models::Weights;
use swath_tiling::{Size, Window};
use tempfile::TempDir;

/// What two implementations of a deep network may differ by.
const TOLERANCE: f32 = 1e-4;

fn swath<S: AsRef<OsStr>>(args: &[S]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_swath")).args(args).env_remove("RUST_LOG").output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A model folder, and what is made with it.
struct Model {
    folder: TempDir,
}

impl Model {
    fn try_import(onnx: &Path, flags: &str) -> Result<Self, String> {
        let folder = TempDir::new().unwrap();
        let model = folder.path().join("model");
        let mut args: Vec<&OsStr> = vec!["model".as_ref(), "import".as_ref(), onnx.as_ref(), "--output".as_ref(), model.as_ref()];
        args.extend(flags.split(' ').map(OsStr::new));
        let output = swath(&args);
        if output.status.success() { Ok(Self { folder }) } else { Err(stderr(&output)) }
    }

    fn import(onnx: &Path, flags: &str) -> Self {
        Self::try_import(onnx, flags).unwrap_or_else(|error| panic!("{}: {error}", onnx.display()))
    }

    /// Labels a scene.
    fn segment(&self, scene: &Path, flags: &str) -> Labelled {
        let [model, labels, probabilities] =
            ["model", "labels.tif", "probabilities.tif"].map(|name| self.folder.path().join(name));
        let mut args: Vec<&OsStr> = vec!["segment".as_ref(), scene.as_ref(), "--model".as_ref(), model.as_ref()];
        args.extend::<[&OsStr; 4]>(["--output".as_ref(), labels.as_ref(), "--probabilities".as_ref(), probabilities.as_ref()]);
        args.extend(
            "--overwrite --max-memory 4GiB".split(' ').chain(flags.split(' ').filter(|flag| !flag.is_empty())).map(OsStr::new),
        );
        let output = swath(&args);
        assert!(output.status.success(), "{}", stderr(&output));
        Labelled { labels: Raster::read(&labels), probabilities: Raster::read(&probabilities) }
    }
}

struct Labelled {
    labels: Raster,
    probabilities: Raster,
}

impl Labelled {
    /// Holds the probability of the second of two classes against what ONNX Runtime gave for the whole scene.
    fn check(&self, reference: &[f32], what: &str) {
        let worst = difference(&self.probabilities.bands[1], reference);
        eprintln!("{what}: probabilities differ by {worst:e} at most");
        assert!(worst <= TOLERANCE, "{what}: probabilities differ by {worst:e}");
        let foreground = self.labels.bands[0].iter().map(|label| *label == 1.0);
        let disagree = foreground.zip(reference).filter(|(label, p)| *label != (**p > 0.5) && (**p - 0.5).abs() > TOLERANCE);
        assert_eq!(disagree.count(), 0, "{what}: labels that are not the more probable class");
    }

    /// How well the labels agree with the truth about a class.
    fn agreement(&self, truth: &[bool]) -> Agreement {
        let pairs = self.labels.bands[0].iter().map(|label| *label == 1.0).zip(truth);
        let count = |wanted: fn((bool, bool)) -> bool| pairs.clone().filter(|(a, b)| wanted((*a, **b))).count() as f64;
        Agreement { accuracy: count(|(a, b)| a == b) / truth.len() as f64, iou: count(|(a, b)| a && b) / count(|(a, b)| a || b) }
    }
}

/// Agreement of two masks.
#[derive(Debug)]
struct Agreement {
    accuracy: f64,
    iou: f64,
}

impl Agreement {
    fn check(&self, accuracy: f64, iou: f64) {
        eprintln!("{self:?}");
        assert!((self.accuracy - accuracy).abs() < 5e-5 && (self.iou - iou).abs() < 5e-5, "{self:?}");
    }
}

/// The pixels of a window in a plane of `width` columns.
fn cut(plane: &[f32], width: usize, window: Window) -> Vec<f32> {
    let rows = (window.y..window.y + window.height).map(|y| y * width + window.x);
    rows.flat_map(|start| plane[start..start + window.width].iter().copied()).collect()
}

#[test]
fn clouds_are_those_of_onnx_runtime() {
    let Some(data) = real_data::folder() else { return };
    let cloud = data.join("cloud");
    let onnx = data.join("weights/cloud_unet/landsatbiomeRGBISWIR7.onnx");
    let model = Model::import(
        &onnx,
        "--bands blue,green,red,nir,swir16,swir22 --scaling none --classes clear,cloud=FFFFFF --scores probabilities",
    );
    // The scene's bands have no names: they are given by number.
    let labelled = model.segment(&cloud.join("sentinel2_toa_6band.tif"), "--bands 1,2,3,4,5,6 --tile 256 --blend crop");
    let reference = Raster::read(&cloud.join("sentinel2_prob_ref_onnxruntime.tif"));
    labelled.check(&reference.bands[0], "cloud U-Net, tiles of 256");
    let truth: Vec<bool> = Raster::read(&cloud.join("sentinel2_label.tif")).bands[0].iter().map(|label| *label == 4.0).collect();
    labelled.agreement(&truth).check(0.9644, 0.8323);
}

#[test]
fn clouds_of_the_keras_files_are_those_of_onnx_runtime() {
    let Some(data) = real_data::folder() else { return };
    let (cloud, weights) = (data.join("cloud"), data.join("weights/cloud_unet"));
    let flags = "--scaling none --classes clear,cloud=FFFFFF --scores probabilities";
    let bands = "--bands blue,green,red,nir,swir16,swir22";
    let model = Model::import(&weights.join("landsatbiomeRGBISWIR7.hdf5"), &format!("{bands} {flags}"));
    let scene = cloud.join("sentinel2_toa_6band.tif");
    let labelled = model.segment(&scene, "--bands 1,2,3,4,5,6 --tile 256 --blend crop");
    let reference = Raster::read(&cloud.join("sentinel2_prob_ref_onnxruntime.tif"));
    labelled.check(&reference.bands[0], "cloud U-Net from Keras, tiles of 256");
    let truth: Vec<bool> = Raster::read(&cloud.join("sentinel2_label.tif")).bands[0].iter().map(|label| *label == 4.0).collect();
    labelled.agreement(&truth).check(0.9644, 0.8323);

    // The other network has no reference of its own: that of its conversion.
    let bands = "--bands blue,green,red,nir";
    let segment = |file: &str| {
        let model = Model::import(&weights.join(file), &format!("{bands} {flags}"));
        model.segment(&scene, "--bands 1,2,3,4 --tile 256 --blend crop").probabilities
    };
    let (keras, onnx) = (segment("landsatbiomeRGBI6.hdf5"), segment("landsatbiomeRGBI6.onnx"));
    let worst = difference(&keras.bands[1], &onnx.bands[1]);
    eprintln!("cloud U-Net of four bands: Keras and ONNX differ by {worst:e} at most");
    assert!(worst <= 1e-5, "{worst:e}");
}

/// A network of `weights/buildings` and its scores in that folder's README.
fn buildings(data: &Path, name: &str, accuracy: f64, iou: f64, small: &str, window: Window) {
    let folder = data.join("weights/buildings");
    let scaling =
        "--scaling z-score:125.926395,52.933155 --scaling z-score:125.31567,45.286725 --scaling z-score:101.34108,47.96244";
    let flags = format!("--bands red,green,blue {scaling} --classes background,building=CC3322 --scores logits");
    let model = Model::import(&folder.join(format!("{name}.onnx")), &flags);
    let scene = folder.join("val_rgb.tif");
    let reference = Raster::read(&folder.join(format!("{name}_val_prob.tif")));
    let labelled = model.segment(&scene, "--tile 1024 --blend crop");
    labelled.check(&reference.bands[0], &format!("{name}, tiles of 1024"));
    let truth: Vec<bool> = Raster::read(&folder.join("val_mask.tif")).bands[0].iter().map(|mask| *mask == 1.0).collect();
    labelled.agreement(&truth).check(accuracy, iou);

    let Window { x, y, width, height, .. } = window;
    let part = model.segment(&scene, &format!("--tile {small} --blend crop --window {x},{y},{width},{height}"));
    part.check(&cut(&reference.bands[0], reference.size.width, window), &format!("{name}, tiles of {small}, {window}"));
}

#[test]
fn buildings_of_the_fcn_are_those_of_onnx_runtime() {
    let Some(data) = real_data::folder() else { return };
    buildings(&data, "fcn_resnet18", 0.8661, 0.7358, "832", Window::plane(0, 0, 1024, 1280));
}

#[test]
fn buildings_of_the_unet_are_those_of_onnx_runtime() {
    let Some(data) = real_data::folder() else { return };
    buildings(&data, "unet", 0.8687, 0.7404, "512", Window::plane(201, 611, 400, 301));
}

/// What becomes of a model of `weights/deepness_dummy`.
enum Outcome {
    /// It scores so many classes.
    Gives(usize),
    /// It is refused, and why.
    Refused(&'static str),
}

use Outcome::{Gives, Refused};

const DIVISION: &str = "node `Div_23` (Div): divides by values computed from the network's input";
const HEADS: &str = "expected one output or the name of one, got `output`, `output2`";

/// Model, output if one has to be chosen, and what becomes of it.
const DUMMIES: [(&str, Option<&str>, Outcome); 26] = [
    (
        "dummy_recognition_model",
        None,
        Refused("node `/ReduceSum` (ReduceSum): expected a sum over the axis before the batch with keepdims=0"),
    ),
    ("dummy_superresolution_model", None, Refused("the output has 2/1 pixels per input pixel, expected 1")),
    ("one_output_sigmoid_red_detector", None, Gives(1)),
    ("dummy_regression_models/dummy_regression_model", None, Refused(DIVISION)),
    ("dummy_regression_models/dummy_regression_model_batched", None, Refused(DIVISION)),
    ("dummy_regression_models/one_output_sigmoid_bsx1x512x512", None, Gives(1)),
    ("dummy_regression_models/one_output_sigmoid_bsx512x512", None, Gives(1)),
    ("dummy_regression_models/two_outputs_sigmoid_bsx1x512x512", None, Refused(HEADS)),
    ("dummy_regression_models/two_outputs_sigmoid_bsx1x512x512", Some("output"), Gives(1)),
    ("dummy_regression_models/two_outputs_sigmoid_bsx1x512x512", Some("output2"), Gives(1)),
    ("dummy_regression_models/two_outputs_sigmoid_bsx512x512", None, Refused(HEADS)),
    ("dummy_regression_models/two_outputs_sigmoid_bsx512x512", Some("output"), Gives(1)),
    ("dummy_regression_models/two_outputs_sigmoid_bsx512x512", Some("output2"), Gives(1)),
    ("dummy_segmentation_models/different_output_size_512_to_484", None, Gives(2)),
    ("dummy_segmentation_models/dummy_model", None, Gives(3)),
    ("dummy_segmentation_models/one_output_sigmoid_bsx1x512x512", None, Gives(1)),
    ("dummy_segmentation_models/one_output_sigmoid_bsx512x512", None, Gives(1)),
    ("dummy_segmentation_models/one_output_softmax_bsx2x512x512", None, Gives(2)),
    ("dummy_segmentation_models/two_outputs_sigmoid_bsx1x512x512", None, Refused(HEADS)),
    ("dummy_segmentation_models/two_outputs_sigmoid_bsx1x512x512", Some("output"), Gives(1)),
    ("dummy_segmentation_models/two_outputs_sigmoid_bsx1x512x512", Some("output2"), Gives(1)),
    ("dummy_segmentation_models/two_outputs_sigmoid_bsx512x512", None, Refused(HEADS)),
    ("dummy_segmentation_models/two_outputs_sigmoid_bsx512x512", Some("output"), Gives(1)),
    ("dummy_segmentation_models/two_outputs_sigmoid_bsx512x512", Some("output2"), Gives(1)),
    ("dummy_segmentation_models/two_outputs_softmax_bsx2x512x512", Some("output"), Gives(2)),
    ("dummy_segmentation_models/two_outputs_softmax_bsx2x512x512", Some("output2"), Gives(2)),
];

/// A scene that takes several tiles of 512, and one that is smaller than a tile.
const SCENES: [(&str, Size); 2] =
    [("large", Size { depth: 1, height: 600, width: 700 }), ("small", Size { depth: 1, height: 300, width: 200 })];

/// Positions along one axis at which `golden/make_dummies.py` keeps scores.
fn lattice(length: usize) -> Vec<usize> {
    let ends = [length - 15, length - 2, length - 1];
    let inner = [0, 1, 13, 14, 97, 187, 188, 255, 256, 483, 484, 498, 511, 512, 585];
    let mut all: Vec<usize> = inner.into_iter().chain(ends).filter(|position| *position < length).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn every_dummy_of_deepness_is_labelled_right_or_refused() {
    let Some(data) = real_data::folder() else { return };
    let golden = Weights::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/dummies.safetensors")).unwrap();
    let files: usize = ["", "dummy_regression_models", "dummy_segmentation_models"]
        .iter()
        .flat_map(|part| fs::read_dir(data.join("weights/deepness_dummy").join(part)).unwrap())
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "onnx"))
        .count();
    let names: BTreeSet<&str> = DUMMIES.iter().map(|(name, ..)| *name).collect();
    assert_eq!((files, names.len()), (17, 17));
    let folder = TempDir::new().unwrap();
    for (name, size) in SCENES {
        Raster::noise(3, size).write(&folder.path().join(format!("{name}.tif")), None);
    }
    for (name, head, outcome) in &DUMMIES {
        let onnx = data.join("weights/deepness_dummy").join(format!("{name}.onnx"));
        let classes = if let Gives(3) = outcome { "a,b,c" } else { "a,b" };
        let head_flag = head.map_or(String::new(), |head| format!(" --head {head}"));
        let flags = format!("--bands 1,2,3 --scaling none --classes {classes} --scores probabilities{head_flag}");
        match (Model::try_import(&onnx, &flags), outcome) {
            (Err(error), Refused(reason)) => assert!(error.contains(reason), "{name}: {error}"),
            (Ok(_), Refused(_)) => panic!("{name} was imported"),
            (Err(error), Gives(_)) => panic!("{name}: {error}"),
            (Ok(model), Gives(channels)) => {
                for (scene, size) in SCENES {
                    let labelled = model.segment(&folder.path().join(format!("{scene}.tif")), "");
                    let expected = golden.get(&format!("{name}.{}.{scene}", head.unwrap_or("output"))).unwrap();
                    check_dummy(&labelled, size, *channels, expected, &format!("{name} {head:?} on the {scene} scene"));
                }
            }
        }
    }
}

/// Holds probabilities and labels against golden scores `(channels, rows, columns)` at the lattice.
fn check_dummy(labelled: &Labelled, size: Size, channels: usize, expected: &[f32], what: &str) {
    assert_eq!((labelled.labels.size, labelled.probabilities.size), (size, size), "{what}");
    let places: Vec<usize> =
        lattice(size.height).iter().flat_map(|y| lattice(size.width).into_iter().map(move |x| y * size.width + x)).collect();
    let at = |plane: &Vec<f32>| -> Vec<f32> { places.iter().map(|place| plane[*place]).collect() };
    // One score is the probability of the second of two classes.
    let first = labelled.probabilities.bands.len() - channels;
    let scores: Vec<f32> = labelled.probabilities.bands[first..].iter().flat_map(at).collect();
    let worst = difference(&scores, expected);
    assert!(worst <= 1e-5, "{what}: {worst:e}");
    for (place, label) in at(&labelled.labels.bands[0]).into_iter().enumerate() {
        let probabilities: Vec<f32> = labelled.probabilities.bands.iter().map(|plane| plane[places[place]]).collect();
        let most = probabilities.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert_eq!(probabilities.iter().position(|p| *p == most), Some(label as usize), "{what}: {probabilities:?}");
    }
}
