//! Files of weights as PyTorch writes them: the same values as PyTorch has, whatever is around them, and what is none is refused by name.
#![expect(clippy::unwrap_used, reason = "a test may")]

#[path = "common/torch.rs"]
mod torch;

use std::path::{Path, PathBuf};

use swath_models::{Axes, BatchNorm, Builder, Checkpoint, Conv, Graph, Op, Rank, Scope, Weights};
use torch::{Pickle, archive};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/checkpoints").join(name)
}

/// The tensors that PyTorch has, without the prefix that says in which files.
fn expected(prefix: &str) -> Weights {
    let all = Weights::read(&golden("expected.safetensors")).unwrap();
    let mut expected = Weights::new();
    for spec in all.specs() {
        if let Some(name) = spec.name.strip_prefix(prefix) {
            expected.insert(name, spec.shape.clone(), all.get(&spec.name).unwrap().to_vec());
        }
    }
    assert!(expected.specs().count() > 5, "{prefix}");
    expected
}

/// The network whose weights the files hold.
fn tiny(bands: usize) -> Graph {
    let mut g = Builder::new("tiny", Rank::Planar, bands);
    let input = g.input();
    let x = g.conv(input, &Scope::root("conv"), Conv { padding: Axes::plane_padding(0), ..Conv::square(4, 3) }).node();
    let x = g.push("bn", Op::BatchNorm(BatchNorm { epsilon: 1e-5 }), vec![x]).relu().node();
    let head = g.conv(x, &Scope::root("head"), Conv::square(2, 1).biased()).node();
    g.build(head).unwrap()
}

fn changes(checkpoint: &Checkpoint) -> Vec<String> {
    checkpoint.changes.iter().map(ToString::to_string).collect()
}

const COUNTERS: &str = "passed over `num_batches_tracked`: 1 counters that only training reads";

#[test]
fn state_dicts_are_those_of_pytorch() {
    let expected = expected("tiny.");
    for name in ["state_dict.pt", "state_dict_legacy.pth", "state_dict_protocol4.bin"] {
        let checkpoint = Checkpoint::read(&golden(name)).unwrap();
        assert_eq!(checkpoint.weights, expected, "{name}");
        assert_eq!(changes(&checkpoint), [COUNTERS], "{name}");
        checkpoint.weights.check(&tiny(3)).unwrap();
    }
}

#[test]
fn types_and_views_are_those_of_pytorch() {
    let expected = expected("views.");
    for name in ["views.pt", "views_legacy.pt"] {
        assert_eq!(Checkpoint::read(&golden(name)).unwrap().weights, expected, "{name}");
    }
}

#[test]
fn what_lies_around_the_weights_is_told() {
    let expected = expected("tiny.");
    let read = |name: &str| Checkpoint::read(&golden(name)).unwrap().named_for(&tiny(3)).unwrap();
    let lightning = read("lightning.ckpt");
    assert_eq!(lightning.weights, expected);
    assert_eq!(
        changes(&lightning),
        [
            "passed over `epoch`: a number",
            "passed over `global_step`: a number",
            "passed over `hyper_parameters`: a dictionary of 3",
            "passed over `loops`: a dictionary of 1",
            "passed over `lr_schedulers`: a list of 0",
            "passed over `optimizer_states`: a list of 1",
            "passed over `pytorch-lightning_version`: text",
            "the weights are those of `state_dict`",
            COUNTERS,
            "renamed, without `model.`: 7",
        ]
    );
    let segmentation = read("mmsegmentation.pth");
    assert_eq!(segmentation.weights, expected);
    assert_eq!(
        changes(&segmentation),
        [
            "passed over `meta`: a dictionary of 3",
            "the weights are those of `state_dict`",
            COUNTERS,
            "renamed, without `module.`: 7",
            "passed over `auxiliary_head.`, which only training needs: 1",
        ]
    );
    let namespace = read("namespace.pt");
    assert_eq!(namespace.weights, expected);
}

