//! Files of weights made to hurt: each is refused, with a message that says why, in little memory.
#![expect(clippy::unwrap_used, reason = "a test may")]

#[path = "common/torch.rs"]
mod torch;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use swath_models::{Checkpoint, keras};
use torch::{Pickle, archive, entry, zip};

/// Refuses any piece of memory that no file of this test can need, so that a claim that is believed ends the test.
struct Limited;

/// Bytes of the largest piece of memory that was asked for.
static LARGEST: AtomicUsize = AtomicUsize::new(0);
const LIMIT: usize = 1 << 30;

// SAFETY: all is passed on to the system's allocator; null says that there is no memory, as it may.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the layout is the caller's.
        if layout.size() > LIMIT { std::ptr::null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the layout is the caller's.
        if layout.size() > LIMIT { std::ptr::null_mut() } else { unsafe { System.alloc_zeroed(layout) } }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the system's allocator gave it, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Limited = Limited;

fn read(bytes: &[u8]) -> Result<Checkpoint, String> {
    Checkpoint::from_bytes(bytes, Path::new("hostile.pt")).map_err(|error| chain(&error))
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or(error.to_string(), |source| format!("{error}: {}", chain(source)))
}

fn refusal(bytes: &[u8]) -> String {
    read(bytes).unwrap_err()
}

/// The message for a pickle, the same in an archive and in the older format.
fn pickle_refusal(pickle: &Pickle) -> String {
    let whole = pickle.clone().end();
    let message = refusal(&archive(whole.clone(), &[]));
    // The storages of a pickle that is read are none.
    let before = [LEGACY, &whole, b"\x80\x02]."].concat();
    assert_eq!(refusal(&before), message);
    message
}

/// Magic number, version and machine of the older format.
const LEGACY: &[u8] =
    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}U\x0dlittle_endian\x88s.";

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[test]
fn nothing_is_run() {
    let named = |name: &str| format!("hostile.pt: expected tensors and plain containers, got `{name}`, which is not run");
    let call = |pickle: Pickle| pickle.raw(b"(").text("touch /tmp/hurt").raw(b"tR");
    let system = call(Pickle::new().global("os", "system"));
    assert_eq!(pickle_refusal(&system), named("os.system"));
    assert_eq!(pickle_refusal(&call(Pickle::new().global("builtins", "eval"))), named("builtins.eval"));
    // By names on the stack, as protocol 4 has them.
    let stack = call(Pickle::new().text("subprocess").text("getoutput").raw(b"\x93"));
    assert_eq!(pickle_refusal(&stack), named("subprocess.getoutput"));
    // As a value of a dictionary that looks like weights.
    let nested = call(Pickle::new().raw(b"}").text("weight").global("posix", "system"));
    assert_eq!(pickle_refusal(&nested.raw(b"s")), named("posix.system"));
    // As the state of an object.
    let state = call(Pickle::new().global("collections", "OrderedDict").raw(b")R").global("nt", "system"));
    assert_eq!(pickle_refusal(&state.raw(b"b")), named("nt.system"));
    // As the hooks of a tensor.
    let hooks = Pickle::new().global("torch._utils", "_rebuild_tensor_v2").raw(b"(").global("os", "popen");
    assert_eq!(pickle_refusal(&hooks), named("os.popen"));
    // By the instructions of old protocols.
    let old = Pickle(b"(S'touch /tmp/hurt'\nios\nsystem\n".to_vec());
    assert!(pickle_refusal(&old).ends_with("the pickle has the instruction STRING, which no file of weights needs"));
    let old = Pickle(b"(ios\nsystem\n".to_vec());
    assert_eq!(pickle_refusal(&old), named("os.system"));
    for (code, name) in [(b'o', "OBJ"), (b'P', "PERSID"), (0x82, "EXT1"), (0x92, "NEWOBJ_EX"), (0x97, "NEXT_BUFFER")] {
        let message = pickle_refusal(&Pickle::new().raw(&[code]));
        assert!(
            message.ends_with(&format!("the pickle has the instruction {name}, which no file of weights needs")),
            "{message}"
        );
    }
}

