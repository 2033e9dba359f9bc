//! Files of weights of any kind, archives among them.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use swath_models::Checkpoint;

fuzz_target!(|file: &[u8]| {
    let _ = Checkpoint::from_bytes(file, Path::new("fuzz.pt"));
});
