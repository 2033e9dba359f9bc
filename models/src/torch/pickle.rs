//! What a pickle holds.

use std::io::Read;

use super::element::Element;
use super::global::Global;
use super::machine::Machine;
use crate::flaw::Sound;

/// Which value of a [`Pickle`]. Values refer to each other by place, so that a pickle can neither nest them deeper than a stack nor free them twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ValueId(pub(super) u32);

/// One value of a [`Pickle`].
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// None, a float, or what says nothing about tensors.
    Inert,
    Bool(bool),
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    Tuple(Vec<ValueId>),
    List(Vec<ValueId>),
    Dict(Vec<Item>),
    /// A dictionary of a list of pairs, as Python 2 wrote it.
    DictOf(ValueId),
    Global(Global),
    Storage(Storage),
    Tensor(TensorRef),
}

/// A key of a dictionary and what it has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) key: ValueId,
    pub(super) value: ValueId,
}

/// Where values of tensors are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Storage {
    /// What the file calls it.
    pub(super) key: String,
    pub(super) element: Element,
    /// Number of values.
    pub(super) count: u64,
}

/// A tensor: which values of a storage it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TensorRef {
    /// A [`Value::Storage`].
    pub(super) storage: ValueId,
    /// The first value's place.
    pub(super) offset: u64,
    /// Length of every axis, the slowest first.
    pub(super) shape: Vec<u64>,
    /// Distance of neighbours along each axis.
    pub(super) stride: Vec<u64>,
}

/// What a pickle holds, read without running anything.
#[derive(Debug)]
pub(super) struct Pickle {
    pub(super) values: Vec<Value>,
    pub(super) root: ValueId,
}

impl Pickle {
    /// Reads one pickle, up to its end; what follows is left.
    pub(super) fn read(input: &mut impl Read) -> Sound<Self> {
        Machine::new(input).run()
    }

    /// What the pickle stands for.
    pub(super) fn root(&self) -> &Value {
        self.get(self.root)
    }

    /// One of its values. Those that refer to each other are all there, for the machine made them so.
    pub(super) fn get(&self, id: ValueId) -> &Value {
        self.values.get(id.0 as usize).unwrap_or(&Value::Inert)
    }

    /// The entries of a dictionary; `None` if it is something else.
    pub(super) fn entries(&self, value: &Value) -> Option<Vec<Item>> {
        match value {
            Value::Dict(items) => Some(items.clone()),
            Value::DictOf(list) => {
                let Value::List(pairs) = self.get(*list) else { return None };
                let item = |pair: &ValueId| match self.get(*pair) {
                    Value::Tuple(parts) | Value::List(parts) => match parts.as_slice() {
                        [key, value] => Some(Item { key: *key, value: *value }),
                        _ => None,
                    },
                    _ => None,
                };
                pairs.iter().map(item).collect()
            }
            _ => None,
        }
    }

    /// What a value is, for people.
    pub(super) fn describe(&self, value: &Value) -> String {
        let count = |count: usize, what: &str| format!("{what} of {count}");
        match value {
            Value::Inert => "none or a plain value".into(),
            Value::Bool(_) | Value::Int(_) => "a number".into(),
            Value::Text(_) | Value::Bytes(_) => "text".into(),
            Value::Tuple(values) => count(values.len(), "a tuple"),
            Value::List(values) => count(values.len(), "a list"),
            Value::Dict(items) => count(items.len(), "a dictionary"),
            Value::DictOf(list) => match self.get(*list) {
                Value::List(pairs) => count(pairs.len(), "a dictionary"),
                _ => "a dictionary of something else than pairs".into(),
            },
            Value::Global(_) => "a type".into(),
            Value::Storage(_) => "a storage".into(),
            Value::Tensor(tensor) => format!("a tensor of shape {:?}", tensor.shape),
        }
    }
}