#[test]
fn what_is_listed_is_not_called_otherwise() {
    let reason = |pickle: Pickle| pickle_refusal(&pickle).rsplit(": ").next().unwrap().to_owned();
    let types = Pickle::new().global("torch", "FloatStorage").raw(b")R");
    assert_eq!(reason(types), "the pickle makes a Storage(F32) of 0 arguments that do not fit");
    let object = Pickle::new().global("torch._utils", "_rebuild_tensor_v2").raw(b")\x81");
    assert_eq!(reason(object), "the pickle makes an object of a type that is made otherwise");
    let call = Pickle::new().text("os.system").raw(b")R");
    assert_eq!(reason(call), "the pickle calls a plain value");
    let state = Pickle::new().global("torch._utils", "_rebuild_tensor_v2").raw(b"}b");
    assert_eq!(reason(state), "the pickle sets the state of a type that is made otherwise");
    let outside = Pickle::new().raw(b"(").text("module").text("x").raw(b"tQ");
    assert_eq!(reason(outside), "the pickle refers to something outside of it that is no storage");
}

#[test]
fn bombs_stay_small() {
    let reason = |pickle: &Pickle| pickle_refusal(pickle).rsplit(": ").next().unwrap().to_owned();
    // A billion laughs: every list holds the one before ten times.
    let mut laughs = Pickle::new().raw(b"]q\0");
    for _ in 0..200 {
        laughs = laughs.raw(b"0](").raw(&b"h\0".repeat(10)).raw(b"eq\0");
    }
    assert_eq!(reason(&laughs), "expected a dictionary of tensors by name, got a list of 10");
    // A list in itself, and a dictionary that is its own state_dict.
    assert!(reason(&Pickle::new().raw(b"]q\0h\0a")).starts_with("expected a dictionary"));
    let own = Pickle::new().raw(b"}q\0").text("state_dict").raw(b"h\0s");
    assert_eq!(reason(&own), "the weights lie deeper than 4 dictionaries");
    // Nested deeper than any stack.
    let deep = Pickle::new().raw(&b"]".repeat(1_000_000)).raw(&b"a".repeat(999_999));
    assert!(reason(&deep).starts_with("expected a dictionary"));
    let marks = Pickle::new().raw(&b"(".repeat(5_000_000));
    assert_eq!(reason(&marks), "the pickle has more than 4194304 instructions");
    // Claims of lengths.
    let claim = |bytes: &[u8]| refusal(&archive(Pickle::new().raw(bytes).0, &[]));
    assert!(claim(b"X\xff\xff\xff\x02abc").ends_with("the file ends within a pickle"));
    assert!(claim(b"X\xff\xff\xff\xffabc").ends_with("the pickle is longer than 64 MiB"));
    assert!(claim(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc").ends_with("the pickle is longer than 64 MiB"));
    assert!(claim(b"\x8b\xff\xff\xff\x02abc").ends_with("the file ends within a pickle"));
    // A name that goes on.
    let name = Pickle::new().raw(b"c").raw(&b"a".repeat(1_000_000));
    assert!(refusal(&archive(name.end(), &[])).ends_with("the pickle has a name of more than 256 bytes"));
    // A long key, copied for every tensor.
    let key = "k".repeat(100_000);
    let long = Pickle::new().tensor("Float", &key, 1, &[1], &[1]);
    assert!(reason(&long).ends_with("that is no storage"), "{}", reason(&long));
}

#[test]
fn tensors_that_do_not_fit_are_refused() {
    let dict = |tensor: fn(Pickle) -> Pickle| tensor(Pickle::new().raw(b"}").text("a.weight")).raw(b"s").end();
    let with = |tensor, bytes: usize| refusal(&archive(dict(tensor), &[("0", vec![0; bytes])]));
    let message = with(|pickle| pickle.tensor("Float", "0", 4, &[5], &[1]), 16);
    assert!(message.ends_with("tensor `a.weight`: shape [5], stride [1] and offset 0 leave its 4 values"), "{message}");
    let message = with(|pickle| pickle.tensor("Float", "0", 8, &[4], &[1]), 16);
    assert!(message.ends_with("storage `0` claims 8 values of F32 and has 16 bytes"), "{message}");
    let message = with(|pickle| pickle.tensor("Float", "0", usize::MAX >> 1, &[4], &[1]), 16);
    assert!(message.ends_with("values of F32 and has 16 bytes"), "{message}");
    let message = with(|pickle| pickle.tensor("Float", "0", 4, &[1 << 33], &[0]), 16);
    assert!(message.ends_with("tensor `a.weight` of shape [8589934592] has more values than the file"), "{message}");
    let message = with(|pickle| pickle.tensor("Float", "0", 4, &[1 << 40, 1 << 40], &[0, 0]), 16);
    assert!(message.ends_with("has more values than the file"), "{message}");
    let message = with(|pickle| pickle.tensor("Float", "0", 4, &[4], &[1, 1]), 16);
    assert!(message.ends_with("the pickle makes a Tensor of 6 arguments that do not fit"), "{message}");
    let message = with(|pickle| pickle.tensor("Float", "1", 4, &[4], &[1]), 16);
    assert!(message.ends_with("the archive lacks `a/data/1`"), "{message}");
    for (element, label) in [("Long", "I64"), ("Byte", "U8"), ("Bool", "BOOL"), ("ComplexFloat", "C64")] {
        let pickle = Pickle::new().raw(b"}").text("a.weight").tensor(element, "0", 4, &[4], &[1]).raw(b"s").end();
        let message = "cannot use the tensors of hostile.pt: tensor `a.weight`: expected F32, F16, BF16 or F64, got";
        assert_eq!(refusal(&archive(pickle, &[])), format!("{message} {label}"));
    }
    // A thousand tensors that share one storage.
    let mut shared = Pickle::new().raw(b"}(");
    for index in 0..1000 {
        shared = shared.text(&format!("t{index}")).dense("0", &[1000]);
    }
    let message = refusal(&archive(shared.raw(b"u").end(), &[("0", vec![0; 4000])]));
    assert!(message.ends_with("has more values than the file"), "{message}");
}

#[test]
fn archives_that_lie_are_refused() {
    let pickle = Pickle::new().raw(b"}").text("a").dense("0", &[2]).raw(b"s").end();
    let good = archive(pickle.clone(), &[("0", vec![0; 8])]);
    assert!(read(&good).is_ok());
    let reason = |bytes: &[u8]| refusal(bytes).rsplit("checkpoint: ").next().unwrap().to_owned();
    let at = |needle: &[u8]| good.windows(needle.len()).position(|window| window == needle).unwrap();
    let changed = |place: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[place..place + bytes.len()].copy_from_slice(bytes);
        file
    };
    let (entry_at, end) = (at(b"PK\x01\x02"), at(b"PK\x05\x06"));
    assert!(reason(&changed(entry_at + 10, &[8, 0])).ends_with("is compressed, which torch.save never does"));
    assert!(reason(&changed(entry_at + 8, &[1, 0])).ends_with("is encrypted, which torch.save never does"));
    assert!(reason(&changed(end + 8, &[9, 0, 9, 0])).starts_with("the archive claims 9 entries"));
    assert!(reason(&changed(end + 8, &[9, 0])).ends_with("several disks"));
    assert!(reason(&changed(end + 12, &[255; 4])).starts_with("the archive claims a directory of 4294967295 bytes"));
    assert!(reason(&changed(at(b"a/data/0") + 8, &[1])).ends_with("is damaged: its checksum is another one"));
    // The second entry at the place of the first.
    let second = good.windows(4).enumerate().filter(|(_, window)| *window == b"PK\x01\x02").nth(1).unwrap().0;
    assert_eq!(reason(&changed(second + 42, &[0; 4])), "entries of the archive overlap");
    let twice = zip(&[entry("a/data.pkl", pickle.clone()), entry("a/data.pkl", pickle.clone())]);
    assert_eq!(reason(&twice), "the archive has two entries called `a/data.pkl`");
    // 10 GB, as a 64-bit field of an entry has it.
    let sizes = changed(entry_at + 20, &[255; 8]);
    assert!(reason(&sizes).contains("ends within an entry") || reason(&sizes).contains("damaged"), "{}", reason(&sizes));
    let text = zip(&[entry("notes.txt", *b"hello")]);
    assert!(refusal(&text).ends_with("got a zip archive that torch.save did not write"), "{}", refusal(&text));
    let order = zip(&[entry("a/data.pkl", pickle), entry("a/byteorder", *b"middle")]);
    assert_eq!(reason(&order), "`byteorder` is neither little nor big");
}

#[test]
fn every_part_of_a_file_is_refused() {
    for name in ["state_dict.pt", "state_dict_legacy.pth", "state_dict_protocol4.bin"] {
        let whole = fs::read(golden("checkpoints").join(name)).unwrap();
        assert!(read(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} bytes of {name}");
        }
        // More than the whole is no better, but for a zip archive, whose end is looked for.
        assert!(read(&[&whole[..], &[0; 8]].concat()).is_err(), "{name}");
    }
}

#[test]
fn headers_of_ten_gigabytes_are_refused() {
    let header = [&10_000_000_000u64.to_le_bytes()[..], br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#].concat();
    assert!(Checkpoint::from_bytes(&header, Path::new("a.safetensors")).is_err());
    assert!(Checkpoint::from_bytes(&header, Path::new("a.bin")).is_err());
    let claim = br#"{"a":{"dtype":"F32","shape":[2500000000],"data_offsets":[0,10000000000]}}"#;
    let claim = [&(claim.len() as u64).to_le_bytes()[..], claim].concat();
    assert!(Checkpoint::from_bytes(&claim, Path::new("a.safetensors")).is_err());
    // Storages of the older format.
    let pickle = Pickle::new().raw(b"}").text("a").dense("0", &[2_500_000_000]).raw(b"s").end();
    let keys = Pickle::new().raw(b"]").text("0").raw(b"a").end();
    let file = [LEGACY, &pickle, &keys, &2_500_000_000u64.to_le_bytes(), &[0; 64]].concat();
    assert!(refusal(&file).ends_with("the file ends within storage `0`"), "{}", refusal(&file));
}

#[test]
fn other_files_are_told_apart() {
    let read = |bytes: &[u8]| Checkpoint::from_bytes(bytes, Path::new("a.pth")).unwrap_err().to_string();
    let pickle = read(b"\x80\x04\x95\x10\0\0\0\0\0\0\0}.");
    assert!(
        pickle.ends_with("got a pickle that torch.save did not write: save the state_dict with it, or as safetensors"),
        "{pickle}"
    );
    let tar = [&[b'a'; 257][..], b"ustar\0", &[0; 300]].concat();
    assert!(read(&tar).contains("got a tar archive"), "{}", read(&tar));
    assert!(read(b"<html>").ends_with("got something else"), "{}", read(b"<html>"));
    assert_eq!(read(b""), "a.pth is empty");
}

/// Files to change: those of the goldens.
static SOURCES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let torch =
        ["state_dict.pt", "state_dict_legacy.pth", "views.pt", "views_legacy.pt"].map(|name| golden("checkpoints").join(name));
    let keras = ["one_layer.h5", "chunked.h5", "latest.h5"].map(|name| golden("keras").join(name));
    torch.iter().chain(&keras).map(|path| fs::read(path).unwrap()).collect()
});

