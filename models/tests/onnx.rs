//! ONNX files of other people, small models for each form of an operator (`golden/make_onnx.py`), and what must be refused.
#![expect(clippy::unwrap_used, reason = "a golden file that cannot be read fails the test")]

mod common;

use std::fs;

use common::onnx::{Case, cases, golden, models};
use swath_models::onnx::{self, Imported};
use swath_models::{Axes, Error, Executor, Extent, Op, Reference, Resize, ResizeTo, Shape};

#[test]
fn every_form_of_an_operator_gives_the_shape_of_onnx_runtime() {
    let cases = cases();
    assert!(cases.len() > 80, "{} models", cases.len());
    for Case { name, imported, input, output } in cases {
        let graph = &imported.graph;
        imported.weights.check(graph).unwrap_or_else(|e| panic!("{name}: {e}"));
        let shape = graph.output_shape(input.shape().extent).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(shape, output.shape(), "{name}");
        assert_eq!((graph.name(), imported.input_name.as_str()), (name.as_str(), "x"));
    }
}

/// Far above what the order of a sum changes, far below what another formula would.
const TOLERANCE: f32 = 1e-5;

#[test]
fn every_form_of_an_operator_gives_the_values_of_onnx_runtime() {
    for Case { name, imported, input, output } in cases() {
        let executor = Reference::new(imported.graph, &imported.weights).unwrap_or_else(|e| panic!("{name}: {e}"));
        let scores = executor.run(input).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(scores.shape(), output.shape(), "{name}");
        for (index, (got, expected)) in scores.data().iter().zip(output.data()).enumerate() {
            let close = (got - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
            assert!(close, "{name}: expected {expected} at element {index} of {}, got {got}", output.shape());
        }
    }
}

fn import(name: &str) -> Imported {
    onnx::read(&golden().join(format!("{name}.onnx")), None).unwrap()
}

fn resizes(imported: &Imported) -> Vec<ResizeTo> {
    let resize = |op: &Op| match op {
        Op::Resize(Resize { to, .. }) => Some(*to),
        _ => None,
    };
    imported.graph.nodes().iter().filter_map(|n| resize(&n.op)).collect()
}

#[test]
fn a_network_of_pytorch_stays_free_of_extent() {
    for name in ["pytorch_fpn_11", "pytorch_fpn_17"] {
        let imported = import(name);
        assert_eq!(imported.graph.fixed_extent(), None);
        let twice = ResizeTo::Factor { factor: Axes { z: 1.0, y: 2.0, x: 2.0 } };
        assert_eq!(resizes(&imported), [ResizeTo::Like, ResizeTo::Like, twice, ResizeTo::Like], "{name}");
        for (y, x) in [(16, 16), (23, 41), (64, 17)] {
            assert_eq!(imported.graph.output_shape(Extent::planar(y, x)).unwrap(), Shape::planar(2, y, x));
        }
    }
}

#[test]
fn shape_arithmetic_becomes_factors() {
    let factor = |y, x| ResizeTo::Factor { factor: Axes { z: 1.0, y, x } };
    assert_eq!(resizes(&import("resize_by_half")), [factor(0.5, 0.5)]);
    assert_eq!(resizes(&import("resize_channels_last")), [factor(2.0, 2.0)]);
    assert_eq!(resizes(&import("upsample_9_scales_from_shapes")), [factor(2.0, 2.0)]);
    assert_eq!(resizes(&import("resize_fixed_sizes")), [ResizeTo::Extent { extent: Extent::planar(11, 13) }]);
    assert_eq!(resizes(&import("resize_like")), [ResizeTo::Like]);
}

#[test]
fn layout_costs_no_nodes() {
    for (name, labels) in [
        ("softmax_11_transposed", &["input", "softmax"][..]),
        ("dropout_identity_cast", &["input"]),
        ("channels_last", &["input", "affine", "conv", "affine", "softmax"]),
        ("metadata_and_dead_nodes", &["input", "relu"]),
        ("gather_scalar", &["input", "channels"]),
        ("split_num_outputs", &["input", "channels"]),
    ] {
        let found: Vec<&str> = import(name).graph.nodes().iter().map(|n| n.op.label()).collect();
        assert_eq!(found, labels, "{name}");
    }
}

#[test]
fn names_come_from_the_file() {
    let imported = import("conv_no_bias_unnamed");
    assert_eq!(imported.graph.nodes()[1].name, "Conv_0");
    assert_eq!(imported.weights.specs().map(|s| s.name).collect::<Vec<_>>(), ["Conv_0.weight"]);
    assert_eq!(import("pytorch_fpn_17").graph.nodes()[1].name, "stem.stem.0.Conv");
    let metadata = import("metadata_and_dead_nodes").metadata;
    assert_eq!(metadata.into_iter().collect::<Vec<_>>(), [("class_names".to_owned(), "a, b".to_owned())]);
}

/// What each model of `golden/onnx/refused` must say.
const REFUSED: [(&str, &str); 41] = [
    ("batch_of_two", "not a network that labels every pixel: input `x`: expected a batch that is free or 1, got 2"),
    ("casts_to_integers", "node `/cast/0` (Cast): casts scores to U8"),
    (
        "constant_adds_channels",
        "node `/add/0` (Add): expected one value per channel of 1 channels in (batch, channel, height, width), got shape [3, 1, 1]",
    ),
    (
        "constant_image",
        "node `/add/0` (Add): expected one value per channel of 3 channels in (batch, channel, height, width), got shape [1, 3, 5, 7]",
    ),
    ("conv_channels", "node `/conv/0` (Conv): expected a weight with 3 channels on axis 1, got shape [2, 4, 1, 1]"),
    (
        "conv_transposed_space",
        "node `/conv/1` (Conv): expected axes (batch, channel, height, width), got (batch, channel, width, height)",
    ),
    ("crop", "node `/slice/0` (Slice): crops axis 2 of (batch, channel, height, width)"),
    ("divides_by_zero", "tensor `div.0.weight` holds inf at element 0"),
    ("divides_tensors", "node `/div/1` (Div): divides by values computed from the network's input"),
    (
        "external_outside",
        "not a network that labels every pixel: tensor `w`: its values are outside the model's folder, in ../store_external.bin",
    ),
    ("groups_left", "node `/relu/1` (Relu): input 0 has its channels in groups"),
    (
        "half_fixed",
        "not a network that labels every pixel: input `x`: expected all spatial axes to be free, or none, got [Some(7), None]",
    ),
    (
        "mean_over_channels",
        "node `/reducemean/0` (ReduceMean): expected means over all of space with keepdims=1, of (batch, channel, height, width)",
    ),
    ("nan_weight", "tensor `mul.0.weight` holds NaN at element 0"),
    ("old_opset", "not a network that labels every pixel: expected version 7 of ONNX's operators or later, got 6"),
    ("other_domain", "node `/gelu/0`: operator com.microsoft.Gelu is not supported"),
    (
        "output_transposed_space",
        "not a network that labels every pixel: output `v0` has its axes as (batch, channel, width, height)",
    ),
    ("pad_channels", "node `/pad/0` (Pad): expected pads of spatial axes only, got others of (batch, channel, height, width)"),
    ("pad_negative", "node `/pad/0` (Pad): pads: expected values within 0..=16777216, got [-1, 0, 0, 0]"),
    ("pool_ceil_beyond", "node `/maxpool/0` (MaxPool): ceil_mode where a window may begin beyond the input"),
    ("pool_dilated", "node `/maxpool/0` (MaxPool): dilated windows"),
    ("pool_indices", "node `/cast/1` (Cast): input 0 holds indices of a MaxPool, which only MaxUnpool takes"),
    (
        "reshape_flattens",
        "node `/reshape/0` (Reshape): expected a shape that only drops or adds axes of length 1 of (batch, channel, height, width)",
    ),
    ("resize_channels", "node `/resize/0` (Resize): resizes batch or channels"),
    ("resize_cubic", "node `/resize/0` (Resize): mode cubic"),
    ("resize_fraction", "node `/resize/0` (Resize): scale 0.5 does not give a whole length for every input"),
    ("resize_free_to_constant", "node `/resize/0` (Resize): resizes an input of free extent to a fixed one, [16.0, 16.0]"),
    (
        "resize_pytorch_to_one",
        "node `/resize/0` (Resize): coordinate_transformation_mode pytorch_half_pixel, which takes the first of 4 positions for a length of 1, expected their middle",
    ),
    ("resize_shape_plus_one", "node `/add/1` (Add): arithmetic on shapes that is not supported"),
    ("same_strided_free", "node `/conv/0` (Conv): auto_pad with a stride depends on the input's extent, which is free"),
    ("several_outputs", "not a network that labels every pixel: expected one output or the name of one, got `v0`, `v1`"),
    (
        "softmax_11_flattens",
        "node `/softmax/0` (Softmax): expected a softmax over the channels, got axis 1 of (batch, channel, height, width)",
    ),
    (
        "softmax_over_width",
        "node `/softmax/0` (Softmax): expected a softmax over the channels, got axis -1 of (batch, channel, height, width)",
    ),
    ("stack_left", "node `/relu/1` (Relu): input 0 has an axis before the batch"),
    ("two_axes", "not a network that labels every pixel: input `x`: expected 4 axes (an image) or 5 (a volume), got 2"),
    ("unknown_operator", "node `v0`: operator LogSoftmax is not supported"),
    ("unpool_free", "node `/maxunpool/1` (MaxUnpool): without output_shape, for an input of free extent"),
    (
        "unpool_not_covered",
        "node `/maxunpool/1` (MaxUnpool): without output_shape, for an extent that the windows of the MaxPool do not cover",
    ),
    ("unpool_other_window", "node `/maxunpool/1` (MaxUnpool): expected the windows of the MaxPool whose indices these are"),
    ("unpool_overlapping", "node `/maxunpool/1` (MaxUnpool): undoes a MaxPool with padding or with windows that overlap"),
    ("unpool_without_indices", "node `/maxunpool/0` (MaxUnpool): expected the indices of a MaxPool as input 1"),
];

#[test]
fn what_a_graph_cannot_express_is_refused() {
    let paths = models(&golden().join("refused"));
    let names: Vec<&str> = paths.iter().map(|p| p.file_stem().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, REFUSED.map(|(name, _)| name));
    for (path, (name, expected)) in paths.iter().zip(REFUSED) {
        match onnx::read(path, None) {
            Err(error) => assert_eq!(error.to_string(), expected, "{name}"),
            Ok(_) => panic!("{name} was imported"),
        }
    }
}

#[test]
fn damaged_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        onnx::read(&path, None).unwrap_err()
    };
    assert!(matches!(read(b""), Error::Empty { .. }));
    assert!(matches!(read(b"\x89PNG\r\n\x1a\n"), Error::Protobuf { .. }));
    assert!(read(b"\x08\x08").to_string().contains("holds no graph"));
    let whole = fs::read(golden().join("pytorch_fpn_17.onnx")).unwrap();
    for end in (1..whole.len()).step_by(97) {
        read(&whole[..end]);
    }
    assert!(matches!(onnx::read(&folder.path().join("none.onnx"), None), Err(Error::Read { .. })));
}

