//! Files of `torch.save` before PyTorch 1.6 (and since, with `_use_new_zipfile_serialization=False`): five pickles (a magic number, the version, the
//! machine, the object, the keys of its storages) and then the storages in the order of these keys, each after its number of values.

use std::collections::HashMap;
use std::io::{BufReader, Read, Seek, SeekFrom};

use super::Pickle;
use super::element::ByteOrder;
use super::pickle::{Storage, Value};
use super::state_dict::{Loaded, load};
use super::storage::{Input, Storages};
use crate::flaw::{Sound, content};

/// The pickle of the magic number 0x1950a86a20f9469cfc6c, without the version of the pickle's protocol before it.
const MAGIC: [u8; 13] = *b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// The only version there is.
const VERSION: i64 = 1001;

/// Whether a file begins so.
pub(crate) fn is_legacy(start: &[u8]) -> bool {
    start.first() == Some(&0x80) && start.get(2..).is_some_and(|rest| rest.starts_with(&MAGIC))
}

/// The tensors of a file.
pub(crate) fn read_legacy(file: impl Input) -> Sound<Loaded> {
    let mut file = BufReader::new(file);
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let _magic = Pickle::read(&mut file)?;
    let version = Pickle::read(&mut file)?;
    if *version.root() != Value::Int(VERSION) {
        return Err(content(format!("expected version {VERSION} of PyTorch's format, got {}", version.describe(version.root()))));
    }
    let machine = Pickle::read(&mut file)?;
    let order = order(&machine)?;
    let pickle = Pickle::read(&mut file)?;
    let keys = Pickle::read(&mut file)?;
    let places = places(&mut file, &pickle, &keys, length)?;
    load(&pickle, &mut Behind { file, places, order }, length)
}

/// The byte order, which the description of the machine has.
fn order(machine: &Pickle) -> Sound<ByteOrder> {
    let is_order = |key| matches!(machine.get(key), Value::Text(text) if text == "little_endian");
    let entries = machine.entries(machine.root()).unwrap_or_default();
    match entries.iter().find(|item| is_order(item.key)).map(|item| machine.get(item.value)) {
        Some(Value::Bool(true)) => Ok(ByteOrder::Little),
        Some(Value::Bool(false)) => Ok(ByteOrder::Big),
        _ => Err(content("the file does not say in which order its bytes are")),
    }
}

/// Where the values of each storage begin.
fn places(file: &mut BufReader<impl Input>, pickle: &Pickle, keys: &Pickle, length: u64) -> Sound<HashMap<String, u64>> {
    let mut storages: HashMap<&str, &Storage> = HashMap::new();
    for value in &pickle.values {
        if let Value::Storage(storage) = value
            && storages.insert(&storage.key, storage).is_some_and(|other| other != storage)
        {
            return Err(content(format!("storage `{}` is two different ones", storage.key)));
        }
    }
    let Value::List(keys_listed) = keys.root() else { return Err(content("the keys of the storages are no list")) };
    let mut places = HashMap::new();
    let mut place = file.stream_position()?;
    for key in keys_listed {
        let Value::Text(key) = keys.get(*key) else { return Err(content("the key of a storage is no text")) };
        let storage = storages.get(key.as_str()).ok_or_else(|| content(format!("storage `{key}` belongs to no tensor")))?;
        let mut count = [0; size_of::<u64>()];
        file.read_exact(&mut count)?;
        let count = count_of(count, storage.count);
        let count =
            count.ok_or_else(|| content(format!("storage `{key}` claims {} values and has another number", storage.count)))?;
        let start = place + size_of::<u64>() as u64;
        let end = count.checked_mul(storage.element.size()).and_then(|bytes| start.checked_add(bytes));
        place = end.filter(|end| *end <= length).ok_or_else(|| content(format!("the file ends within storage `{key}`")))?;
        file.seek(SeekFrom::Start(place))?;
        if places.insert(key.clone(), start).is_some() {
            return Err(content(format!("storage `{key}` is there twice")));
        }
    }
    if place == length { Ok(places) } else { Err(content(format!("the file has {} bytes behind its storages", length - place))) }
}

/// A number of values in front of its storage, which is that of the pickle: machines of either byte order wrote it in their own.
fn count_of(bytes: [u8; size_of::<u64>()], expected: u64) -> Option<u64> {
    [u64::from_le_bytes(bytes), u64::from_be_bytes(bytes)].contains(&expected).then_some(expected)
}

/// Storages behind the pickles.
struct Behind<R> {
    file: BufReader<R>,
    places: HashMap<String, u64>,
    order: ByteOrder,
}

impl<R: Input> Storages for Behind<R> {
    fn read(&mut self, storage: &Storage) -> Sound<Vec<u8>> {
        let place = self.places.get(&storage.key);
        let place = place.ok_or_else(|| content(format!("storage `{}` is not in the file", storage.key)))?;
        self.file.seek(SeekFrom::Start(*place))?;
        // It ends within the file.
        let mut bytes = vec![0; (storage.count * storage.element.size()) as usize];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn order(&self) -> ByteOrder {
        self.order
    }
}
