//! Reading a manifest.

use std::collections::HashMap;

use super::{BatchScene, ManifestError, ManifestOptions, SceneName, folder, item, list};
use crate::{Location, Result};

/// Largest manifest, in bytes: ten thousands of items.
const MOST: u64 = 256 << 20;

/// The scenes of a batch. Those that are wrong are errors, and do not spoil the others.
#[derive(Debug)]
pub struct Manifest {
    /// In the order of the manifest; those of folders and prefixes in the order of their names.
    pub scenes: Vec<Result<BatchScene>>,
}

impl Manifest {
    /// Reads a manifest: a folder or prefix (which ends with `/`), a STAC item or item collection of at most 256 MiB, or a list of paths and URIs.
    ///
    /// `bands` are the names of the bands that the model takes: those of its card, or those that the user chose.
    ///
    /// # Errors
    /// If it cannot be read, or has no scenes.
    pub fn read(location: &Location, options: &ManifestOptions, bands: &[String]) -> Result<Self> {
        let mut scenes = if location.is_folder() {
            folder::read(location, options)?
        } else {
            let text = String::from_utf8(location.read(MOST)?);
            let text = text.map_err(|source| ManifestError::NoText { path: location.shown(), source })?;
            let is_json = text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']);
            if is_json { item::read(location, &text, options, bands)? } else { list::read(location, &text) }
        };
        if scenes.is_empty() {
            return Err(ManifestError::Empty { path: location.shown() }.into());
        }
        refuse_twins(&mut scenes);
        Ok(Self { scenes })
    }
}

/// Scenes of one name are errors, all of them: which of them the user meant is not known.
fn refuse_twins(scenes: &mut [Result<BatchScene>]) {
    let mut places: HashMap<SceneName, Vec<usize>> = HashMap::new();
    for (place, scene) in scenes.iter().enumerate() {
        if let Ok(scene) = scene {
            places.entry(scene.name.clone()).or_default().push(place);
        }
    }
    for (name, places) in places.into_iter().filter(|(_, places)| places.len() > 1) {
        let shown: Vec<_> =
            places.iter().map(|place| scenes[*place].as_ref().map(|scene| scene.input.locations()[0].shown())).collect();
        let shown: Vec<_> = shown.into_iter().flatten().collect();
        for (place, own) in places.iter().zip(&shown) {
            let other = if *place == places[0] { &shown[1] } else { &shown[0] };
            let (first, second) = if *place == places[0] { (own, other) } else { (other, own) };
            let twice = ManifestError::NameTwice { name: name.to_string(), first: first.clone(), second: second.clone() };
            scenes[*place] = Err(twice.into());
        }
    }
}
