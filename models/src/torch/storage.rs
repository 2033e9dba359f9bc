//! The values of storages.

use std::io::{Read, Seek};

use super::element::ByteOrder;
use super::pickle::Storage;
use crate::flaw::{Sound, content};

/// What keeps the storages that a pickle refers to.
pub(super) trait Storages {
    /// All bytes of a storage: as many as its values have. Never more than the file.
    fn read(&mut self, storage: &Storage) -> Sound<Vec<u8>>;

    /// In which order the bytes of values are.
    fn order(&self) -> ByteOrder;
}

/// Bytes of a storage, which are `found`.
pub(super) fn check_length(storage: &Storage, found: u64) -> Sound<()> {
    let Storage { key, element, count } = storage;
    match count.checked_mul(element.size()) {
        Some(claimed) if claimed == found => Ok(()),
        _ => Err(content(format!("storage `{key}` claims {count} values of {} and has {found} bytes", element.label()))),
    }
}

/// A file that can be read in any order.
pub(crate) trait Input: Read + Seek {}

impl<T: Read + Seek> Input for T {}
