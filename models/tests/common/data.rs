//! Files of other people that are not in the repository.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The folder with networks of other people, or `None` where it is missing, which is said aloud.
pub(crate) fn weights() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = env::var_os("SWATH_DATA").map_or_else(beside, PathBuf::from).join("weights");
    if folder.is_dir() {
        return Some(folder);
    }
    // Written past the test harness, which would swallow it.
    std::io::stderr().write_all(format!("SKIPPED: no ONNX files in {}; set SWATH_DATA\n", folder.display()).as_bytes()).unwrap();
    None
}
