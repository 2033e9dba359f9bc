//! STAC items, as far as they say where a scene's bands are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::href::resolve;
use super::{BatchScene, ManifestError, ManifestOptions, SceneName, assets};
use crate::{Location, Result};

/// A document, before it is known what it is.
#[derive(Deserialize)]
pub(super) struct Document<'t> {
    #[serde(rename = "type", default)]
    kind: String,
    /// Each on its own, so that a wrong one does not spoil the others.
    #[serde(borrow, default)]
    features: Vec<&'t RawValue>,
    #[serde(default)]
    links: Vec<Link>,
}

/// A scene in a catalogue.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Item {
    pub(super) id: String,
    #[serde(default)]
    properties: Properties,
    #[serde(default)]
    pub(super) assets: BTreeMap<String, Asset>,
    #[serde(default)]
    links: Vec<Link>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Properties {
    datetime: Option<String>,
    start_datetime: Option<String>,
}

/// A file of an item.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Asset {
    pub(super) href: String,
    #[serde(rename = "type")]
    pub(super) media_type: Option<String>,
    #[serde(default)]
    pub(super) roles: Vec<String>,
    /// STAC 1.1.
    #[serde(default)]
    pub(super) bands: Vec<AssetBand>,
    /// The extension `eo`, before STAC 1.1.
    #[serde(rename = "eo:bands", default)]
    pub(super) eo_bands: Vec<AssetBand>,
}

/// What an asset says of one of its bands.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct AssetBand {
    pub(super) name: Option<String>,
    #[serde(alias = "eo:common_name")]
    pub(super) common_name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Link {
    rel: String,
    href: String,
}

/// The scenes of an item or of a collection of items; `bands` are the names of those that the model takes.
pub(super) fn read(
    manifest: &Location,
    text: &str,
    options: &ManifestOptions,
    bands: &[String],
) -> Result<Vec<Result<BatchScene>>> {
    let path = || manifest.shown();
    let document: Document<'_> = serde_json::from_str(text).map_err(|source| ManifestError::Json { path: path(), source })?;
    match document.kind.as_str() {
        "Feature" => {
            let item: Item = serde_json::from_str(text).map_err(|source| ManifestError::Json { path: path(), source })?;
            Ok(vec![item.scene(manifest, options, bands)])
        }
        "FeatureCollection" => {
            if document.links.iter().any(|link| link.rel == "next") {
                tracing::warn!("{manifest} is one page of several: the next ones are not followed");
            }
            let items = (1..).zip(&document.features);
            Ok(items.map(|(number, text)| member(manifest, number, text, options, bands)).collect())
        }
        kind => Err(ManifestError::Kind { path: path(), kind: kind.to_owned() }.into()),
    }
}

/// An item of a collection. Its references are relative to itself, where it says where that is, and otherwise to the collection.
fn member(
    manifest: &Location,
    number: usize,
    text: &RawValue,
    options: &ManifestOptions,
    bands: &[String],
) -> Result<BatchScene> {
    let fail = |entry: String, reason: String| ManifestError::Entry { path: manifest.shown(), entry, reason };
    let item: Item = serde_json::from_str(text.get()).map_err(|error| fail(format!("item {number}"), error.to_string()))?;
    let own = item.links.iter().find(|link| link.rel == "self");
    let own = own.map(|link| resolve(manifest, &link.href)).transpose();
    let own = own.map_err(|reason| fail(format!("item `{}`", item.id), reason))?;
    item.scene(own.as_ref().unwrap_or(manifest), options, bands)
}

impl Item {
    fn scene(self, base: &Location, options: &ManifestOptions, bands: &[String]) -> Result<BatchScene> {
        let found = assets::find(&self, base, &options.assets, bands)?;
        let name = SceneName::new(&self.id, &found.input.shown())?;
        let time = |text: Option<String>| text?.parse::<Timestamp>().ok();
        let acquired = time(self.properties.datetime).or_else(|| time(self.properties.start_datetime));
        Ok(BatchScene { name, input: found.input, bands: Some(found.bands).filter(|bands| !bands.is_empty()), acquired })
    }
}
