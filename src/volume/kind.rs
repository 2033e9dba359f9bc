//! Volumes and scenes apart.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Whether this is a medical volume rather than a scene: a folder, a `NIfTI` file by its name, or a DICOM file by its first bytes.
#[must_use]
pub fn is_volume(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    if [".nii", ".nii.gz"].iter().any(|ending| name.ends_with(ending)) {
        return true;
    }
    // GDAL has formats that are folders, too; each has a name of its own.
    path.is_dir() && Path::new(&name).extension().is_none() || is_dicom(path)
}

/// DICOM PS3.10, section 7.1: 128 bytes of any content, then the prefix.
fn is_dicom(path: &Path) -> bool {
    let mut start = [0; 132];
    path.is_file() && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start[128..] == *b"DICM"
}