/// As in PyTorch's tutorial on saving: a loss that is a tensor, with the weights in a dictionary beside it.
#[test]
fn a_tensor_beside_the_weights_is_none_of_them() {
    let one = |name: &str, key: &str, shape: &[usize]| Pickle::new().text(name).dense(key, shape).0[2..].to_vec();
    let dictionary = |entries: &[u8]| [b"}(", entries, b"u"].concat();
    let outer = |key: &str, inner: &[u8]| {
        let pickle = Pickle::new().raw(b"}(").text("epoch").int(5).text(key).raw(&dictionary(inner));
        let pickle = pickle.text("optimizer_state_dict").raw(&dictionary(&one("step", "0", &[])));
        let file = archive(pickle.raw(&one("loss", "0", &[])).raw(b"u").end(), &[("0", vec![0; 4]), ("1", vec![0; 16])]);
        Checkpoint::from_bytes(&file, Path::new("tutorial.pt")).unwrap()
    };
    let names = |checkpoint: &Checkpoint| checkpoint.weights.specs().map(|spec| spec.name).collect::<Vec<_>>();
    let tutorial = outer("model_state_dict", &one("head.bias", "1", &[4]));
    assert_eq!(names(&tutorial), ["head.bias"]);
    assert_eq!(
        changes(&tutorial),
        [
            "passed over `epoch`: a number",
            "passed over `loss`: a tensor of shape []",
            "passed over `optimizer_state_dict`: a dictionary of 1",
            "the weights are those of `model_state_dict`",
        ]
    );
    // Without weights in it, such an entry is no wrapper of them.
    assert_eq!(names(&outer("model", &[])), ["loss"]);
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or(error.to_string(), |source| format!("{error}: {}", chain(source)))
}

#[test]
fn what_holds_no_weights_is_refused_by_name() {
    let refusal = |name: &str| {
        let error = chain(&Checkpoint::read(&golden(name)).unwrap_err());
        error.split_once(name).map(|(_, message)| message.to_owned()).unwrap_or(error)
    };
    let read = "ONNX, safetensors, a PyTorch state_dict (.pt, .pth, .bin) or Keras HDF5 (.h5, .hdf5)";
    assert_eq!(refusal("module.pt"), ": expected tensors and plain containers, got `__main__.Tiny`, which is not run");
    assert_eq!(
        refusal("torchscript.pt"),
        format!(": expected {read}, got a TorchScript program: export ONNX, or save its state_dict as safetensors")
    );
    assert_eq!(
        refusal("exported.pt2"),
        format!(": expected {read}, got a program of torch.export (.pt2): export ONNX, or save its state_dict as safetensors")
    );
    assert_eq!(refusal("integers.pt"), ": tensor `weight`: expected F32, F16, BF16 or F64, got I64");
    let quantised = refusal("quantised.pt");
    assert!(quantised.contains("`torch._utils._rebuild_qtensor`"), "{quantised}");
}

#[test]
fn other_bands_need_a_rule_and_other_classes_are_seen() {
    let read = || Checkpoint::read(&golden("state_dict.pt")).unwrap();
    let file = golden("state_dict.pt").display().to_string();
    let message = chain(&read().with_bands_of(&tiny(4), None).unwrap_err());
    assert_eq!(message, format!("cannot use the tensors of {file}: tensor `conv.weight`: expected weights for 4 bands, got 3"));
    let message = chain(&read().check(&tiny(4)).unwrap_err());
    assert!(message.contains(&file) && message.contains("conv.weight"), "{message}");
    let adapted = read().with_bands_of(&tiny(4), Some(swath_models::AdaptBands::Mean)).unwrap();
    adapted.weights.check(&tiny(4)).unwrap();
    assert_eq!(changes(&adapted), [COUNTERS, "`conv.weight` adapted from 3 bands to 4: the mean for each"]);

    assert_eq!(read().other_outputs(&tiny(3)), None);
    let mut g = Builder::new("more", Rank::Planar, 3);
    let input = g.input();
    let x = g.conv(input, &Scope::root("conv"), Conv::square(4, 3)).node();
    let head = g.conv(x, &Scope::root("head"), Conv::square(7, 1).biased()).node();
    assert_eq!(read().other_outputs(&g.build(head).unwrap()), Some(2));
}