/// Any answer will do, but there must be one.
#[test]
fn damaged_bytes_do_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    for model in models(&golden()) {
        let mut bytes = fs::read(model).unwrap();
        for at in (0..bytes.len()).step_by(5) {
            bytes[at] ^= 0xff;
            fs::write(&path, &bytes).unwrap();
            let _ = onnx::read(&path, None);
            bytes[at] ^= 0xff;
        }
    }
}

#[test]
fn a_head_is_chosen_by_name() {
    let path = golden().join("refused/several_outputs.onnx");
    let last = |head: &str| onnx::read(&path, Some(head)).map(|i| (i.graph.nodes()[1].op.label(), i.output_name));
    assert_eq!(last("v0").unwrap(), ("relu", "v0".to_owned()));
    assert_eq!(last("v1").unwrap(), ("sigmoid", "v1".to_owned()));
    assert!(last("v2").unwrap_err().to_string().ends_with("no output is called `v2`: expected one of `v0`, `v1`"));
}

/// What becomes of a real file.
enum Outcome {
    /// Extent of the input, and ONNX Runtime's output shape for it (with channels first, and the batch left out).
    Gives(Extent, Shape),
    /// The message.
    Refused(&'static str),
}

#[test]
fn files_of_other_people_are_imported() {
    use Outcome::{Gives, Refused};

    let Some(folder) = common::data::weights() else { return };
    let tile = Extent::planar(512, 512);
    let one = || Gives(tile, Shape::planar(1, 512, 512));
    let two = || Gives(tile, Shape::planar(2, 512, 512));
    let small = |classes| Gives(Extent::planar(64, 96), Shape::planar(classes, 64, 96));
    let division = "node `Div_23` (Div): divides by values computed from the network's input";
    let several = "not a network that labels every pixel: expected one output or the name of one, got `output`, `output2`";
    let regression = "deepness_dummy/dummy_regression_models";
    let segmentation = "deepness_dummy/dummy_segmentation_models";
    let volume = Extent { z: 12, y: 14, x: 16 };
    let table: Vec<(String, Option<&str>, Outcome)> = vec![
        ("buildings/fcn_resnet18.onnx".into(), None, small(2)),
        ("buildings/unet.onnx".into(), None, small(2)),
        ("cloud_unet/landsatbiomeRGBI6.onnx".into(), None, small(1)),
        ("cloud_unet/landsatbiomeRGBISWIR7.onnx".into(), None, small(1)),
        (
            "deepness_dummy/dummy_recognition_model.onnx".into(),
            None,
            Refused("node `/ReduceSum` (ReduceSum): expected a sum over the axis before the batch with keepdims=0"),
        ),
        (
            "deepness_dummy/dummy_superresolution_model.onnx".into(),
            None,
            Gives(Extent::planar(64, 64), Shape::planar(3, 128, 128)),
        ),
        ("deepness_dummy/one_output_sigmoid_red_detector.onnx".into(), None, one()),
        (format!("{regression}/dummy_regression_model.onnx"), None, Refused(division)),
        (format!("{regression}/dummy_regression_model_batched.onnx"), None, Refused(division)),
        (format!("{regression}/one_output_sigmoid_bsx1x512x512.onnx"), None, one()),
        (format!("{regression}/one_output_sigmoid_bsx512x512.onnx"), None, one()),
        (format!("{regression}/two_outputs_sigmoid_bsx1x512x512.onnx"), Some("output2"), one()),
        (format!("{regression}/two_outputs_sigmoid_bsx512x512.onnx"), Some("output"), one()),
        (format!("{segmentation}/different_output_size_512_to_484.onnx"), None, Gives(tile, Shape::planar(2, 484, 484))),
        (format!("{segmentation}/dummy_model.onnx"), None, Gives(tile, Shape::planar(3, 512, 512))),
        (format!("{segmentation}/one_output_sigmoid_bsx1x512x512.onnx"), None, one()),
        (format!("{segmentation}/one_output_sigmoid_bsx512x512.onnx"), None, one()),
        (format!("{segmentation}/one_output_softmax_bsx2x512x512.onnx"), None, two()),
        (format!("{segmentation}/two_outputs_sigmoid_bsx1x512x512.onnx"), None, Refused(several)),
        (format!("{segmentation}/two_outputs_sigmoid_bsx1x512x512.onnx"), Some("output2"), one()),
        (format!("{segmentation}/two_outputs_sigmoid_bsx512x512.onnx"), Some("output2"), one()),
        (format!("{segmentation}/two_outputs_softmax_bsx2x512x512.onnx"), Some("output"), two()),
        ("meshnet/meshnet11_gwm.onnx".into(), None, Gives(volume, Shape { channels: 3, extent: volume })),
    ];
    for (file, head, outcome) in table {
        match (onnx::read(&folder.join(&file), head), outcome) {
            (Ok(Imported { graph, weights, .. }), Gives(input, output)) => {
                weights.check(&graph).unwrap_or_else(|e| panic!("{file}: {e}"));
                assert_eq!(graph.output_shape(input).unwrap(), output, "{file}");
                assert_eq!(graph.fixed_extent(), file.starts_with("deepness").then_some(input), "{file}");
            }
            (Err(error), Refused(expected)) => assert_eq!(error.to_string(), expected, "{file}"),
            (Ok(_), Refused(_)) => panic!("{file} was imported"),
            (Err(error), Gives(..)) => panic!("{file}: {error}"),
        }
    }
}
