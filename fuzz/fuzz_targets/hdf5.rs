//! Keras models in HDF5.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use swath_models::keras;

fuzz_target!(|file: &[u8]| {
    let _ = keras::read_bytes(file, Path::new("fuzz.h5"));
});
