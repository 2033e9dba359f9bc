//! The fields of a card's STAC item, as they stand in the file.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::card::dim_order;
use crate::{Class, Extent, Graph, ModelCard, Rank, Scaling, ScoreActivation};

/// File names of a model folder.
pub(crate) const CARD: &str = "model.json";
pub(crate) const GRAPH: &str = "graph.json";
pub(crate) const WEIGHTS: &str = "weights.safetensors";
pub(crate) const GOLDEN: &str = "golden.safetensors";

const MLM: &str = "https://stac-extensions.github.io/mlm/v1.5.2/schema.json";
const CLASSIFICATION: &str = "https://stac-extensions.github.io/classification/v2.0.0/schema.json";

/// A STAC item, as far as a card goes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Item {
    #[serde(flatten)]
    rest: Map<String, Value>,
    pub(crate) properties: Properties,
}

/// An item's properties.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Properties {
    #[serde(rename = "mlm:name")]
    pub(crate) name: String,
    #[serde(rename = "mlm:architecture")]
    pub(crate) architecture: String,
    #[serde(rename = "mlm:tasks")]
    pub(crate) tasks: Vec<String>,
    #[serde(rename = "mlm:input")]
    pub(crate) input: Vec<InputField>,
    #[serde(rename = "mlm:output")]
    pub(crate) output: Vec<OutputField>,
    #[serde(rename = "swath:activation", default, skip_serializing_if = "Option::is_none")]
    pub(crate) activation: Option<ScoreActivation>,
    #[serde(rename = "swath:dropped_classes", default, skip_serializing_if = "Option::is_none")]
    pub(crate) dropped: Option<Vec<u8>>,
    #[serde(rename = "swath:gsd", default, skip_serializing_if = "Option::is_none")]
    pub(crate) gsd: Option<GsdField>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// An element of `mlm:input`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InputField {
    name: String,
    pub(crate) bands: Vec<BandField>,
    pub(crate) input: ArrayField,
    #[serde(default)]
    pub(crate) value_scaling: Option<Vec<ScalingField>>,
    #[serde(default)]
    pub(crate) resize_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pre_processing_function: Option<Value>,
}

/// An element of `mlm:output`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OutputField {
    name: String,
    #[serde(default)]
    tasks: Vec<String>,
    pub(crate) result: ArrayField,
    #[serde(rename = "classification:classes")]
    pub(crate) classes: Vec<ClassField>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) post_processing_function: Option<Value>,
}

/// Shape and type of an array; -1 is any length.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ArrayField {
    pub(crate) shape: Vec<i64>,
    pub(crate) dim_order: Vec<String>,
    pub(crate) data_type: String,
}

/// A band by name, perhaps computed from others.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum BandField {
    Name(String),
    Object { name: String, format: Option<Value>, expression: Option<Value> },
}

/// A class, or the value of pixels without data.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClassField {
    #[serde(flatten)]
    pub(crate) class: Class,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) nodata: bool,
}

/// `swath:gsd`, in metres.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct GsdField {
    pub(crate) minimum: f64,
    pub(crate) maximum: f64,
}

/// A value scaling object; MLM writes "none" as `type: null`.
#[derive(Debug)]
pub(crate) struct ScalingField(pub(crate) Scaling);

impl<'de> Deserialize<'de> for ScalingField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.is_null() || value.get("type").is_some_and(Value::is_null) {
            return Ok(Self(Scaling::None));
        }
        serde_json::from_value(value).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Serialize for ScalingField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // MLM's schema does not know the `type: null` that its text speaks of.
        if self.0 == Scaling::None { Scaling::Scale { value: 1.0 }.serialize(serializer) } else { self.0.serialize(serializer) }
    }
}

impl Item {
    /// The item that says what `card` says of `graph`.
    pub(crate) fn describe(card: &ModelCard, graph: &Graph) -> Self {
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
                rest: times.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).chain(facts).collect(),
            },
        }
    }
}
