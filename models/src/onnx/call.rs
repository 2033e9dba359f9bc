//! A node of the file with the values of its inputs.

use std::borrow::Cow;

use super::array::Array;
use super::budget::Budget;
use super::folder::Folder;
use super::proto::{AttributeProto, ElementType, NodeProto};
use super::symbol::Symbol;
use super::value::{Feature, Value};
use crate::{Error, Result};

/// A node of the file with the values of its inputs.
pub(super) struct Call<'f> {
    pub(super) node: &'f NodeProto,
    /// The node's place in the file.
    pub(super) index: usize,
    /// The version of ONNX's operators.
    pub(super) opset: i64,
    /// Where the file is.
    pub(super) folder: &'f Folder<'f>,
    /// How much may be made of the file.
    pub(super) budget: &'f Budget<'f>,
    /// The inputs' values; `None` where an optional one is left out.
    pub(super) inputs: Vec<Option<Value>>,
    /// For each output, whether anything reads it.
    pub(super) wanted: Vec<bool>,
}

/// Values of a constant input.
pub(super) struct Parameter {
    pub(super) dims: Vec<usize>,
    pub(super) values: Vec<f32>,
}

impl Call<'_> {
    pub(super) fn operator(&self) -> &str {
        &self.node.op_type
    }

    /// The node as messages call it.
    pub(super) fn label(&self) -> String {
        let output = || self.node.output.iter().find(|o| !o.is_empty()).cloned().unwrap_or_default();
        if self.node.name.is_empty() { output() } else { self.node.name.clone() }
    }

    /// The error for a use that is not supported.
    pub(super) fn refuse(&self, reason: impl Into<String>) -> Error {
        Error::UnsupportedUse { node: self.label(), operator: self.operator().into(), reason: reason.into() }
    }

    /// Spends items of the file's budget, before they are made.
    pub(super) fn spend(&self, items: usize) -> Result<()> {
        self.budget.spend(items).map_err(|reason| self.refuse(reason))
    }

    /// The error for an operator that is not known.
    pub(super) fn unknown(&self) -> Error {
        let NodeProto { domain, op_type, .. } = self.node;
        let operator = if domain.is_empty() { op_type.clone() } else { format!("{domain}.{op_type}") };
        Error::UnsupportedOperator { node: self.label(), operator }
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.node.attribute.iter().find(|a| a.name == name)
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i)
    }

    pub(super) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |a| a.f)
    }

    pub(super) fn text<'a>(&'a self, name: &str, default: &'a str) -> Cow<'a, str> {
        self.attribute(name).map_or(Cow::Borrowed(default), |a| String::from_utf8_lossy(&a.s))
    }

    /// The error if an attribute has another value than the one that is supported.
    pub(super) fn require(&self, attribute: &str, supported: i64) -> Result<()> {
        let got = self.int(attribute, supported);
        if got == supported { Ok(()) } else { Err(self.refuse(format!("expected {attribute}={supported}, got {got}"))) }
    }

    /// An input that may be left out.
    pub(super) fn optional(&self, index: usize) -> Option<&Value> {
        self.inputs.get(index).and_then(Option::as_ref)
    }

    pub(super) fn value(&self, index: usize) -> Result<&Value> {
        self.optional(index).ok_or_else(|| self.refuse(format!("input {index} is missing")))
    }

    /// An input that is computed from the network's input.
    pub(super) fn feature(&self, index: usize) -> Result<&Feature> {
        match self.value(index)? {
            Value::Feature(feature) => Ok(feature),
            Value::Groups(_) => Err(self.refuse(format!("input {index} has its channels in groups"))),
            Value::Stack(_) => Err(self.refuse(format!("input {index} has an axis before the batch"))),
            _ => Err(self.refuse(format!("input {index} does not depend on the network's input"))),
        }
    }

    /// A learned or fixed input.
    pub(super) fn parameter(&self, index: usize) -> Result<Parameter> {
        match self.value(index)? {
            Value::Constant(constant) => {
                self.spend(constant.len())?;
                Ok(Parameter { dims: constant.dims.clone(), values: constant.floats() })
            }
            Value::Array(array) => {
                self.spend(array.items.len())?;
                match array.numbers() {
                    Some(values) => {
                        Ok(Parameter { dims: array.dims.clone(), values: values.into_iter().map(|v| v as f32).collect() })
                    }
                    None => Err(self.refuse(format!("input {index} depends on the extent of the network's input"))),
                }
            }
            Value::Feature(_) | Value::Maxima(_) | Value::Groups(_) | Value::Stack(_) => {
                Err(self.refuse(format!("input {index} is not constant")))
            }
        }
    }

    /// A learned or fixed input of one axis with the given number of values.
    pub(super) fn vector(&self, index: usize, length: usize) -> Result<Vec<f32>> {
        let Parameter { dims, values } = self.parameter(index)?;
        if dims == [length] {
            Ok(values)
        } else {
            Err(self.refuse(format!("input {index}: expected shape [{length}], got {dims:?}")))
        }
    }

    /// An input that is constant or computed from shapes; `None` if it is left out.
    pub(super) fn array(&self, index: usize) -> Result<Option<Array>> {
        match self.optional(index) {
            None => Ok(None),
            Some(Value::Constant(constant)) => {
                self.spend(constant.len() + constant.dims.len())?;
                Ok(Some(constant.to_array()))
            }
            Some(Value::Array(array)) => {
                self.spend(array.items.len() + array.dims.len())?;
                Ok(Some(array.as_ref().clone()))
            }
            Some(Value::Feature(_) | Value::Groups(_) | Value::Stack(_)) => {
                Err(self.refuse(format!("input {index} is not constant")))
            }
            Some(Value::Maxima(_)) => {
                Err(self.refuse(format!("input {index} holds indices of a MaxPool, which only MaxUnpool takes")))
            }
        }
    }

    /// The items of an input that is constant or computed from shapes; `None` if it is left out or empty, as optional ones may be.
    pub(super) fn symbols(&self, index: usize) -> Result<Option<Vec<Symbol>>> {
        Ok(self.array(index)?.map(|a| a.items).filter(|items| !items.is_empty()))
    }

    /// The same, if all are numbers.
    pub(super) fn numbers(&self, index: usize) -> Result<Option<Vec<f64>>> {
        let Some(items) = self.symbols(index)? else { return Ok(None) };
        let numbers = items.into_iter().map(Symbol::number).collect::<Option<_>>();
        numbers.map(Some).ok_or_else(|| self.refuse(format!("input {index} depends on the extent of the network's input")))
    }

    /// The same as integers.
    pub(super) fn integers(&self, index: usize) -> Result<Option<Vec<i64>>> {
        Ok(self.numbers(index)?.map(|values| values.into_iter().map(|v| v as i64).collect()))
    }

    /// Integers that older versions hold as an attribute and newer ones as an input.
    pub(super) fn listed(&self, attribute: &str, input: usize) -> Result<Option<Vec<i64>>> {
        match self.ints(attribute) {
            Some(list) => Ok(Some(list.to_vec())),
            None => self.integers(input),
        }
    }

    /// The element type that a cast gives.
    pub(super) fn cast_to(&self) -> Result<ElementType> {
        let code = self.int("to", 0);
        i32::try_from(code).ok().and_then(ElementType::from_code).ok_or_else(|| self.refuse(format!("casts to ONNX type {code}")))
    }
}
