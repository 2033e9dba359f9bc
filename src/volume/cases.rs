//! Many volumes.

use std::fs;
use std::path::{Path, PathBuf};

use glob::Pattern;

use super::kind::{has_dicom, is_nifti_name, is_volume};
use crate::{Error, Result};

/// The volumes that a folder has, or a text file names, one a line: those whose names fit the pattern, if there is one. Of a folder these are its `NIfTI`
/// files and its folders with DICOM files, sorted by name; paths in a text file are relative to it. None if it has scenes instead.
///
/// # Errors
/// If it cannot be read, or the pattern is none.
pub fn volumes_of(list: &Path, pattern: Option<&str>) -> Result<Option<Vec<PathBuf>>> {
    let read = |source| Error::File { action: "read", path: list.to_owned(), source };
    let mut found: Vec<PathBuf> = if list.is_dir() {
        let entries = fs::read_dir(list).and_then(Iterator::collect::<std::io::Result<Vec<_>>>).map_err(read)?;
        let paths = entries.into_iter().map(|entry| entry.path());
        paths.filter(|path| if path.is_dir() { has_dicom(path) } else { is_nifti_name(path) }).collect()
    } else if list.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("txt")) {
        let text = fs::read_to_string(list).map_err(read)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let folder = list.parent().unwrap_or(Path::new(""));
        let paths: Vec<PathBuf> = lines.map(|line| folder.join(line)).collect();
        if !paths.iter().any(|path| is_volume(path)) {
            return Ok(None);
        }
        return Ok(Some(paths));
    } else {
        return Ok(None);
    };
    if let Some(pattern) = pattern {
        let wrong = |source| Error::Pattern { pattern: pattern.to_owned(), source };
        let pattern = Pattern::new(pattern).map_err(wrong)?;
        found.retain(|path| path.file_name().is_some_and(|name| pattern.matches(&name.to_string_lossy())));
    }
    found.sort();
    Ok((!found.is_empty()).then_some(found))
}
