//! The STAC item beside a label raster: which model, which input and which parameters made it.

use std::io;
use std::path::{Path, PathBuf};

use gdal::{Dataset, Metadata};
use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};
use swath_models::Class;
use swath_tiling::Size;

use crate::digest::Digest;
use crate::sink::{Unpublished, colours, part_path, prepare_text, write_text};
use crate::{Error, Existing, Georeference, LabelSummary, LayerEncoding, Result};

/// The media type of a COG.
const COG: &str = "image/tiff; application=geotiff; profile=cloud-optimized";

/// What an item says of a label raster. The item goes beside it: `labels.tif` gets `labels.json`.
#[derive(Clone, Debug)]
pub struct ItemDescription<'a> {
    /// The published label raster.
    pub labels: &'a Path,
    /// Its size, in pixels.
    pub size: Size,
    /// Where it lies.
    pub georeference: &'a Georeference,
    /// What the labels mean.
    pub classes: &'a [Class],
    /// The value of pixels without a label.
    pub nodata: u8,
    /// How often each label occurs.
    pub summary: &'a LabelSummary,
    /// The published probabilities, if there are any.
    pub probabilities: Option<LayerAsset<'a>>,
    /// The published confidence, if there is any.
    pub confidence: Option<LayerAsset<'a>>,
    /// What was labelled: its path or URI, one for each raster.
    pub sources: &'a [String],
    /// What labelled it.
    pub model: ModelReference<'a>,
    /// Everything that the result depends on.
    pub parameters: Map<String, Value>,
    /// When the scene was acquired, see [`acquired`]; if that is not known, the item has the processing time instead.
    pub acquired: Option<Timestamp>,
    /// The processing time.
    pub created: Timestamp,
    /// What happens to an earlier item.
    pub existing: Existing,
}

/// A published layer.
#[derive(Clone, Copy, Debug)]
pub struct LayerAsset<'a> {
    /// The file.
    pub path: &'a Path,
    /// What each band is.
    pub bands: &'a [String],
    /// How it is stored.
    pub encoding: LayerEncoding,
}

/// The model that labelled the scene.
#[derive(Clone, Copy, Debug)]
pub struct ModelReference<'a> {
    /// Its `mlm:name`.
    pub name: &'a str,
    /// Its version, if it has one.
    pub version: Option<&'a str>,
    /// The model card: a path or URI.
    pub href: &'a str,
}

/// When a raster says that it was acquired: GDAL's `ACQUISITIONDATETIME`, else the TIFF's own date; both are taken for UTC.
#[must_use]
pub fn acquired(dataset: &Dataset) -> Option<Timestamp> {
    let item = |key, domain, format| {
        let time = DateTime::strptime(format, dataset.metadata_item(key, domain)?.trim()).ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    item("ACQUISITIONDATETIME", "IMAGERY", "%Y-%m-%d %H:%M:%S").or_else(|| item("TIFFTAG_DATETIME", "", "%Y:%m:%d %H:%M:%S"))
}

/// Where the item of a label raster goes: `labels.tif` gets `labels.json`.
pub(crate) fn item_path(labels: &Path) -> PathBuf {
    labels.with_extension("json")
}

/// Where the files are that an item is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Files {
    /// Where it says.
    Published,
    /// Where they are written first.
    Unpublished,
}