/// A change of a file.
#[derive(Clone, Debug)]
enum Change {
    Byte(prop::sample::Index, u8),
    Number(prop::sample::Index, u64),
    Cut(prop::sample::Index),
    Repeat(prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(place, byte)| Change::Byte(place, byte)),
        3 => (any::<prop::sample::Index>(), 0..64u32, 0..3u64)
            .prop_map(|(place, power, less)| Change::Number(place, (1u64 << power).wrapping_sub(less))),
        1 => any::<prop::sample::Index>().prop_map(Change::Cut),
        1 => (any::<prop::sample::Index>(), 1..64usize).prop_map(|(place, length)| Change::Repeat(place, length)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn changed_files_do_not_panic(source in any::<prop::sample::Index>(), changes in proptest::collection::vec(change(), 1..5)) {
        let mut file = source.get(&SOURCES).clone();
        for change in changes {
            if file.is_empty() {
                break;
            }
            match change {
                Change::Byte(place, byte) => {
                    let place = place.index(file.len());
                    file[place] = byte;
                }
                Change::Number(place, number) => {
                    let place = place.index(file.len());
                    file.iter_mut().skip(place).zip(number.to_le_bytes()).for_each(|(byte, new)| *byte = new);
                }
                Change::Cut(place) => file.truncate(place.index(file.len())),
                Change::Repeat(place, length) => {
                    let place = place.index(file.len());
                    let part = file[place..(place + length).min(file.len())].to_vec();
                    file.splice(place..place, part);
                }
            }
        }
        let _ = Checkpoint::from_bytes(&file, Path::new("changed.pt"));
        let _ = keras::read_bytes(&file, Path::new("changed.h5"));
        let largest = LARGEST.load(Ordering::Relaxed);
        prop_assert!(largest < LIMIT, "a piece of {largest} bytes");
    }
}
