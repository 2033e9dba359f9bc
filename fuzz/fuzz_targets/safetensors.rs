//! Headers of safetensors files: the input is the header, with its length before it and some values behind.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use swath_models::Weights;

fuzz_target!(|header: &[u8]| {
    let file = [&(header.len() as u64).to_le_bytes(), header, &[0; 64]].concat();
    let _ = Weights::from_bytes(&file, Path::new("fuzz.safetensors"));
    let _ = Weights::from_bytes(header, Path::new("fuzz.safetensors"));
});
