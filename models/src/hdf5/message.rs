//! The messages of an object's header.

use super::file::File;
use super::reader::Reader;
use crate::flaw::{Sound, content};

/// How many further blocks a header may have.
const MAX_BLOCKS: usize = 1024;

pub(super) const DATASPACE: u16 = 0x01;
pub(super) const LINK_INFO: u16 = 0x02;
pub(super) const DATATYPE: u16 = 0x03;
pub(super) const OLD_FILL: u16 = 0x04;
pub(super) const FILL: u16 = 0x05;
pub(super) const LINK: u16 = 0x06;
pub(super) const EXTERNAL_FILES: u16 = 0x07;
pub(super) const LAYOUT: u16 = 0x08;
pub(super) const FILTERS: u16 = 0x0b;
pub(super) const ATTRIBUTE: u16 = 0x0c;
const CONTINUATION: u16 = 0x10;
pub(super) const SYMBOL_TABLE: u16 = 0x11;
pub(super) const ATTRIBUTE_INFO: u16 = 0x15;

/// A message: what it is, and its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'b> {
    pub(super) kind: u16,
    /// Whether it lies elsewhere, and these bytes say only where.
    pub(super) is_shared: bool,
    pub(super) data: &'b [u8],
}

/// Which of the two forms of headers.
#[derive(Clone, Copy)]
enum Form {
    One,
    Two { has_order: bool },
}

/// All messages of the header at an address.
pub(super) fn read<'b>(file: &File<'b>, address: u64) -> Sound<Vec<Message<'b>>> {
    let mut reader = file.at(address)?;
    let (form, first) = if reader.0.starts_with(b"OHDR") {
        reader.take(4)?;
        let (version, flags) = (reader.u8()?, reader.u8()?);
        if version != 2 {
            return Err(content(format!("expected an object's header of version 1 or 2, got {version}")));
        }
        reader.take(if flags & 0x20 == 0 { 0 } else { 16 })?;
        reader.take(if flags & 0x10 == 0 { 0 } else { 4 })?;
        let length = reader.number(flags & 3)?;
        (Form::Two { has_order: flags & 4 != 0 }, take(&mut reader, length)?)
    } else {
        let version = reader.u8()?;
        if version != 1 {
            return Err(content(format!("expected an object's header of version 1 or 2, got {version}")));
        }
        reader.take(7)?;
        let length = reader.u32()?;
        reader.take(4)?;
        (Form::One, take(&mut reader, length.into())?)
    };
    let mut messages = Vec::new();
    let mut blocks = vec![first];
    let mut seen = 0;
    while let Some(block) = blocks.pop() {
        seen += 1;
        if seen > MAX_BLOCKS {
            return Err(content(format!("an object's header has more than {MAX_BLOCKS} blocks")));
        }
        let mut reader = Reader(block);
        while let Some(message) = next(&mut reader, form)? {
            file.count_structure()?;
            if message.kind != CONTINUATION {
                messages.push(message);
                continue;
            }
            let mut place = Reader(message.data);
            let (address, length) = (place.u64()?, place.u64()?);
            let mut more = Reader(file.slice(address, length)?);
            if let Form::Two { .. } = form {
                more.expect(b"OCHK", "a further block of an object's header")?;
                // Its checksum is at its end.
                more = Reader(more.take(more.0.len().saturating_sub(4))?);
            }
            blocks.push(more.0);
        }
    }
    Ok(messages)
}

fn take<'b>(reader: &mut Reader<'b>, length: u64) -> Sound<&'b [u8]> {
    reader.take(usize::try_from(length).unwrap_or(usize::MAX))
}

/// The next message of a block; what is shorter than the start of one is a gap.
fn next<'b>(reader: &mut Reader<'b>, form: Form) -> Sound<Option<Message<'b>>> {
    let (kind, length, flags) = match form {
        Form::One if reader.0.len() < 8 => return Ok(None),
        Form::One => {
            let start = (reader.u16()?, reader.u16()?, reader.u8()?);
            reader.take(3)?;
            start
        }
        Form::Two { has_order } if reader.0.len() < 4 + 2 * usize::from(has_order) => return Ok(None),
        Form::Two { has_order } => {
            let start = (reader.u8()?.into(), reader.u16()?, reader.u8()?);
            reader.take(2 * usize::from(has_order))?;
            start
        }
    };
    Ok(Some(Message { kind, is_shared: flags & 2 != 0, data: reader.take(length.into())? }))
}
