//! Many volumes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use glob::Pattern;

use super::files::objects_of;
use super::item::is_product;
use super::kind::{has_dicom, is_dicom_prefix, is_hidden, is_nifti_name, is_volume};
use crate::manifest::{ManifestError, resolve};
use crate::{Error, Location, Result};

/// Most bytes of a text file that names volumes.
const LIST_BYTES: u64 = 64 << 20;

/// The volumes that a folder or prefix has, or a text file names, one a line: those whose names fit the pattern, if there is one. Of a folder these are its
/// `NIfTI` files and its folders with DICOM files, sorted by name, but for hidden ones and what an earlier run made there; paths in a text file are relative to
/// it, URIs are not. None if it has scenes instead.
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

/// Those that a text file names: lines that are no reference are an error if others are volumes, and left to whoever reads scenes if not.
fn listed(list: &Location) -> Result<Option<Vec<Location>>> {
    let text = list.read(LIST_BYTES)?;
    let text = String::from_utf8_lossy(&text);
    let lines = (1..).zip(text.trim_start_matches('\u{feff}').lines().map(str::trim));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let volumes: Vec<_> = lines.map(|(number, line)| (number, resolve(list, line))).collect();
    if !volumes.iter().any(|(_, volume)| volume.as_ref().is_ok_and(is_volume)) {
        return Ok(None);
    }
    let named = |(number, volume): (usize, std::result::Result<Location, String>)| {
        let fail = |reason| ManifestError::Entry { path: list.shown(), entry: format!("line {number}"), reason };
        Ok(volume.map_err(fail)?)
    };
    volumes.into_iter().map(named).collect::<Result<_>>().map(Some)
}

fn in_folder(folder: &Path) -> Result<Vec<Location>> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let entries = entries.map_err(|source| Error::File { action: "read", path: folder.to_owned(), source })?;
    let paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    let is_own = |path: &PathBuf| {
        let is_volume = if path.is_dir() { has_dicom(path) } else { is_nifti_name(path) };
        is_volume && !is_hidden(path)
    };
    let mut volumes = Vec::new();
    for volume in paths.iter().filter(|path| is_own(path)).map(|path| Location::from(path.clone())) {
        let there = |name: &str| Ok(folder.join(name).is_file().then(|| folder.join(name).into()));
        if !is_product(&volume.file_name(), there)? {
            volumes.push(volume);
        }
    }
    Ok(volumes)
}

/// What of a prefix are volumes: `NIfTI` objects, and prefixes of DICOM files.
fn in_store(prefix: &Location) -> Result<Vec<Location>> {
    let mut volumes = Vec::new();
    let mut folders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let entries = objects_of(prefix)?;
    let names: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let there = |name: &str| names.contains(name).then(|| prefix.join(name)).transpose();
    for name in &names {
        match name.split_once('/') {
            Some((folder, _)) => folders.entry(folder.to_owned()).or_default().push((*name).to_owned()),
            None if is_nifti_name(Path::new(name)) && !is_product(name, there)? => volumes.push(prefix.join(name)?),
            None => {}
        }
    }
    for (folder, objects) in folders {
        // What cannot be read is no reason to label nothing; here, the prefix may be one of scenes.
        let is_dicom = is_dicom_prefix(prefix, &objects).unwrap_or_else(|error| {
            tracing::warn!("{prefix}: {folder} is left out: {}", error.with_causes());
            false
        });
        if is_dicom {
            volumes.push(prefix.join(&folder)?.as_folder());
        }
    }
    Ok(volumes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_scenes_is_none_of_volumes() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list.txt");
        let volumes = |text: &str| {
            fs::write(&list, text).unwrap();
            volumes_of(&list.as_path().into(), None)
        };
        assert!(volumes("a.tif\tfirst\n../b.tif\nftp://host/c.tif\ns3://bucket/d.tif\n").unwrap().is_none());
        let found = volumes("\u{feff}# volumes\n\ncases/a.nii.gz\ns3://bucket/case/\n").unwrap().unwrap();
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(shown, [folder.path().join("cases/a.nii.gz").display().to_string(), "s3://bucket/case/".into()]);
        let error = volumes("a.nii\nftp://host/b.nii\n").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
