//! What a group holds.

use std::collections::BTreeMap;

use super::btree::Tree;
use super::file::File;
use super::heap::LocalHeap;
use super::message::{self, Message};
use super::reader::{Reader, UNDEFINED};
use crate::flaw::{Sound, content};

/// Where a name of a group leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// To the object at an address.
    Object(u64),
    /// To a path of this file.
    Soft,
    /// To another file.
    External,
}

/// The entries of a group, by name.
pub(super) fn links(file: &File<'_>, messages: &[Message<'_>]) -> Sound<BTreeMap<String, Link>> {
    let mut links = BTreeMap::new();
    for message in messages {
        let mut reader = Reader(message.data);
        match message.kind {
            message::SYMBOL_TABLE => {
                let (tree, heap) = (reader.u64()?, reader.u64()?);
                let heap = LocalHeap::read(file, heap)?;
                Tree::Group.walk(file, tree, &mut |_key, table| symbols(file, table, heap, &mut links))?;
            }
            message::LINK => {
                let (name, link) = link(&mut reader)?;
                links.insert(name, link);
            }
            message::LINK_INFO => {
                let (_version, flags) = (reader.u8()?, reader.u8()?);
                reader.take(if flags & 1 == 0 { 0 } else { 8 })?;
                if reader.u64()? != UNDEFINED {
                    return Err(content("a group has more entries than fit into its header, as `libver=\"latest\"` writes it"));
                }
            }
            _ => {}
        }
    }
    Ok(links)
}

/// The entries of a table of symbols.
fn symbols(file: &File<'_>, address: u64, heap: LocalHeap<'_>, links: &mut BTreeMap<String, Link>) -> Sound<()> {
    /// What an entry's scratch space holds where it is a link.
    const SOFT: u32 = 2;
    let mut reader = file.at(address)?;
    reader.expect(b"SNOD", "a table of symbols")?;
    reader.take(2)?;
    for _ in 0..reader.u16()? {
        file.count_structure()?;
        let (name, address, cached) = (reader.u64()?, reader.u64()?, reader.u32()?);
        reader.take(20)?;
        links.insert(heap.name(name)?, if cached == SOFT { Link::Soft } else { Link::Object(address) });
    }
    Ok(())
}

/// A link that lies in the header.
fn link(reader: &mut Reader<'_>) -> Sound<(String, Link)> {
    let (_version, flags) = (reader.u8()?, reader.u8()?);
    let kind = if flags & 0x08 == 0 { 0 } else { reader.u8()? };
    reader.take(if flags & 0x04 == 0 { 0 } else { 8 })?;
    reader.take(usize::from(flags & 0x10 != 0))?;
    let length = usize::try_from(reader.number(flags & 3)?).unwrap_or(usize::MAX);
    let name = String::from_utf8_lossy(reader.take(length)?).into_owned();
    Ok(match kind {
        0 => (name, Link::Object(reader.u64()?)),
        1 => (name, Link::Soft),
        64 => (name, Link::External),
        other => return Err(content(format!("`{name}` is a link of unknown kind {other}"))),
    })
}
