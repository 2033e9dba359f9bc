//! ONNX files made to hurt: each is refused, with a message that says why, in little memory and time.
#![expect(clippy::unwrap_used, reason = "a test may")]

mod common;
#[path = "common/protobuf.rs"]
mod protobuf;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::{self, File};
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use protobuf::{Element, Message, constant, external, int, ints, model, node};
use swath_models::{Extent, onnx};

/// Refuses memory beyond what all files of this test need together, so that a claim that is believed ends the test.
struct Limited;

/// Bytes that are in use.
static USED: AtomicUsize = AtomicUsize::new(0);
const LIMIT: usize = 1 << 29;

// SAFETY: all is passed on to the system's allocator; null says that there is no memory, as it may.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if USED.fetch_add(layout.size(), Ordering::Relaxed).saturating_add(layout.size()) > LIMIT {
            USED.fetch_sub(layout.size(), Ordering::Relaxed);
            return std::ptr::null_mut();
        }
        // SAFETY: the layout is the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the system's allocator gave it, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Limited = Limited;

fn refusal(file: &Message) -> String {
    onnx::read_bytes(&file.0, Path::new("no-such-folder/hostile.onnx"), None).unwrap_err().to_string()
}

/// The error if the message for a file does not begin with this.
fn expect(file: &Message, start: &str) {
    let message = refusal(file);
    assert!(message.starts_with(start), "expected `{start}`, got `{message}`");
}

/// The error if it is not this node that makes too much of a file.
fn expect_budget(file: &Message, node: &str) {
    let message = refusal(file);
    assert!(message.starts_with(&format!("node `{node}: expected at most ")), "{message}");
    assert!(message.contains(" items (values, places and parts of nodes) from a file of this length, got "), "{message}");
}

/// `Concat`s that each put a value after itself, from `v0` on; the last one is `v34`.
fn doublings() -> impl Iterator<Item = Message> {
    (0..34).map(|i| {
        let value = format!("v{i}");
        node("Concat", &[&value, &value], &format!("v{}", i + 1), &[int("axis", 0)])
    })
}

const ANY: [i64; 4] = [1, 3, 0, 0];

#[test]
fn what_doubles_stays_small() {
    let axes = constant("axes", Element::I64, &[1], &0i64.to_le_bytes());
    let first = node("Unsqueeze", &["x", "axes"], "v0", &[]);
    let sum = node("ReduceSum", &["v34", "axes"], "y", &[int("keepdims", 0)]);
    expect_budget(&model(&ANY, std::iter::once(first).chain(doublings()).chain([sum]), [axes]), "v20` (Concat)");
    let shape = constant("v0", Element::I64, &[1], &0i64.to_le_bytes());
    let reshape = node("Reshape", &["x", "v34"], "y", &[]);
    expect_budget(&model(&ANY, doublings().chain([reshape]), [shape]), "v20` (Concat)");
    // A sum of as many as may be stacked would still make too many nodes.
    let axes = constant("axes", Element::I64, &[1], &0i64.to_le_bytes());
    let first = node("Unsqueeze", &["x", "axes"], "v0", &[]);
    let sum = node("ReduceSum", &["v18", "axes"], "y", &[int("keepdims", 0)]);
    expect_budget(&model(&ANY, std::iter::once(first).chain(doublings().take(18)).chain([sum]), [axes]), "y` (ReduceSum)");
}

