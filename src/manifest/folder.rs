//! Folders and prefixes.

use std::fs;
use std::path::Path;

use glob::{MatchOptions, Pattern};

use super::{BatchScene, ManifestError, ManifestOptions, SceneName};
use crate::source::SceneInput;
use crate::{Error, Location, RemoteError, Result};

/// Files that are scenes unless the user says otherwise.
const PATTERNS: [&str; 4] = ["*.tif", "*.tiff", "*.jp2", "*.vrt"];

/// A file in a folder or under a prefix.
#[derive(Clone, Debug)]
struct Listed {
    /// Its name in there, parted by `/`.
    name: String,
    location: Location,
}

/// The scenes in a folder or under a prefix, in the order of their names, by which they are called, without extensions.
pub(super) fn read(folder: &Location, options: &ManifestOptions) -> Result<Vec<Result<BatchScene>>> {
    let patterns = options.pattern.as_deref().map_or_else(|| PATTERNS.to_vec(), |pattern| vec![pattern]);
    let compile = |pattern: &&str| {
        Pattern::new(pattern).map_err(|source| ManifestError::Pattern { pattern: (*pattern).to_owned(), source })
    };
    let patterns = patterns.iter().map(compile).collect::<Result<Vec<_>, _>>()?;
    let mut files = list(folder)?;
    files.retain(|file| patterns.iter().any(|pattern| fits(pattern, &file.name)));
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files.into_iter().map(scene).collect())
}

fn fits(pattern: &Pattern, name: &str) -> bool {
    let options = MatchOptions { case_sensitive: false, require_literal_separator: true, require_literal_leading_dot: false };
    let what = if pattern.as_str().contains('/') { name } else { name.rsplit('/').next().unwrap_or(name) };
    pattern.matches_with(what, options)
}

fn scene(Listed { name, location }: Listed) -> Result<BatchScene> {
    let stem = match name.rsplit_once('.') {
        Some((stem, extension)) if !extension.contains('/') => stem,
        _ => &name,
    };
    let name = SceneName::new(stem, &location.shown())?;
    Ok(BatchScene { name, input: SceneInput::Listed(location), bands: None, acquired: None })
}

/// All files in a folder and those within it, or under a prefix.
fn list(folder: &Location) -> Result<Vec<Listed>> {
    let mut files = Vec::new();
    match folder {
        Location::Local(path) => walk(path, "", &mut files)?,
        Location::Remote(_) => {
            let source = RemoteError::Other { reason: "prefixes cannot be listed".into() };
            return Err(Error::Remote { action: "list".into(), location: folder.shown(), source });
        }
    }
    Ok(files)
}

/// Links to folders are not followed: they may lead in circles.
fn walk(folder: &Path, prefix: &str, files: &mut Vec<Listed>) -> Result<()> {
    let fail = |source| Error::File { action: "list", path: folder.into(), source };
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(fail)?.is_dir() {
            walk(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.push(Listed { name, location: Location::Local(entry.path()) });
        }
    }
    Ok(())
}
