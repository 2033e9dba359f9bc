//! What says how labels were made: the JSON file beside a label volume.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use swath_models::Extent;

use super::after::Kept;
use super::output::{VolumeOutput, item_of};
use super::place::{PROBABILITIES, stem_of};
use super::report::ClassVolume;
use super::segmenter::VolumeSegmenter;
use super::source::Volume;
use crate::digest::Digest;
use crate::plan::Plan;
use crate::source::RasterSource as _;
use crate::{Error, Location, Result, Target};

/// What of it labels follow from.
const IDENTITY: [&str; 6] = ["swath", "source", "source_version", "frame", "model", "parameters"];

/// SHA-256 of the label volume.
pub(super) const DIGEST: &str = "labels_sha256";

/// SHA-256 of the volume of probabilities.
pub(super) const PROBABILITY_DIGEST: &str = "probabilities_sha256";

/// Most bytes of such a file.
const ITEM_BYTES: u64 = 1 << 20;

/// Whether this is the name of a volume that an earlier run made: what says how lies beside it, as `beside` finds it by its name. Others have JSON files
/// beside their volumes, too.
pub(super) fn is_product(name: &str, beside: impl Fn(&str) -> Result<Option<Location>>) -> Result<bool> {
    let stem = stem_of(name);
    for (stem, field) in [(Some(stem), "labels"), (stem.strip_suffix(PROBABILITIES), "probabilities")] {
        let Some(item) = stem.map(|stem| beside(&format!("{stem}.json"))).transpose()?.flatten() else { continue };
        // One that is too long, or cannot be read, is none of ours.
        let found = item.read(ITEM_BYTES).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        if found.is_some_and(|found| found["swath"].is_string() && found[field] == name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The value of voxels without a label, if what lies beside a label volume says so.
pub(crate) fn nodata_of(labels: &Path) -> Option<u8> {
    let text = fs::read(item_of(labels)).ok()?;
    let found: Value = serde_json::from_slice(&text).ok()?;
    let is_own = labels.file_name().is_some_and(|name| found["labels"] == name.to_string_lossy().as_ref());
    is_own.then(|| found["nodata"].as_u64()).flatten().and_then(|value| value.try_into().ok())
}

impl VolumeSegmenter {
    /// What the labels depend on, in groups that [`difference`](crate::identity::difference) names.
    pub(super) fn identity(&self, volume: &Volume, plan: &Plan, output: &VolumeOutput) -> Value {
        let mut options = self.parameters(volume, plan, output);
        options["probabilities"] = output.probabilities.is_some().into();
        json!({
            "version of swath": env!("CARGO_PKG_VERSION"),
            "model": self.model(),
            "volume": { "path": source(volume), "version": volume.version(), "frame": volume.frame() },
            "options": options,
        })
    }

    /// Everything that the labels depend on, and what they are.
    pub(super) fn describe(
        &self,
        volume: &Volume,
        plan: &Plan,
        output: &VolumeOutput,
        classes: &[ClassVolume],
        nodata: u64,
    ) -> Value {
        let stored = volume.stored_profile();
        let (copy, shown) = (volume.files().path().display().to_string(), volume.location().to_string());
        let warnings: Vec<String> = stored.warnings.iter().map(|warning| warning.to_string().replace(&copy, &shown)).collect();
        json!({
            "swath": env!("CARGO_PKG_VERSION"),
            "labels": output.path.file_name().map(|name| name.to_string_lossy()),
            "probabilities": output.probabilities.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy()),
            "source": source(volume),
            "source_version": volume.version(),
            "frame": volume.frame(),
            "size": [stored.size.x, stored.size.y, stored.size.z],
            "spacing_mm": stored.affine.spacing(),
            "orientation": stored.affine.orientation().to_string(),
            "warnings": warnings,
            "model": self.model(),
            "parameters": self.parameters(volume, plan, output),
            "classes": classes,
            "nodata": self.card.nodata,
            "nodata_voxels": nodata,
        })
    }

    fn model(&self) -> Value {
        json!({ "name": self.card.name, "href": self.origin.href, "sha256": self.origin.digest })
    }

    fn parameters(&self, volume: &Volume, plan: &Plan, output: &VolumeOutput) -> Value {
        let Extent { z, y, x } = plan.layout.input;
        let overlap = plan.layout.overlap;
        let grid = volume.profile().size;
        let after = output.after;
        json!({
            "volume": self.input,
            "grid": [grid.width, grid.height, grid.depth],
            "tile": [x, y, z],
            "overlap": [overlap.width, overlap.height, overlap.depth],
            "series": volume.series(),
            "gaps": volume.gaps(),
            "assume_hounsfield": volume.assumes_hounsfield(),
            "assume_place": volume.assumes_place(),
            "blend": plan.blend.name(),
            "tta": self.augmentation.to_string(),
            "device": "cpu",
            "precision": plan.arithmetic.precision.name(),
            "convolutions": plan.arithmetic.convolutions.name(),
            "largest_component": after.kept == Kept::Largest,
            "smallest_component_mm3": after.smallest,
            "fill_holes": after.fill_holes,
        })
    }

    /// As [`VolumePlace::finished`](super::VolumePlace::finished), of labels that are made as `output` says.
    pub(super) fn finished(
        &self,
        volume: &Volume,
        plan: &Plan,
        output: &VolumeOutput,
        target: &Target,
    ) -> Result<Option<Vec<ClassVolume>>> {
        let place = |path: &Path| {
            if target.is_staged() {
                target.delivered(&path.file_name().unwrap_or_default().to_string_lossy())
            } else {
                Ok(path.into())
            }
        };
        let item = place(&output.item())?;
        if item.version()?.is_none() {
            return Ok(None);
        }
        let Ok(Value::Object(found)) = serde_json::from_slice::<Value>(&item.read(ITEM_BYTES)?) else { return Ok(None) };
        let expected = self.describe(volume, plan, output, &[], 0);
        if IDENTITY.iter().any(|field| found.get(*field) != expected.get(*field)) {
            return Ok(None);
        }
        for (field, path) in [(DIGEST, Some(&output.path)), (PROBABILITY_DIGEST, output.probabilities.as_ref())] {
            let Some(path) = path else { continue };
            let is_there = match place(path)? {
                Location::Local(path) => path.exists() && found.get(field).and_then(Value::as_str) == Some(&digest(&path)?),
                // An object comes whole, before the one that says how it was made.
                remote @ Location::Remote(_) => found.contains_key(field) && remote.version()?.is_some(),
            };
            if !is_there {
                return Ok(None);
            }
        }
        let classes = found.get("classes").and_then(|classes| serde_json::from_value(classes.clone()).ok());
        if classes.is_some() {
            // The run that made it may have been killed right after.
            target.tidy(&output.path)?;
        }
        Ok(classes)
    }
}

/// A volume by a name that is the same wherever a run is started.
fn source(volume: &Volume) -> PathBuf {
    match volume.location() {
        Location::Local(path) => fs::canonicalize(path).unwrap_or_else(|_| path.clone()),
        remote @ Location::Remote(_) => remote.shown(),
    }
}

/// SHA-256 of a file.
pub(super) fn digest(path: &Path) -> Result<String> {
    let mut digest = Digest::default();
    let read: io::Result<()> = digest.add_file(path);
    read.map_err(|source| Error::File { action: "read", path: path.to_owned(), source })?;
    Ok(digest.hex())
}
