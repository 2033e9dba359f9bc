//! Names and long texts, which lie in heaps.

use super::file::File;
use super::reader::{Reader, text};
use crate::flaw::{Sound, content};

/// Bytes of the longest name.
const MAX_NAME: usize = 1024;

/// A group's names: the part of the file that holds them.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalHeap<'b>(&'b [u8]);

impl<'b> LocalHeap<'b> {
    pub(super) fn read(file: &File<'b>, address: u64) -> Sound<Self> {
        let mut reader = file.at(address)?;
        reader.expect(b"HEAP", "the heap of a group's names")?;
        reader.take(4)?;
        let (length, _free) = (reader.u64()?, reader.u64()?);
        Ok(Self(file.slice(reader.u64()?, length)?))
    }

    pub(super) fn name(&self, offset: u64) -> Sound<String> {
        let rest = usize::try_from(offset).ok().and_then(|start| self.0.get(start..));
        let rest = rest.ok_or_else(|| content("a name lies behind the end of its heap"))?;
        let start = &rest[..rest.len().min(MAX_NAME + 1)];
        if start.contains(&0) { Ok(text(start)) } else { Err(content(format!("a name has no end within {MAX_NAME} bytes"))) }
    }
}

/// A text of a global heap, by the place that an attribute has of it.
pub(super) fn long_text<'b>(file: &File<'b>, place: &mut Reader<'_>) -> Sound<&'b [u8]> {
    let (length, address, wanted) = (place.u32()? as usize, place.u64()?, place.u32()?);
    if length == 0 {
        return Ok(&[]);
    }
    let mut reader = file.at(address)?;
    reader.expect(b"GCOL", "a heap of texts")?;
    reader.take(4)?;
    let collection = file.slice(address, reader.u64()?)?;
    let mut reader = Reader(collection);
    reader.take(16)?;
    loop {
        let (index, _references) = (reader.u16()?, reader.u16()?);
        reader.take(4)?;
        let size = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
        let data = reader.take(size)?;
        if u32::from(index) == wanted && index != 0 {
            return data.get(..length).ok_or_else(|| content("a text is longer than its place in the heap"));
        }
        if index == 0 {
            return Err(content(format!("a heap of texts lacks number {wanted}")));
        }
        reader.take((size.next_multiple_of(8) - size).min(reader.0.len()))?;
    }
}
