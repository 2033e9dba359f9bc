//! Lists of paths and URIs.

use super::href::resolve;
use super::{BatchScene, ManifestError, SceneName};
use crate::source::SceneInput;
use crate::{Location, Result};

/// The scenes of a list: one a line, perhaps with its name after a TAB; empty lines and those that begin with `#` are none.
pub(super) fn read(manifest: &Location, text: &str) -> Vec<Result<BatchScene>> {
    let lines = (1..).zip(text.trim_start_matches('\u{feff}').lines());
    let is_scene = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    lines.filter(|(_, line)| is_scene(line)).map(|(number, line)| scene(manifest, number, line)).collect()
}

fn scene(manifest: &Location, number: usize, line: &str) -> Result<BatchScene> {
    let (href, name) = line.split_once('\t').map_or((line, None), |(href, name)| (href, Some(name.trim())));
    let location = resolve(manifest, href.trim()).map_err(|reason| ManifestError::Entry {
        path: manifest.shown(),
        entry: format!("line {number}"),
        reason,
    })?;
    let stem = location.file_stem();
    let name = SceneName::new(name.unwrap_or(&stem), &location.shown())?;
    Ok(BatchScene { name, input: SceneInput::Listed(location), bands: None, acquired: None })
}
