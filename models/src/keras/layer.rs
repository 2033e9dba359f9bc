//! A layer while it becomes nodes.

use serde_json::Value;

use super::config::LayerConfig;
use super::tensors::Tensors;
use crate::flaw::Sound;
use crate::onnx::Draft;
use crate::{Axes, Error, NodeId, Op, Padding, Result};

/// Sizes, strides and counts beyond this are no network's.
const LARGEST: u64 = 1 << 24;

/// A layer while it becomes nodes: its options, its tensors, what it reads, and the graph so far.
pub(super) struct Layer<'l, 'f> {
    pub(super) config: &'l LayerConfig,
    pub(super) inputs: Vec<NodeId>,
    pub(super) draft: &'l mut Draft,
    pub(super) tensors: &'l mut Tensors<'f>,
    /// Whether a layer depends on the extent of the input.
    pub(super) needs_extent: &'l mut bool,
}

impl Layer<'_, '_> {
    /// The error that the layer is used in a way that is not supported.
    pub(super) fn refuse(&self, reason: impl Into<String>) -> Error {
        Error::UnsupportedUse { node: self.config.name.clone(), operator: self.config.class.clone(), reason: reason.into() }
    }

    /// The one node that it reads.
    pub(super) fn input(&self) -> Result<NodeId> {
        match self.inputs.as_slice() {
            [one] => Ok(*one),
            several => Err(self.refuse(format!("expected one input, got {}", several.len()))),
        }
    }

    /// Adds a node; that of a layer that becomes several has a `part` behind its name.
    pub(super) fn push(&mut self, part: &str, op: Op, inputs: Vec<NodeId>) -> Result<NodeId> {
        let name = self.config.name.replace('/', ".");
        let name = if part.is_empty() { name } else { format!("{name}.{part}") };
        self.draft.push_named(&name, op, inputs)
    }

    /// A tensor of the layer.
    pub(super) fn take(&mut self, part: &str, shape: &[usize]) -> Sound<Vec<f32>> {
        self.tensors.take(&self.config.name, part, shape)
    }

    /// An option, if it is there and not null.
    pub(super) fn option(&self, key: &str) -> Option<&Value> {
        self.config.options.get(key).filter(|value| !value.is_null())
    }

    /// An option that is a text.
    pub(super) fn text(&self, key: &str, default: &'static str) -> Result<&str> {
        let Some(value) = self.option(key) else { return Ok(default) };
        value.as_str().ok_or_else(|| self.refuse(format!("`{key}`: expected text, got {value}")))
    }

    /// An option that is a number.
    pub(super) fn number(&self, key: &str, default: f64) -> Result<f64> {
        let Some(value) = self.option(key) else { return Ok(default) };
        value.as_f64().ok_or_else(|| self.refuse(format!("`{key}`: expected a number, got {value}")))
    }

    /// An option that is true or false.
    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool> {
        let Some(value) = self.option(key) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.refuse(format!("`{key}`: expected true or false, got {value}")))
    }

    /// An option that is a positive number.
    pub(super) fn size(&self, key: &str, default: Option<usize>) -> Result<usize> {
        match (self.option(key), default) {
            (None, Some(default)) => Ok(default),
            (None, None) => Err(self.refuse(format!("`{key}` is missing"))),
            (Some(value), _) => self.sized(key, value),
        }
    }

    /// An option that is a positive number for height and width, or one for each.
    pub(super) fn plane(&self, key: &str, default: Option<Axes<usize>>) -> Result<Axes<usize>> {
        match (self.option(key), default) {
            (None, Some(default)) => Ok(default),
            (None, None) => Err(self.refuse(format!("`{key}` is missing"))),
            (Some(Value::Array(list)), _) => match list.as_slice() {
                [y, x] => Ok(Axes { z: 1, y: self.sized(key, y)?, x: self.sized(key, x)? }),
                _ => Err(self.refuse(format!("`{key}`: expected one number or two, got {}", list.len()))),
            },
            (Some(value), _) => Ok(Axes::plane(self.sized(key, value)?)),
        }
    }

    fn sized(&self, key: &str, value: &Value) -> Result<usize> {
        let size = value.as_u64().filter(|size| (1..=LARGEST).contains(size));
        size.map(|size| size as usize).ok_or_else(|| self.refuse(format!("`{key}`: expected positive numbers, got {value}")))
    }

    /// Checks that an option, if it is there, has the only value that is supported.
    pub(super) fn expect(&self, key: &str, wanted: &Value) -> Result<()> {
        match self.option(key) {
            Some(value) if value != wanted => Err(self.refuse(format!("`{key}`: expected {wanted}, got {value}"))),
            _ => Ok(()),
        }
    }

    /// Checks that an axis is that of the channels, which are last.
    pub(super) fn expect_channel_axis(&self) -> Result<()> {
        let axis = match self.option("axis") {
            None => return Ok(()),
            Some(Value::Array(list)) if list.len() == 1 => &list[0],
            Some(axis) => axis,
        };
        match axis.as_i64() {
            Some(-1 | 3) => Ok(()),
            _ => Err(self.refuse(format!("`axis`: expected that of the channels, 3 or -1, got {axis}"))),
        }
    }

    /// The zeros that `padding` puts around the input of a sliding window, before and after as TensorFlow shares them.
    pub(super) fn padding(&mut self, input: NodeId, reach: Axes<usize>, stride: Axes<usize>) -> Result<Axes<Padding>> {
        match self.text("padding", "valid")? {
            "valid" => Ok(Axes::default()),
            "same" => {
                let is_free = stride.zip(reach).into_array().iter().all(|(stride, reach)| *stride == 1 || *reach == 1);
                if is_free {
                    return Ok(reach.map(|reach| shared(reach - 1)));
                }
                // As many outputs as strides fit into the input, the last one perhaps in part.
                let extent = self.draft.extent(input).ok_or_else(|| {
                    self.refuse(
                        "`same` padding with a stride depends on the input's height and width, which the model leaves open",
                    )
                })?;
                *self.needs_extent = true;
                let windows = extent.zip(stride.zip(reach));
                Ok(windows.map(|(n, (stride, reach))| {
                    shared((n.div_ceil(stride).saturating_sub(1) * stride + reach).saturating_sub(n))
                }))
            }
            other => Err(self.refuse(format!("`padding`: expected valid or same, got {other}"))),
        }
    }
}

/// So many positions, half of them before, the odd one after.
pub(super) fn shared(total: usize) -> Padding {
    Padding { before: total / 2, after: total - total / 2 }
}
