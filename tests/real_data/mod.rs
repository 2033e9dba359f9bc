//! Scenes and trained networks that are not in the repository.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The folder of real data, if there is one; that there is none is said aloud.
pub(crate) fn folder() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = env::var_os("SWATH_DATA").map_or_else(default, PathBuf::from);
    if folder.join("weights").is_dir() {
        return Some(folder);
    }
    // Written past the test harness, which would swallow it.
    std::io::stderr().write_all(format!("SKIPPED: no real data in {}; set SWATH_DATA\n", folder.display()).as_bytes()).unwrap();
    None
}