impl ItemDescription<'_> {
    /// Where the item goes.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        item_path(self.labels)
    }

    /// Writes the item; it appears whole or not at all.
    ///
    /// # Errors
    ///
    /// If an item exists and must stay, a published file cannot be read, or the item cannot be written.
    pub fn write(&self) -> Result<()> {
        write_text(&self.path(), &format!("{:#}\n", self.item(Files::Published)?), self.existing)
    }

    /// Writes the item about files that have no names yet; nor has it. `shard` is what merging needs to know of a shard.
    pub(crate) fn prepare(&self, shard: Option<&Value>) -> Result<Unpublished> {
        let mut item = self.item(Files::Unpublished)?;
        if let Some(shard) = shard {
            item["properties"]["swath:shard"] = shard.clone();
        }
        prepare_text(&self.path(), &format!("{item:#}\n"), self.existing)
    }

    fn item(&self, files: Files) -> Result<Value> {
        let footprint = self.georeference.footprint_wgs84(self.size);
        let mut assets = Map::new();
        assets.insert("labels".into(), self.labels_asset(files)?);
        for (key, layer) in [("probabilities", self.probabilities), ("confidence", self.confidence)] {
            if let Some(layer) = layer {
                assets.insert(key.into(), self.layer_asset(layer, files)?);
            }
        }
        let mut item = json!({
            "type": "Feature",
            "stac_version": "1.1.0",
            "stac_extensions": [
                "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
                "https://stac-extensions.github.io/file/v2.1.0/schema.json",
                "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
                "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
            ],
            "id": self.labels.file_stem().unwrap_or_default().to_string_lossy(),
            "geometry": footprint.map(|ring| json!({ "type": "Polygon", "coordinates": [ring] })),
            "properties": self.properties(),
            "assets": assets,
            "links": self.links(),
        });
        // Without a geometry, STAC wants no box either.
        if let Some(ring) = footprint {
            let bound = |axis: usize, pick: fn(f64, f64) -> f64| ring.iter().map(|point| point[axis]).fold(ring[0][axis], pick);
            item["bbox"] = json!([bound(0, f64::min), bound(1, f64::min), bound(0, f64::max), bound(1, f64::max)]);
        }
        // Layers stored in steps are the only ones with fields of this extension, which refuses items without any.
        let scaled = |layer: Option<LayerAsset<'_>>| layer.is_some_and(|layer| layer.encoding == LayerEncoding::U8);
        if let Some(extensions) = item["stac_extensions"].as_array_mut()
            && (scaled(self.probabilities) || scaled(self.confidence))
        {
            extensions.push("https://stac-extensions.github.io/raster/v2.0.0/schema.json".into());
        }
        Ok(item)
    }

    fn properties(&self) -> Value {
        let mut properties = json!({
            "datetime": self.acquired.unwrap_or(self.created).to_string(),
            "created": self.created.to_string(),
            "processing:software": { "swath": env!("CARGO_PKG_VERSION") },
            "processing:level": "L4",
            "proj:shape": [self.size.height, self.size.width],
            "swath:model": { "name": self.model.name, "version": self.model.version },
            "swath:parameters": self.parameters,
        });
        if let Some(code) = self.georeference.crs_code() {
            properties["proj:code"] = code.into();
        } else if let Some(wkt) = &self.georeference.crs_wkt {
            properties["proj:wkt2"] = wkt.as_str().into();
        }
        if let Some([x, x_column, x_row, y, y_column, y_row]) = self.georeference.transform {
            // The same numbers as GDAL's, by matrix row.
            properties["proj:transform"] = json!([x_column, x_row, x, y_column, y_row, y]);
        }
        properties
    }

    fn labels_asset(&self, files: Files) -> Result<Value> {
        let counts = self.summary.counts.iter().chain([&self.summary.nodata_count]);
        let all = counts.clone().sum::<u64>().max(1) as f64;
        let mut classes: Vec<Value> = self
            .classes
            .iter()
            .zip(colours(self.classes))
            .map(|(class, colour)| {
                let mut class = json!(class);
                class["color_hint"] = colour.to_string().into();
                class
            })
            .collect();
        classes.push(json!({ "value": self.nodata, "name": "nodata", "nodata": true }));
        for (class, &count) in classes.iter_mut().zip(counts) {
            class["count"] = count.into();
            class["percentage"] = (100.0 * count as f64 / all).into();
        }
        let mut asset = self.file_asset(self.labels, "Labels", "uint8", files)?;
        asset["nodata"] = self.nodata.into();
        asset["classification:classes"] = classes.into();
        Ok(asset)
    }

    fn layer_asset(&self, layer: LayerAsset<'_>, files: Files) -> Result<Value> {
        let bands: Vec<Value> = layer.bands.iter().map(|name| json!({ "name": name })).collect();
        let mut asset = match layer.encoding {
            LayerEncoding::F32 => {
                let mut asset = self.file_asset(layer.path, "Scores", "float32", files)?;
                asset["nodata"] = "nan".into();
                asset
            }
            LayerEncoding::U8 => {
                let mut asset = self.file_asset(layer.path, "Scores", "uint8", files)?;
                asset["nodata"] = u8::MAX.into();
                asset["raster:scale"] = (1.0 / f64::from(LayerEncoding::STEPS)).into();
                asset["raster:offset"] = 0.into();
                asset
            }
        };
        asset["bands"] = bands.into();
        Ok(asset)
    }

    /// What the item says of every file.
    fn file_asset(&self, path: &Path, title: &str, data_type: &str, files: Files) -> Result<Value> {
        let stored = match files {
            Files::Published => path.to_owned(),
            Files::Unpublished => part_path(path),
        };
        let (size, checksum) = digest(&stored).map_err(|source| Error::File { action: "read", path: stored, source })?;
        Ok(json!({
            "href": self.href(path),
            "type": COG,
            "title": title,
            "roles": ["data"],
            "data_type": data_type,
            "file:size": size,
            "file:checksum": checksum,
        }))
    }

    /// How the item refers to a file: relative to itself where both are in one folder.
    fn href(&self, path: &Path) -> String {
        match path.file_name() {
            Some(name) if path.parent() == self.labels.parent() => format!("./{}", name.to_string_lossy()),
            _ => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned(),
        }
    }

    fn links(&self) -> Value {
        let sources = self.sources.iter().map(|href| json!({ "rel": "derived_from", "href": href, "title": "Source" }));
        let model = json!({
            "rel": "derived_from",
            "href": self.model.href,
            "type": "application/json",
            "title": "Model card",
            "mlm:name": self.model.name,
        });
        sources.chain([model]).collect()
    }
}

/// A file's length in bytes and its SHA-256 as a multihash: 12 for the function, 20 for the digest's length, then the digest, in hex.
pub(crate) fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut digest = Digest::default();
    digest.add_file(path)?;
    Ok((digest.bytes(), format!("1220{}", digest.hex())))
}
