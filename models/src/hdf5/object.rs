//! Groups and datasets.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::attribute::Attribute;
use super::dataset::{self, Dataset};
use super::file::File;
use super::group::{self, Link};
use super::message::{self, Message};
use super::reader::{Reader, UNDEFINED};
use crate::flaw::{Flaw, Sound, content};

/// A group or a dataset.
#[derive(Debug)]
pub(crate) struct Object<'f> {
    file: &'f File<'f>,
    messages: Vec<Message<'f>>,
    path: String,
    /// What the group holds, once somebody asked.
    links: OnceCell<BTreeMap<String, Link>>,
}

impl<'f> Object<'f> {
    pub(super) fn read(file: &'f File<'f>, address: u64, path: &str) -> Sound<Self> {
        let messages = message::read(file, address).map_err(|flaw| within(path, flaw))?;
        Ok(Self { file, messages, path: path.into(), links: OnceCell::new() })
    }

    /// The object at a path below this group.
    pub(crate) fn find(&self, path: &str) -> Sound<Object<'f>> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let Some(first) = parts.next() else { return Err(content(format!("`{}` has no entry without a name", self.path))) };
        parts.try_fold(self.child(first)?, |object, part| object.child(part))
    }

    fn child(&self, name: &str) -> Sound<Object<'f>> {
        let path = format!("{}/{name}", self.path.trim_end_matches('/'));
        match self.links()?.get(name) {
            Some(Link::Object(address)) => Self::read(self.file, *address, &path),
            Some(Link::Soft) => Err(content(format!("`{path}` is a link to another place, which is not followed"))),
            Some(Link::External) => Err(content(format!("`{path}` is a link to another file, which is not followed"))),
            None => Err(content(format!("`{}` has no entry `{name}`", self.path))),
        }
    }

    /// Whether the group has an entry of this name.
    pub(crate) fn has(&self, name: &str) -> Sound<bool> {
        Ok(self.links()?.contains_key(name))
    }

    fn links(&self) -> Sound<&BTreeMap<String, Link>> {
        if let Some(links) = self.links.get() {
            return Ok(links);
        }
        let links = group::links(self.file, &self.messages).map_err(|flaw| within(&self.path, flaw))?;
        Ok(self.links.get_or_init(|| links))
    }

    /// The texts of an attribute; `None` if there is none of this name.
    pub(crate) fn texts(&self, name: &str) -> Sound<Option<Vec<String>>> {
        self.find_texts(name).map_err(|flaw| within(&self.path, flaw))
    }

    fn find_texts(&self, name: &str) -> Sound<Option<Vec<String>>> {
        for message in &self.messages {
            if message.kind == message::ATTRIBUTE_INFO {
                let mut reader = Reader(message.data);
                let (_version, flags) = (reader.u8()?, reader.u8()?);
                reader.take(if flags & 1 == 0 { 0 } else { 2 })?;
                if reader.u64()? != UNDEFINED {
                    return Err(content("it has more attributes than fit into its header, as `libver=\"latest\"` writes them"));
                }
            }
            if message.kind == message::ATTRIBUTE && !message.is_shared {
                let attribute = Attribute::read(message.data)?;
                if attribute.name == name {
                    return attribute.texts(self.file).map(Some);
                }
            }
        }
        Ok(None)
    }

    /// The values of the dataset.
    pub(crate) fn dataset(&self) -> Sound<Dataset> {
        dataset::read(self.file, &self.messages).map_err(|flaw| within(&self.path, flaw))
    }
}

/// Says of which object a flaw is.
fn within(path: &str, flaw: Flaw) -> Flaw {
    match flaw {
        Flaw::Content(reason) => content(format!("`{path}`: {reason}")),
        other => other,
    }
}
