//! What the tests share: files of other people, golden values, and reading whole volumes.
#![allow(dead_code, reason = "every test binary uses its own part of it")]
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;
use swath_volumes::{VolumeOptions, VolumeSource, open};

/// A file beside the golden values.
pub(crate) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Golden values.
pub(crate) fn expected(name: &str) -> Value {
    serde_json::from_slice(&fs::read(golden(name)).unwrap()).unwrap()
}

/// The folder of real volumes, or `None` where it is missing, which is said aloud.
pub(crate) fn medical() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = env::var_os("SWATH_DATA").map_or_else(beside, PathBuf::from).join("medical");
    if folder.is_dir() {
        return Some(folder);
    }
    // Written past the test harness, which would swallow it.
    std::io::stderr().write_all(format!("SKIPPED: no volumes in {}; set SWATH_DATA\n", folder.display()).as_bytes()).unwrap();
    None
}

/// Opens a volume without options.
#[track_caller]
pub(crate) fn volume(path: &Path) -> Box<dyn VolumeSource> {
    open(path, &VolumeOptions::default()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All voxels of all frames.
#[track_caller]
pub(crate) fn voxels(source: &dyn VolumeSource) -> Vec<f32> {
    let profile = source.profile();
    (0..profile.frames).flat_map(|frame| source.reader(frame).unwrap().read(0..profile.size.z).unwrap()).collect()
}

/// The message of why a volume cannot be opened or read.
#[track_caller]
pub(crate) fn failure(path: &Path, options: &VolumeOptions) -> String {
    let read = || {
        let source = open(path, options)?;
        source.reader(0)?.read(0..source.profile().size.z)
    };
    read().map(|_| ()).expect_err("a bad volume was read").to_string()
}
