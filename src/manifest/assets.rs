//! Which assets of an item the model's bands are in.

use super::href::resolve;
use super::item::{Asset, Item};
use super::{AssetChoice, ManifestError};
use crate::Location;
use crate::source::{BandRequest, SceneInput, Stack, StackBand};

/// What a scene is read from, and where the model's bands are in there.
pub(super) struct Found {
    pub(super) input: SceneInput,
    /// Empty if the raster itself is to say.
    pub(super) bands: Vec<BandRequest>,
}

/// A band in an asset.
#[derive(Clone, Copy, Debug)]
struct Place<'i> {
    key: &'i str,
    asset: &'i Asset,
    /// From 1.
    band: usize,
}

/// How an asset says that a band is the one, the surest first.
#[derive(Clone, Copy, Debug)]
enum Way {
    Name,
    EoName,
    CommonName,
    Key,
}

/// Finds the model's bands by name in the chosen assets. One asset that says nothing about its bands is taken as a raster that does.
pub(super) fn find(item: &Item, base: &Location, choice: &AssetChoice, bands: &[String]) -> Result<Found, ManifestError> {
    let chosen = choose(item, choice)?;
    let places: Vec<Option<Place<'_>>> = bands.iter().map(|band| place(item, &chosen, band)).collect::<Result<_, _>>()?;
    let location = |key: &str, asset: &Asset| {
        let fail =
            |reason| ManifestError::Entry { path: base.shown(), entry: format!("asset `{key}` of item `{}`", item.id), reason };
        resolve(base, &asset.href).map_err(fail)
    };
    let missing = places.iter().zip(bands).find(|(place, _)| place.is_none());
    match (missing, chosen.as_slice(), choice) {
        (None, ..) => {}
        (Some(_), [(key, asset)], AssetChoice::Keys(_) | AssetChoice::Role(_)) => {
            return Ok(Found { input: SceneInput::Listed(location(key, asset)?), bands: Vec::new() });
        }
        (Some((_, band)), ..) => {
            return Err(ManifestError::BandMissing { item: item.id.clone(), band: band.clone(), assets: describe(&chosen) });
        }
    }
    let places: Vec<Place<'_>> = places.into_iter().flatten().collect();
    if let [first, others @ ..] = places.as_slice()
        && others.iter().all(|place| place.key == first.key)
    {
        // Pixels of several bands that are stored together are read together.
        let bands = places.iter().map(|place| BandRequest::Number(place.band)).collect();
        return Ok(Found { input: SceneInput::Listed(location(first.key, first.asset)?), bands });
    }
    let stack_band = |(place, name): (&Place<'_>, &String)| {
        Ok(StackBand { name: name.clone(), location: location(place.key, place.asset)?, band: place.band })
    };
    let stacked = places.iter().zip(bands).map(stack_band).collect::<Result<_, _>>()?;
    let requests = bands.iter().map(|name| name.parse().unwrap_or_else(|never| match never {})).collect();
    Ok(Found { input: SceneInput::Stack(Stack { name: item.id.clone(), bands: stacked }), bands: requests })
}

/// The assets that are looked at.
fn choose<'i>(item: &'i Item, choice: &AssetChoice) -> Result<Vec<(&'i str, &'i Asset)>, ManifestError> {
    let all = || item.assets.iter().map(|(key, asset)| (key.as_str(), asset));
    let missing = |wanted: String| ManifestError::AssetMissing {
        item: item.id.clone(),
        wanted,
        assets: describe(&all().collect::<Vec<_>>()),
    };
    let chosen: Vec<_> = match choice {
        AssetChoice::All => all().filter(|(_, asset)| may_be_scene(asset)).collect(),
        AssetChoice::Role(role) => all().filter(|(_, asset)| asset.roles.contains(role)).collect(),
        AssetChoice::Keys(keys) => {
            let find = |key: &String| all().find(|(own, _)| own == key).ok_or_else(|| missing(format!("`{key}`")));
            keys.iter().map(find).collect::<Result<_, _>>()?
        }
    };
    match choice {
        AssetChoice::Role(role) if chosen.is_empty() => Err(missing(format!("with the role `{role}`"))),
        _ => Ok(chosen),
    }
}

/// Whether an asset may be a raster of the scene itself.
fn may_be_scene(asset: &Asset) -> bool {
    let is_other = |role: &String| ["thumbnail", "overview", "metadata"].contains(&role.as_str());
    let is_text = |media_type: &String| {
        ["text/", "application/json", "application/geo+json", "application/xml"].iter().any(|text| media_type.starts_with(text))
    };
    !asset.roles.iter().any(is_other) && !asset.media_type.as_ref().is_some_and(is_text)
}

/// Where a band is: in the only place that the surest way gives.
fn place<'i>(item: &Item, assets: &[(&'i str, &'i Asset)], name: &str) -> Result<Option<Place<'i>>, ManifestError> {
    for way in [Way::Name, Way::EoName, Way::CommonName, Way::Key] {
        let places: Vec<Place<'i>> = assets.iter().flat_map(|&(key, asset)| places(key, asset, name, way)).collect();
        match places.as_slice() {
            [] => {}
            [only] => return Ok(Some(*only)),
            several => {
                let candidate = |place: &Place<'_>| format!("asset `{}` band {}", place.key, place.band);
                let candidates = several.iter().map(candidate).collect::<Vec<_>>().join(", ");
                return Err(ManifestError::BandAmbiguous { item: item.id.clone(), band: name.to_owned(), candidates });
            }
        }
    }
    Ok(None)
}

/// Where an asset has the band, said in this way.
fn places<'i>(key: &'i str, asset: &'i Asset, name: &str, way: Way) -> Vec<Place<'i>> {
    let is_it = |own: Option<&String>| own.is_some_and(|own| own.eq_ignore_ascii_case(name));
    let fits: Vec<bool> = match way {
        Way::Name => asset.bands.iter().map(|band| is_it(band.name.as_ref())).collect(),
        Way::EoName => asset.eo_bands.iter().map(|band| is_it(band.name.as_ref())).collect(),
        Way::CommonName => {
            // An asset that says it in both ways says it once.
            let bands = if asset.bands.is_empty() { &asset.eo_bands } else { &asset.bands };
            bands.iter().map(|band| is_it(band.common_name.as_ref())).collect()
        }
        // A key says what an asset of one band is.
        Way::Key => {
            let several = asset.bands.len().max(asset.eo_bands.len()) > 1;
            vec![!several && key.eq_ignore_ascii_case(name)]
        }
    };
    (1..).zip(fits).filter(|(_, fits)| *fits).map(|(band, _)| Place { key, asset, band }).collect()
}

/// Assets and the names of their bands, for people: `B04 (red), SCL`.
fn describe(assets: &[(&str, &Asset)]) -> String {
    let name = |(key, asset): &(&str, &Asset)| {
        let bands = asset.bands.iter().chain(&asset.eo_bands);
        let names: Vec<&str> = bands.filter_map(|band| band.name.as_deref().or(band.common_name.as_deref())).collect();
        if names.is_empty() { format!("`{key}`") } else { format!("`{key}` ({})", names.join(", ")) }
    };
    if assets.is_empty() { "none".into() } else { assets.iter().map(name).collect::<Vec<_>>().join(", ") }
}
