//! Networks in ONNX, with all that looks at them before they run.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use swath_models::{Extent, onnx};

fuzz_target!(|file: &[u8]| {
    if let Ok(imported) = onnx::read_bytes(file, Path::new("no-such-folder/fuzz.onnx"), None) {
        let _ = imported.graph.geometry();
        let _ = imported.graph.cost(Extent::planar(64, 64));
    }
});
