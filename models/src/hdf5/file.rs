//! A file and its superblock.

use std::cell::Cell;

use super::object::Object;
use super::reader::Reader;
use crate::flaw::{Sound, content};

const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
/// How many structures of a file are looked at: far more than any network has tensors.
const MAX_STRUCTURES: usize = 1 << 20;

/// A file in memory.
#[derive(Debug)]
pub(crate) struct File<'b> {
    bytes: &'b [u8],
    root: u64,
    /// Structures that may still be looked at.
    structures: Cell<usize>,
    /// Values that may still be read: no more than the file has bytes, however often datasets share them.
    values: Cell<usize>,
}

impl<'b> File<'b> {
    /// Reads the superblock.
    pub(crate) fn open(bytes: &'b [u8]) -> Sound<Self> {
        let mut reader = Reader(bytes);
        reader.expect(SIGNATURE, "HDF5's signature")?;
        let version = reader.u8()?;
        let sizes = |reader: &mut Reader<'_>| match (reader.u8()?, reader.u8()?) {
            (8, 8) => Ok(()),
            (address, length) => Err(content(format!("expected addresses and lengths of 8 bytes, got {address} and {length}"))),
        };
        let (base, end, root) = match version {
            0 | 1 => {
                reader.take(4)?;
                sizes(&mut reader)?;
                reader.take(if version == 0 { 9 } else { 13 })?;
                let (base, _free_space, end, _driver) = (reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?);
                let _name = reader.u64()?;
                (base, end, reader.u64()?)
            }
            2 | 3 => {
                sizes(&mut reader)?;
                reader.take(1)?;
                let (base, _extension, end) = (reader.u64()?, reader.u64()?, reader.u64()?);
                (base, end, reader.u64()?)
            }
            other => return Err(content(format!("expected a superblock of version 0 to 3, got {other}"))),
        };
        if base != 0 {
            return Err(content(format!("the file begins at {base} of another one")));
        }
        if end > bytes.len() as u64 {
            return Err(content(format!("the file is cut off: it has {} of {end} bytes", bytes.len())));
        }
        Ok(Self { bytes, root, structures: Cell::new(MAX_STRUCTURES), values: Cell::new(bytes.len()) })
    }

    /// The group that holds all others.
    pub(crate) fn root(&self) -> Sound<Object<'_>> {
        Object::read(self, self.root, "/")
    }

    /// What is at an address.
    pub(super) fn at(&self, address: u64) -> Sound<Reader<'b>> {
        self.count_structure()?;
        let part = usize::try_from(address).ok().and_then(|start| self.bytes.get(start..));
        part.map(Reader).ok_or_else(|| content(format!("a structure lies at {address}, behind the end of the file")))
    }

    /// The bytes at an address.
    pub(super) fn slice(&self, address: u64, length: u64) -> Sound<&'b [u8]> {
        let length = usize::try_from(length).map_err(|_too_large| content(format!("a structure claims {length} bytes")))?;
        let mut reader = self.at(address)?;
        reader.take(length).map_err(|_short| content(format!("{length} bytes at {address} reach behind the end of the file")))
    }

    /// Takes note that something of the file is looked at: entries of groups, messages of headers, nodes of trees.
    pub(super) fn count_structure(&self) -> Sound<()> {
        let left = self.structures.get().checked_sub(1);
        self.structures.set(left.ok_or_else(|| content(format!("the file has more than {MAX_STRUCTURES} structures")))?);
        Ok(())
    }

    /// Takes note that so many values are read.
    pub(crate) fn count_values(&self, count: usize) -> Sound<()> {
        let left = self.values.get().checked_sub(count);
        self.values.set(left.ok_or_else(|| content("the datasets have more values than the file has bytes"))?);
        Ok(())
    }
}
