//! From a card to a STAC item.

use std::path::Path;
use std::{fs, io};

use serde_json::{Map, Value, json};

use super::ModelCard;
use super::item::{ArrayField, BandField, ClassField, GsdField, InputField, Item, OutputField, Properties, ScalingField};
use crate::files::{GRAPH, WEIGHTS};
use crate::{Class, Error, Extent, Graph, Rank, Result, Scaling};

const MLM: &str = "https://stac-extensions.github.io/mlm/v1.5.2/schema.json";
const CLASSIFICATION: &str = "https://stac-extensions.github.io/classification/v2.0.0/schema.json";

impl ModelCard {
    /// Writes the card as a STAC item whose assets are the other files of the folder. The network's shapes come from `graph`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path, graph: &Graph) -> Result<()> {
        let fail = |source| Error::Json { path: path.into(), source };
        let mut text = serde_json::to_vec_pretty(&Item::describe(self, graph)).map_err(fail)?;
        text.push(b'\n');
        fs::write(path, text).map_err(|source: io::Error| Error::Write { path: path.into(), source })
    }
}

impl Item {
    /// The item that says what `card` says of `graph`.
    fn describe(card: &ModelCard, graph: &Graph) -> Self {
        let asset = |href: &str, title: &str, media: &str, roles: &[&str]| json!({ "href": href, "title": title, "type": media, "roles": roles });
        let mut weights =
            asset(WEIGHTS, "Weights", "application/octet-stream; application=safetensors", &["mlm:model", "mlm:weights"]);
        weights["mlm:artifact_type"] = "safetensors.torch.save_file".into();
        let rest = json!({
            "type": "Feature",
            "stac_version": "1.1.0",
            "stac_extensions": [MLM, CLASSIFICATION],
            "id": card.name,
            "geometry": null,
            "links": [],
            "assets": {
                "model": weights,
                "graph": asset(GRAPH, "Network", "application/json", &["swath:graph"]),
            },
        });
        // A model has no place in time; STAC wants an interval then.
        let times = json!({ "datetime": null, "start_datetime": "1900-01-01T00:00:00Z", "end_datetime": "9999-12-31T23:59:59Z" });
        let object = |value: Value| if let Value::Object(map) = value { map } else { Map::new() };
        let array = |kind: &str, channels: usize, extent: Option<Extent>| {
            let length = |n: Option<usize>| n.map_or(-1, |n| n as i64);
            let spatial = match graph.rank() {
                Rank::Planar => vec![length(extent.map(|e| e.y)), length(extent.map(|e| e.x))],
                Rank::Volumetric => vec![length(extent.map(|e| e.z)), length(extent.map(|e| e.y)), length(extent.map(|e| e.x))],
            };
            ArrayField {
                shape: [-1, channels as i64].into_iter().chain(spatial).collect(),
                dim_order: dim_order(graph.rank(), kind),
                data_type: "float32".into(),
            }
        };
        let is_scaled = card.scaling.iter().any(|scaling| *scaling != Scaling::None);
        let fixed = graph.fixed_extent();
        let result = fixed.and_then(|extent| graph.output_shape(extent).ok()).map(|shape| shape.extent);
        let nodata = Class { value: card.nodata, name: "nodata".into(), title: None, description: None, colour: None };
        let classes = card.classes.iter().map(|class| ClassField { class: class.clone(), nodata: false });
        let (parameters, task) = (graph.parameters(), "semantic-segmentation".to_string());
        let halo = graph.geometry().ok().and_then(|g| g.halo()).unwrap_or_default();
        // MLM refers to bands that the item itself describes.
        let bands: Value = card.bands.iter().map(|name| json!({ "name": name })).collect();
        let facts = object(
            json!({ "mlm:framework": "swath", "mlm:total_parameters": parameters, "mlm:hyperparameters": { "halo": [halo.y, halo.x] }, "bands": bands }),
        );
        Self {
            rest: object(rest),
            properties: Properties {
                name: card.name.clone(),
                architecture: card.architecture.clone(),
                tasks: vec![task.clone()],
                input: vec![InputField {
                    name: "scene".into(),
                    bands: card.bands.iter().cloned().map(BandField::Name).collect(),
                    input: array("bands", graph.input_channels(), fixed),
                    value_scaling: is_scaled.then(|| card.scaling.iter().copied().map(ScalingField).collect()),
                    resize_type: None,
                    pre_processing_function: None,
                }],
                output: vec![OutputField {
                    name: "labels".into(),
                    tasks: vec![task],
                    result: array("class", graph.output_channels(), result),
                    classes: classes.chain([ClassField { class: nodata, nodata: true }]).collect(),
                    post_processing_function: None,
                }],
                activation: Some(card.activation),
                dropped: (!card.dropped.is_empty()).then(|| card.dropped.clone()),
                gsd: card.gsd.map(|gsd| GsdField { minimum: gsd.minimum, maximum: gsd.maximum }),
                crf: card.crf.clone(),
                volume: card.volume.clone(),
                rest: times.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).chain(facts).collect(),
            },
        }
    }
}

/// Names of a tensor's dimensions in a card, of which the second is what its channels are: MLM wants `bands` where bands are named.
fn dim_order(rank: Rank, channels: &str) -> Vec<String> {
    let names: &[&str] = match rank {
        Rank::Planar => &["batch", channels, "height", "width"],
        Rank::Volumetric => &["batch", channels, "depth", "height", "width"],
    };
    names.iter().map(ToString::to_string).collect()
}
