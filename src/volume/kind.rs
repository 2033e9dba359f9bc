//! Volumes and scenes apart.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use crate::{Location, Result};

/// Whether this is a medical volume rather than a scene: a `NIfTI` file by its name, a DICOM file by its first bytes, or a folder that has no ending or
/// such files. In a store, names alone say so: those of `NIfTI` and DICOM files, and prefixes that end with `/`.
#[must_use]
pub fn is_volume(location: &Location) -> bool {
    match location {
        Location::Local(path) => is_local_volume(path),
        Location::Remote(_) => location.is_folder() || is_volume_file_name(Path::new(&location.file_name())),
    }
}

/// The same of a file or folder of this machine.
pub(crate) fn is_local_volume(path: &Path) -> bool {
    is_nifti_name(path) || is_dicom(path) || (path.is_dir() && (path.extension().is_none() || has_dicom(path)))
}

/// Whether a file's name is that of a `NIfTI` or a DICOM file.
pub(super) fn is_volume_file_name(path: &Path) -> bool {
    is_nifti_name(path) || is_dicom_name(path)
}

/// Whether a file's name is that of a DICOM file, such as a segmentation to write.
pub(super) fn is_dicom_name(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("dcm"))
}

/// Whether the objects of a prefix are DICOM files: one has such a file's name, or the first one whose name says nothing has such a file's bytes.
pub(super) fn is_dicom_prefix(prefix: &Location, objects: &[String]) -> Result<bool> {
    if objects.iter().any(|object| is_dicom_name(Path::new(object))) {
        return Ok(true);
    }
    let Some(object) = objects.iter().find(|object| is_plain_name(object)) else { return Ok(false) };
    Ok(is_dicom_start(&prefix.join(object)?.read_start(START)?))
}

/// Whether a name has no ending but what image servers and scanners give it: none, a number at the end of a UID, `IMA`, `DIC`.
fn is_plain_name(name: &str) -> bool {
    match Path::new(name).extension().map(|ending| ending.to_string_lossy().to_lowercase()) {
        None => true,
        Some(ending) => ["ima", "dic", "dicom"].contains(&ending.as_str()) || ending.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// Whether one of the first files in a folder, or in those within it, is a DICOM file: GDAL has formats that are folders, too, each with an ending of its
/// own.
pub(super) fn has_dicom(folder: &Path) -> bool {
    // Not the whole of a large archive of something else, nor a link that leads back.
    let (mut entries, mut folders) = (256, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if is_dicom(&path) {
                return true;
            }
            if entries == 0 {
                return false;
            }
            entries -= 1;
            if path.is_dir() && !is_hidden(&path) {
                folders.push(path);
            }
        }
    }
    false
}

/// Whether a file is hidden, as those are that systems leave beside others.
pub(super) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Whether a file's name is that of a `NIfTI` file.
pub(super) fn is_nifti_name(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    [".nii", ".nii.gz"].iter().any(|ending| name.ends_with(ending))
}

/// Bytes at the start of a file that say whether it is a DICOM file.
const START: usize = 132;

/// DICOM PS3.10, section 7.1: 128 bytes of any content, then the prefix.
fn is_dicom_start(start: &[u8]) -> bool {
    start.get(128..START) == Some(b"DICM")
}

fn is_dicom(path: &Path) -> bool {
    let mut start = [0; START];
    path.is_file() && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && is_dicom_start(&start)
}
