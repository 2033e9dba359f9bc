//! The files that a raster is read from.

use std::ffi::CStr;
use std::fs;
use std::path::PathBuf;

use gdal::Dataset;

use crate::{Version, remote};

/// What other programs add beside a raster at any time: statistics and overviews.
const ADDED: [&str; 2] = ["aux.xml", "ovr"];

/// The version of all files that a raster is read from, but for statistics and overviews beside it.
pub(super) fn version(dataset: &Dataset) -> Version {
    let is_own = |name: &PathBuf| !ADDED.iter().any(|suffix| name.to_string_lossy().ends_with(suffix));
    // What GDAL names need not be a file: it may be a table of a database, or a member of an archive.
    let version = |name: PathBuf| remote::version(&name).or_else(|| fs::metadata(&name).ok().map(|file| Version::from(&file)));
    let versions: Vec<_> = files(dataset).into_iter().filter(is_own).filter_map(version).collect();
    Version::of_all(&versions)
}

/// The names of all files that a raster consists of.
pub(super) fn files(dataset: &Dataset) -> Vec<PathBuf> {
    let mut names = Vec::new();
    // SAFETY: the handle is the dataset's. The list ends with a null pointer; its strings are copied, and it is freed once.
    unsafe {
        let list = gdal_sys::GDALGetFileList(dataset.c_dataset());
        for index in 0..gdal_sys::CSLCount(list) {
            let name = gdal_sys::CSLGetField(list, index);
            names.push(CStr::from_ptr(name).to_string_lossy().into_owned().into());
        }
        gdal_sys::CSLDestroy(list);
    }
    names
}
