//! Pickles of checkpoints: the input is the pickle of a file in the older format, behind which one storage lies.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use swath_models::Checkpoint;

/// Magic number, version and machine.
const BEFORE: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}U\x0dlittle_endian\x88s.";
/// The keys of the storages: `0`; and 16 values of it.
const BEHIND: &[u8] = b"\x80\x02]U\x010a.\x10\0\0\0\0\0\0\0";

fuzz_target!(|pickle: &[u8]| {
    let file = [BEFORE, pickle, BEHIND, &[0; 64]].concat();
    let _ = Checkpoint::from_bytes(&file, Path::new("fuzz.pt"));
});