#[test]
fn what_is_picked_stays_small() {
    let reshape = || node("Reshape", &["x", "shape"], "y", &[]);
    let values = constant("c", Element::I8, &[1, 1_000_000], &vec![1; 1_000_000]);
    let zeros = constant("zeros", Element::I8, &[1_000_000], &vec![0; 1_000_000]);
    let gather = node("Gather", &["c", "zeros"], "shape", &[]);
    expect_budget(&model(&ANY, [gather, reshape()], [values, zeros]), "shape` (Gather)");
    let none = constant("c", Element::I8, &[1 << 40, 0], &[]);
    let list = |name: &str, value: i64| constant(name, Element::I64, &[1], &value.to_le_bytes());
    let bounds = || [list("start", 0), list("end", i64::MAX), list("axis", 0)];
    let cut = node("Slice", &["c", "start", "end", "axis"], "shape", &[]);
    expect_budget(&model(&ANY, [cut, reshape()], bounds().into_iter().chain([none])), "shape` (Slice)");
    let fill = |i: usize| node("ConstantOfShape", &["size"], &format!("f{i}"), &[]);
    let names: Vec<String> = (0..1000).map(|i| format!("f{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let all = node("Concat", &names, "shape", &[int("axis", 0)]);
    let file = model(&ANY, (0..1000).map(fill).chain([all, reshape()]), [list("size", 1 << 16)]);
    expect_budget(&file, "f16` (ConstantOfShape)");

    // Every other one of so many channels would be a node.
    let odd = || [list("start", 0), list("end", i64::MAX), list("axis", 1), list("step", 2)];
    let slice = |name: &str| node("Slice", &["x", "start", "end", "axis", "step"], "y", &[]).text(3, name);
    expect_budget(&model(&[1, 1 << 24, 0, 0], [slice("s")], odd()), "s` (Slice)");
    expect_budget(&model(&[1, 1 << 18, 0, 0], [slice("s")], odd()), "s` (Slice)");
    // And each would have its name.
    let name = "n".repeat(100_000);
    expect_budget(&model(&[1, 1000, 0, 0], [slice(&name)], odd()), &format!("{name}` (Slice)"));
}

#[test]
fn weights_are_not_multiplied() {
    let one = constant("one", Element::F32, &[1], &1f32.to_le_bytes());
    let add = node("Add", &["x", "one"], "y", &[]);
    expect_budget(&model(&[1, 1 << 24, 0, 0], [add], [one]), "y` (Add)");
    let weight = constant("w", Element::F32, &[64, 64, 3, 3], &vec![0; 4 * 64 * 64 * 9]);
    let pads = ints("pads", &[1, 1, 1, 1]);
    let conv = |i: usize| {
        let (from, to) =
            (if i == 0 { "x".into() } else { format!("v{i}") }, if i == 9999 { "y".into() } else { format!("v{}", i + 1) });
        node("Conv", &[&from, "w"], &to, std::slice::from_ref(&pads))
    };
    expect_budget(&model(&[1, 64, 0, 0], (0..10_000).map(conv), [weight]), "v43` (Conv)");
}

#[test]
fn extents_beyond_all_reason_are_refused() {
    let relu = || [node("Relu", &["x"], "y", &[])];
    expect(&model(&[1, 1 << 40, 0, 0], relu(), []), "node `x`: expected at most 16777216 channels, got 1099511627776");
    expect(&model(&[1, 1, 1 << 62, 1 << 62], relu(), []), "node `x`: expected a result of at most 1099511627776 positions");
    let list = |name: &str, value: i64| constant(name, Element::I64, &[1], &value.to_le_bytes());
    let slice = node("Slice", &["x", "start", "end", "axis"], "y", &[]);
    expect(
        &model(&[1, 1, 1 << 40, 1], [slice], [list("start", 1), list("end", i64::MAX), list("axis", 2)]),
        "node `Slice_0`: expected numbers of 1 to 65536, or no padding, got a resized length of 1099511627775",
    );
    let weight = || constant("w", Element::F32, &[1, 4, 3, 1], &[0; 48]);
    let groups = node("ConvTranspose", &["x", "w"], "y", &[int("group", i64::MAX)]);
    expect(
        &model(&[1, 1, 0, 0], [groups], [weight()]),
        "node `y` (ConvTranspose): 9223372036854775807 groups of 4 output channels",
    );
    let shape = |side: i64| {
        let (strides, dilations) = (ints("strides", &[1 << 24, 1]), ints("dilations", &[1 << 24, 1]));
        let transposed = node("ConvTranspose", &["x", "w"], "y", &[ints("output_shape", &[1, 1]), strides, dilations]);
        model(&[1, 1, side, 1], [transposed], [weight()])
    };
    expect(&shape(1 << 62), "node `x`: expected a result of at most 1099511627776 positions");
    expect(&shape(1 << 40), "node `ConvTranspose_0`: expected numbers of 1 to 65536, or no padding, got a stride of 16777216");
    for dims in [[0, 1 << 40, 1 << 40], [1 << 40, 1 << 40, 0]] {
        let none = constant("c", Element::F32, &dims, &[]);
        let nodes = [node("Flatten", &["c"], "shape", &[]), node("Reshape", &["x", "shape"], "y", &[])];
        expect(&model(&ANY, nodes, [none]), &format!("not a network that labels every pixel: tensor `c` has the shape {dims:?}"));
    }
}

#[test]
fn arrays_of_many_axes_are_refused() {
    let places = vec![0; 1_000_000];
    let axes = constant("axes", Element::I8, &[1_000_000], &places);
    let nodes = [node("Unsqueeze", &["axes", "axes"], "shape", &[]), node("Reshape", &["x", "shape"], "y", &[])];
    expect(&model(&ANY, nodes, [axes]), "node `shape` (Unsqueeze): expected at most 64 axes, got 1000001");
}

#[test]
fn files_of_values_are_read_as_far_as_they_are_needed() {
    let folder = tempfile::tempdir().unwrap();
    File::create(folder.path().join("w.bin")).unwrap().set_len(1 << 36).unwrap();
    fs::write(folder.path().join("few.bin"), vec![0; 1 << 20]).unwrap();
    let refusal = |file: Message| onnx::read_bytes(&file.0, &folder.path().join("hostile.onnx"), None).unwrap_err().to_string();
    let add = |name: &str| node("Add", &["x", name], "y", &[]);
    assert_eq!(
        refusal(model(&ANY, [add("w")], [external("w", Element::F32, &[3], "w.bin")])),
        "tensor `w`: expected shape [3], got [17179869184]"
    );
    let names: Vec<String> = (0..10_000).map(|i| format!("w{i}")).collect();
    let weights = names.iter().map(|name| external(name, Element::I8, &[1 << 20], "few.bin"));
    let inputs: Vec<&str> = std::iter::once("x").chain(names.iter().map(String::as_str)).collect();
    assert!(
        refusal(model(&ANY, [node("Concat", &inputs, "y", &[])], weights))
            .ends_with("expected tensors that need at most 4 times the 1048576 bytes of few.bin, got 5242880")
    );
}

#[test]
fn seeds_of_the_fuzz_target_are_refused() {
    let paths = common::onnx::models(&common::onnx::golden().join("hostile"));
    assert!(paths.len() > 5, "{} files", paths.len());
    for path in paths {
        assert!(onnx::read(&path, None).is_err(), "{} was imported", path.display());
    }
}

/// Files to change: those of the goldens.
static SOURCES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = common::onnx::golden();
    let all = ["", "refused", "hostile"].map(|part| common::onnx::models(&folder.join(part))).concat();
    all.iter().map(|path| fs::read(path).unwrap()).collect()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn numbers_of_any_size_do_not_panic(
        source in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..64u32, 0..3u64), 1..5),
    ) {
        let mut file = source.get(&SOURCES).clone();
        for (place, power, less) in changes {
            // In place of as many bytes, so that lengths still fit.
            let number = protobuf::varint((1u64 << power).wrapping_sub(less));
            let place = place.index(file.len());
            file.iter_mut().skip(place).zip(number).for_each(|(byte, new)| *byte = new);
        }
        if let Ok(imported) = onnx::read_bytes(&file, Path::new("no-such-folder/changed.onnx"), None) {
            let _ = (imported.graph.geometry(), imported.graph.cost(Extent::planar(64, 64)));
        }
    }
}
