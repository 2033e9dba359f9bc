//! Paths in a recipe.

use std::env;
use std::path::{Path, PathBuf};

use super::TrainError;
use super::recipe::SceneSettings;
use super::recipe_text::RecipeText;
use crate::{Error, Result};

/// What `{name}` is replaced by.
const NAME: &str = "{name}";

/// The files of one scene.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SceneFiles {
    pub(super) name: String,
    pub(super) image: PathBuf,
    pub(super) labels: PathBuf,
    pub(super) layer: Option<String>,
}

/// Why a path cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PathError {
    expected: &'static str,
    got: String,
}

impl PathError {
    /// The error of a recipe's key.
    pub(super) fn at(self, text: &RecipeText, key: &str) -> TrainError {
        text.value(key, self.expected, self.got)
    }
}

/// A path of a recipe: environment variables replaced, relative to the recipe's folder.
pub(super) fn resolve(text: &str, recipe: &Path) -> Result<PathBuf, PathError> {
    let path = expand(text)?;
    Ok(recipe.parent().unwrap_or(Path::new("")).join(path))
}

/// Replaces every `${NAME}` by the environment variable of that name.
fn expand(text: &str) -> Result<String, PathError> {
    let mut parts = text.split("${");
    let mut expanded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((name, rest)) = part.split_once('}') else {
            return Err(PathError { expected: "a `}` after each `${`", got: format!("`{text}`") });
        };
        let Ok(value) = env::var(name) else {
            let got = format!("`{name}`, which is not");
            return Err(PathError { expected: "environment variables that are set", got });
        };
        expanded.push_str(&value);
        expanded.push_str(rest);
    }
    Ok(expanded)
}

/// The files that an entry of a recipe's scenes stands for, by name.
pub(super) fn scene_files(entry: &SceneSettings, at: usize, text: &RecipeText) -> Result<Vec<SceneFiles>> {
    let path = |value: &str, key: &str| {
        resolve(value, &text.path).map_err(|error| Error::from(error.at(text, &format!("scenes[{at}].{key}"))))
    };
    let (image, labels) = (path(&entry.image, "image")?, path(&entry.labels, "labels")?);
    let image = image.to_string_lossy().into_owned();
    let labels = labels.to_string_lossy().into_owned();
    let names = match &entry.names {
        Some(names) => names.clone(),
        None if image.contains(NAME) => found_names(&image, at, text)?,
        None => vec![name_of(Path::new(&image))],
    };
    let files = |name: String| SceneFiles {
        image: image.replace(NAME, &name).into(),
        labels: labels.replace(NAME, &name).into(),
        layer: entry.layer.as_ref().map(|layer| layer.replace(NAME, &name)),
        name,
    };
    if names.len() > 1 && !(image.contains(NAME) && labels.contains(NAME)) {
        let error = text.value(format!("scenes[{at}].names"), "`{name}` in `image` and in `labels`", "a path without");
        return Err(error.into());
    }
    Ok(names.into_iter().map(files).collect())
}

/// A file's name without its ending, or both endings of a compressed volume.
fn name_of(image: &Path) -> String {
    let stem = Path::new(image.file_stem().unwrap_or_default());
    let is_volume = image.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
    let stem = if is_volume { stem.file_stem().unwrap_or_default() } else { stem.as_os_str() };
    stem.to_string_lossy().into_owned()
}

/// What `{name}` may stand for so that `image` is a file, sorted.
fn found_names(image: &str, at: usize, text: &RecipeText) -> Result<Vec<String>> {
    let path = Path::new(image);
    let (folder, file) = (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default().to_string_lossy());
    let key = format!("scenes[{at}].image");
    let Some((before, after)) = file.split_once(NAME).filter(|_| !folder.to_string_lossy().contains(NAME)) else {
        return Err(text.value(key, "`names` where `{name}` is in a folder's name", "none").into());
    };
    let entries = folder.read_dir().map_err(|source| Error::File { action: "read", path: folder.into(), source })?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| Error::File { action: "read", path: folder.into(), source })?;
        let file = entry.file_name().to_string_lossy().into_owned();
        let name = file.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        names.extend(name.filter(|name| !name.is_empty()).map(str::to_owned));
    }
    names.sort();
    if names.is_empty() {
        return Err(text.value(key, "a pattern that files fit", format!("`{image}`, which none does")).into());
    }
    Ok(names)
}
