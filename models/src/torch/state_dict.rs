//! Which tensors of a pickle are weights.

use std::collections::BTreeMap;

use super::Pickle;
use super::pickle::{Storage, TensorRef, Value, ValueId};
use super::storage::Storages;
use super::tensor::read_values;
use crate::checkpoint::Change;
use crate::flaw::{Sound, content};
use crate::{Error, Weights};

/// Entries under which programs for training keep the weights, the likeliest first: Lightning and `MMSegmentation` (`state_dict`), detectron2 and
/// torchvision's references (`model`), nnU-Net (`network_weights`), and what is often written by hand.
const WRAPPERS: [&str; 9] =
    ["state_dict", "model_state_dict", "model_state", "model", "net", "network", "network_weights", "state_dict_ema", "module"];
/// How many dictionaries may lie around the weights.
const MAX_WRAPPERS: usize = 4;
/// Counters that only training reads.
const COUNTER: &str = "num_batches_tracked";

/// What was read from a file.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) weights: Weights,
    /// What was passed over.
    pub(crate) changes: Vec<Change>,
}

/// The weights of a pickle whose storages are in a file of `length` bytes.
pub(super) fn load(pickle: &Pickle, storages: &mut impl Storages, length: u64) -> Sound<Loaded> {
    let mut changes = Vec::new();
    let tensors = find(pickle, &mut changes)?;
    check_total(&tensors, length)?;
    // Every storage is read once (for each type that the file says it has).
    let mut by_storage: BTreeMap<(&str, &str), Vec<User<'_>>> = BTreeMap::new();
    for (name, tensor) in &tensors {
        let Value::Storage(storage) = pickle.get(tensor.storage) else { return Err(content("a tensor lacks its storage")) };
        if !storage.element.is_real() {
            return Err(Error::TensorType { tensor: name.clone(), got: storage.element.label().into() }.into());
        }
        by_storage.entry((&storage.key, storage.element.label())).or_default().push(User { storage, name, tensor });
    }
    let mut weights = Weights::new();
    for users in by_storage.values() {
        let Some(User { storage, .. }) = users.first() else { continue };
        let bytes = storages.read(storage)?;
        for User { name, tensor, .. } in users {
            let values = read_values(name, tensor, storage.element, &bytes, storages.order())?;
            weights.insert(*name, tensor.shape.iter().map(|length| *length as usize).collect(), values);
        }
    }
    Ok(Loaded { weights, changes })
}

/// A tensor of a storage.
struct User<'p> {
    storage: &'p Storage,
    name: &'p str,
    tensor: &'p TensorRef,
}

/// Tensors may share values, but altogether there are no more of them than the file has bytes. So memory is bounded by the file.
fn check_total(tensors: &BTreeMap<String, TensorRef>, length: u64) -> Sound<()> {
    let mut total = 0u64;
    for (name, tensor) in tensors {
        let count = tensor.shape.iter().try_fold(1u64, |count, length| count.checked_mul(*length));
        let sum = count.and_then(|count| total.checked_add(count)).filter(|sum| *sum <= length);
        total =
            sum.ok_or_else(|| content(format!("tensor `{name}` of shape {:?} has more values than the file", tensor.shape)))?;
    }
    Ok(())
}

/// The tensors by name.
fn find(pickle: &Pickle, changes: &mut Vec<Change>) -> Sound<BTreeMap<String, TensorRef>> {
    let mut place = pickle.root;
    let mut path = Vec::new();
    for _ in 0..=MAX_WRAPPERS {
        let value = pickle.get(place);
        let Some(entries) = named(pickle, value) else {
            return Err(content(format!("expected a dictionary of tensors by name, got {}", pickle.describe(value))));
        };
        // Beside the weights there may be another tensor, such as the last loss.
        let inner = wrapped(pickle, &entries, holds_tensors);
        if inner.is_none() && entries.values().any(|id| is_tensor(pickle, *id)) {
            if !path.is_empty() {
                changes.push(Change::Unwrapped { path: path.join(".") });
            }
            return Ok(tensors(pickle, entries, changes));
        }
        let Some((key, inner)) = inner.or_else(|| wrapped(pickle, &entries, is_dictionary)) else {
            let keys: Vec<&str> = entries.keys().take(20).map(String::as_str).collect();
            let wanted = WRAPPERS.join(", ");
            return Err(content(format!("expected tensors, or a dictionary called {wanted}, got entries {}", keys.join(", "))));
        };
        changes.extend(
            entries
                .iter()
                .filter(|(name, _)| *name != key)
                .map(|(name, id)| Change::PassedOver { name: name.clone(), what: pickle.describe(pickle.get(*id)) }),
        );
        path.push(key);
        place = inner;
    }
    Err(content(format!("the weights lie deeper than {MAX_WRAPPERS} dictionaries")))
}

/// Takes the tensors, and notes what is none.
fn tensors(pickle: &Pickle, entries: BTreeMap<String, ValueId>, changes: &mut Vec<Change>) -> BTreeMap<String, TensorRef> {
    let mut tensors = BTreeMap::new();
    let mut counters = 0;
    for (name, id) in entries {
        match pickle.get(id) {
            Value::Tensor(_) if name.rsplit('.').next() == Some(COUNTER) => counters += 1,
            Value::Tensor(tensor) => {
                tensors.insert(name, tensor.clone());
            }
            other => changes.push(Change::PassedOver { what: pickle.describe(other), name }),
        }
    }
    if counters > 0 {
        changes.push(Change::PassedOver { name: COUNTER.into(), what: format!("{counters} counters that only training reads") });
    }
    tensors
}

/// The likeliest of the entries that may hold the weights and are what they have to be for that.
fn wrapped(
    pickle: &Pickle,
    entries: &BTreeMap<String, ValueId>,
    is_wrapper: fn(&Pickle, ValueId) -> bool,
) -> Option<(&'static str, ValueId)> {
    WRAPPERS.iter().find_map(|key| Some((*key, *entries.get(*key)?)).filter(|(_, id)| is_wrapper(pickle, *id)))
}

fn holds_tensors(pickle: &Pickle, id: ValueId) -> bool {
    pickle.entries(pickle.get(id)).is_some_and(|entries| entries.iter().any(|entry| is_tensor(pickle, entry.value)))
}

fn is_tensor(pickle: &Pickle, id: ValueId) -> bool {
    matches!(pickle.get(id), Value::Tensor(_))
}

fn is_dictionary(pickle: &Pickle, id: ValueId) -> bool {
    matches!(pickle.get(id), Value::Dict(_) | Value::DictOf(_))
}

/// The entries of a dictionary whose keys are text, of which later ones win, as in Python; other keys hold no weights.
fn named(pickle: &Pickle, value: &Value) -> Option<BTreeMap<String, ValueId>> {
    let mut left = MAX_NAMES;
    let mut named = BTreeMap::new();
    for item in pickle.entries(value)? {
        let Value::Text(name) = pickle.get(item.key) else { continue };
        left = left.checked_sub(name.len())?;
        named.insert(name.clone(), item.value);
    }
    Some(named)
}

/// Bytes of all names of a dictionary.
const MAX_NAMES: usize = 64 << 20;
