//! Folders and prefixes.

use glob::{MatchOptions, Pattern};

use super::{BatchScene, ManifestError, ManifestOptions, SceneName};
use crate::source::SceneInput;
use crate::{Location, Result};

/// Files that are scenes unless the user says otherwise.
const PATTERNS: [&str; 4] = ["*.tif", "*.tiff", "*.jp2", "*.vrt"];

/// The scenes in a folder or under a prefix, in the order of their names, by which they are called, without extensions.
pub(super) fn read(folder: &Location, options: &ManifestOptions) -> Result<Vec<Result<BatchScene>>> {
    let patterns = options.pattern.as_deref().map_or_else(|| PATTERNS.to_vec(), |pattern| vec![pattern]);
    let compile = |pattern: &&str| {
        Pattern::new(pattern).map_err(|source| ManifestError::Pattern { pattern: (*pattern).to_owned(), source })
    };
    let patterns = patterns.iter().map(compile).collect::<Result<Vec<_>, _>>()?;
    let files = folder.list()?.into_iter().map(|file| file.name);
    let fitting = files.filter(|name| patterns.iter().any(|pattern| fits(pattern, name)));
    Ok(fitting.map(|name| scene(folder, &name)).collect())
}

fn fits(pattern: &Pattern, name: &str) -> bool {
    let options = MatchOptions { case_sensitive: false, require_literal_separator: true, require_literal_leading_dot: false };
    let what = if pattern.as_str().contains('/') { name } else { name.rsplit('/').next().unwrap_or(name) };
    pattern.matches_with(what, options)
}

fn scene(folder: &Location, name: &str) -> Result<BatchScene> {
    let location = folder.join(name)?;
    let stem = match name.rsplit_once('.') {
        Some((stem, extension)) if !extension.contains('/') => stem,
        _ => name,
    };
    let name = SceneName::new(stem, &location.shown())?;
    Ok(BatchScene { name, input: SceneInput::Listed(location), bands: None, acquired: None })
}
