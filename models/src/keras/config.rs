//! Which layers a model has, and how they are connected.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Error, Result};

/// A model's layers.
#[derive(Debug)]
pub(super) struct Config {
    /// In the file's order: those that a layer reads come before it.
    pub(super) layers: Vec<LayerConfig>,
    /// The layer whose values are the scores.
    pub(super) output: String,
}

/// A layer as the file has it.
#[derive(Debug)]
pub(super) struct LayerConfig {
    pub(super) name: String,
    pub(super) class: String,
    pub(super) options: Map<String, Value>,
    /// The layers that it reads.
    pub(super) inputs: Vec<String>,
}

/// The JSON of a model.
#[derive(Deserialize)]
pub(super) struct Model {
    class_name: String,
    config: Layers,
}

/// Models had only their list of layers once.
#[derive(Deserialize)]
#[serde(untagged)]
enum Layers {
    Model(Whole),
    List(Vec<Layer>),
}

#[derive(Deserialize)]
struct Whole {
    layers: Vec<Layer>,
    #[serde(default)]
    output_layers: Value,
}

#[derive(Deserialize)]
struct Layer {
    class_name: String,
    config: Map<String, Value>,
    name: Option<String>,
    #[serde(default)]
    inbound_nodes: Vec<Value>,
}

impl Config {
    pub(super) fn read(model: Model) -> Result<Self> {
        let (layers, outputs) = match model.config {
            Layers::Model(whole) => (whole.layers, names(&whole.output_layers)),
            Layers::List(layers) => (layers, Vec::new()),
        };
        match model.class_name.as_str() {
            "Sequential" => Self::sequential(layers),
            "Model" | "Functional" => Self::functional(layers, &outputs),
            other => Err(unsuitable(format!("expected a functional or sequential Keras model, got {other}"))),
        }
    }

    fn functional(layers: Vec<Layer>, outputs: &[String]) -> Result<Self> {
        let [output] = outputs else {
            return Err(unsuitable(format!(
                "expected a Keras model of one output, got {}: {}",
                outputs.len(),
                outputs.join(", ")
            )));
        };
        let mut own = Vec::with_capacity(layers.len());
        for layer in layers {
            let LayerConfig { name, class, options, .. } = layer.named(own.len());
            let inputs = match layer_calls(&layer.inbound_nodes) {
                Calls::None => Vec::new(),
                Calls::One(inputs) => inputs,
                Calls::Several(count) => {
                    return Err(Error::UnsupportedUse {
                        node: name,
                        operator: class,
                        reason: format!("it is used {count} times, with the same weights"),
                    });
                }
            };
            own.push(LayerConfig { name, class, options, inputs });
        }
        Ok(Self { layers: own, output: output.clone() })
    }

    fn sequential(layers: Vec<Layer>) -> Result<Self> {
        let mut own: Vec<LayerConfig> = Vec::with_capacity(layers.len() + 1);
        for layer in layers {
            let mut layer = layer.named(own.len());
            if own.is_empty() && layer.class != "InputLayer" {
                let options =
                    layer.options.iter().filter(|(key, _)| key.starts_with("batch_")).map(|(k, v)| (k.clone(), v.clone()));
                let (name, class) = ("input".into(), "InputLayer".into());
                own.push(LayerConfig { name, class, options: options.collect(), inputs: Vec::new() });
            }
            layer.inputs = own.last().map(|before| before.name.clone()).into_iter().collect();
            own.push(layer);
        }
        let output =
            own.last().map(|last| last.name.clone()).ok_or_else(|| unsuitable("the Keras model has no layers".into()))?;
        Ok(Self { layers: own, output })
    }
}

impl Layer {
    fn named(&self, index: usize) -> LayerConfig {
        let name = self.name.clone().or_else(|| Some(self.config.get("name")?.as_str()?.to_owned()));
        LayerConfig {
            name: name.unwrap_or_else(|| format!("{}_{index}", self.class_name)),
            class: self.class_name.clone(),
            options: self.config.clone(),
            inputs: Vec::new(),
        }
    }
}

/// How often a layer is used, and on what.
enum Calls {
    None,
    One(Vec<String>),
    Several(usize),
}

fn layer_calls(inbound: &[Value]) -> Calls {
    match inbound {
        [] => Calls::None,
        [call] => {
            let mut inputs = Vec::new();
            references(call, &mut |name| inputs.push(name.to_owned()));
            Calls::One(inputs)
        }
        several => Calls::Several(several.len()),
    }
}

/// The layers that a list of outputs names.
fn names(outputs: &Value) -> Vec<String> {
    let mut names = Vec::new();
    references(outputs, &mut |name| names.push(name.to_owned()));
    names
}

/// The layers to which a value refers: `["NAME", 0, 0]` or `["NAME", 0, 0, {..}]`, in lists of lists, or since Keras 3 within `keras_history`.
fn references(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Array(list) => match list.as_slice() {
            [Value::String(name), Value::Number(_), Value::Number(_), ..] => found(name),
            list => list.iter().for_each(|value| references(value, found)),
        },
        Value::Object(map) => map.values().for_each(|value| references(value, found)),
        _ => {}
    }
}

fn unsuitable(reason: String) -> Error {
    Error::Unsuitable { reason }
}
