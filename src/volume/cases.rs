//! Many volumes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use glob::Pattern;

use super::kind::{has_dicom, is_dicom_prefix, is_nifti_name, is_volume};
use crate::{Error, Location, Result};

/// Most bytes of a text file that names volumes.
const LIST_BYTES: u64 = 64 << 20;

/// The volumes that a folder or prefix has, or a text file names, one a line: those whose names fit the pattern, if there is one. Of a folder these are its
/// `NIfTI` files and its folders with DICOM files, sorted by name; paths in a text file are relative to it, URIs are not. None if it has scenes instead.
///
/// # Errors
/// If it cannot be read, or the pattern is none.
pub fn volumes_of(list: &Location, pattern: Option<&str>) -> Result<Option<Vec<Location>>> {
    let mut found: Vec<Location> = match list {
        Location::Local(folder) if folder.is_dir() => in_folder(folder)?,
        Location::Remote(_) if list.is_folder() => in_store(list)?,
        _ if Path::new(&list.file_name()).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("txt")) => {
            return listed(list);
        }
        _ => return Ok(None),
    };
    if let Some(pattern) = pattern {
        let wrong = |source| Error::Pattern { pattern: pattern.to_owned(), source };
        let pattern = Pattern::new(pattern).map_err(wrong)?;
        found.retain(|volume| pattern.matches(&volume.file_name()));
    }
    found.sort_by_key(Location::file_name);
    Ok((!found.is_empty()).then_some(found))
}

/// Those that a text file names.
fn listed(list: &Location) -> Result<Option<Vec<Location>>> {
    let text = list.read(LIST_BYTES)?;
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let place = |line: &str| {
        Ok(match (line.parse()?, list) {
            // A path may lead anywhere on this machine.
            (Location::Local(path), Location::Local(list)) => list.parent().unwrap_or(Path::new("")).join(path).into(),
            (Location::Local(_), Location::Remote(_)) => list.parent().join(line)?,
            (remote, _) => remote,
        })
    };
    let volumes = lines.map(place).collect::<Result<Vec<Location>>>()?;
    Ok(volumes.iter().any(is_volume).then_some(volumes))
}

fn in_folder(folder: &Path) -> Result<Vec<Location>> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let entries = entries.map_err(|source| Error::File { action: "read", path: folder.to_owned(), source })?;
    let paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    let is_own = |path: &PathBuf| if path.is_dir() { has_dicom(path) } else { is_nifti_name(path) };
    Ok(paths.into_iter().filter(is_own).map(Location::from).collect())
}

/// What of a prefix are volumes: `NIfTI` objects, and prefixes of DICOM files.
fn in_store(prefix: &Location) -> Result<Vec<Location>> {
    let mut volumes = Vec::new();
    let mut folders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in prefix.list()? {
        match entry.name.split_once('/') {
            Some((folder, _)) => folders.entry(folder.to_owned()).or_default().push(entry.name),
            None if is_nifti_name(Path::new(&entry.name)) => volumes.push(prefix.join(&entry.name)?),
            None => {}
        }
    }
    for (folder, objects) in folders {
        if is_dicom_prefix(prefix, &objects)? {
            volumes.push(prefix.join(&folder)?);
        }
    }
    Ok(volumes)
}
