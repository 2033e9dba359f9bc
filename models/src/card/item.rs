//! The fields of a card's STAC item, as they stand in the file.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::CrfSettings;
use crate::{Class, Scaling, ScoreActivation, VolumeInput};

/// A STAC item, as far as a card goes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Item {
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
    pub(super) properties: Properties,
}

/// An item's properties.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Properties {
    #[serde(rename = "mlm:name")]
    pub(super) name: String,
    #[serde(rename = "mlm:architecture")]
    pub(super) architecture: String,
    #[serde(rename = "mlm:tasks")]
    pub(super) tasks: Vec<String>,
    #[serde(rename = "mlm:input")]
    pub(super) input: Vec<InputField>,
    #[serde(rename = "mlm:output")]
    pub(super) output: Vec<OutputField>,
    #[serde(rename = "swath:activation", default, skip_serializing_if = "Option::is_none")]
    pub(super) activation: Option<ScoreActivation>,
    #[serde(rename = "swath:dropped_classes", default, skip_serializing_if = "Option::is_none")]
    pub(super) dropped: Option<Vec<u8>>,
    #[serde(rename = "swath:gsd", default, skip_serializing_if = "Option::is_none")]
    pub(super) gsd: Option<GsdField>,
    #[serde(rename = "swath:volume", default, skip_serializing_if = "Option::is_none")]
    pub(super) volume: Option<VolumeInput>,
    #[serde(rename = "swath:crf", default, skip_serializing_if = "Option::is_none")]
    pub(super) crf: Option<CrfSettings>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

/// An element of `mlm:input`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct InputField {
    pub(super) name: String,
    pub(super) bands: Vec<BandField>,
    pub(super) input: ArrayField,
    #[serde(default)]
    pub(super) value_scaling: Option<Vec<ScalingField>>,
    #[serde(default)]
    pub(super) resize_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pre_processing_function: Option<Value>,
}

/// An element of `mlm:output`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OutputField {
    pub(super) name: String,
    #[serde(default)]
    pub(super) tasks: Vec<String>,
    pub(super) result: ArrayField,
    #[serde(rename = "classification:classes")]
    pub(super) classes: Vec<ClassField>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) post_processing_function: Option<Value>,
}

/// Shape and type of an array; -1 is any length.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ArrayField {
    pub(super) shape: Vec<i64>,
    pub(super) dim_order: Vec<String>,
    pub(super) data_type: String,
}

/// A band by name, perhaps computed from others.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum BandField {
    Name(String),
    Object { name: String, format: Option<Value>, expression: Option<Value> },
}

/// A class, or the value of pixels without data.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ClassField {
    #[serde(flatten)]
    pub(super) class: Class,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) nodata: bool,
}

/// `swath:gsd`, in metres.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct GsdField {
    pub(super) minimum: f64,
    pub(super) maximum: f64,
}

/// A value scaling object; MLM writes "none" as `type: null`.
#[derive(Debug)]
pub(super) struct ScalingField(pub(super) Scaling);

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
