//! Attributes of an object.

use super::dataspace;
use super::datatype::Datatype;
use super::file::File;
use super::heap::long_text;
use super::reader::{Reader, text};
use crate::flaw::{Sound, content};

/// An attribute, whose values are not read yet.
#[derive(Debug)]
pub(super) struct Attribute<'b> {
    pub(super) name: String,
    datatype: Datatype,
    count: usize,
    data: Reader<'b>,
}

impl<'b> Attribute<'b> {
    pub(super) fn read(data: &'b [u8]) -> Sound<Self> {
        let mut reader = Reader(data);
        let (version, flags) = (reader.u8()?, reader.u8()?);
        let [name, datatype, space] = [reader.u16()?, reader.u16()?, reader.u16()?].map(usize::from);
        match version {
            2 | 3 if flags & 3 != 0 => return Err(content("an attribute has its datatype elsewhere")),
            1 | 2 => {}
            3 => {
                reader.take(1)?;
            }
            other => return Err(content(format!("expected an attribute of version 1 to 3, got {other}"))),
        }
        let mut part = |length: usize| {
            let bytes = reader.take(length)?;
            if version == 1 {
                reader.take(length.next_multiple_of(8) - length)?;
            }
            Ok::<_, crate::flaw::Flaw>(bytes)
        };
        let (name, datatype, space) = (text(part(name)?), Datatype::read(part(datatype)?)?, dataspace::shape(part(space)?)?);
        let count = dataspace::count(&space).ok_or_else(|| content(format!("attribute `{name}` claims a shape of {space:?}")))?;
        Ok(Self { name, datatype, count, data: reader })
    }

    /// Its texts.
    pub(super) fn texts(&self, file: &File<'b>) -> Sound<Vec<String>> {
        let unlike = |bytes: &[u8]| content(format!("attribute `{}` is no text: {} bytes", self.name, bytes.len()));
        let mut reader = self.data;
        let fits = self.count.checked_mul(self.datatype.bytes()).is_some_and(|bytes| bytes <= reader.0.len());
        if !fits {
            return Err(content(format!("attribute `{}` is longer than its place", self.name)));
        }
        // Of texts without bytes there could be any number.
        file.count_values(self.count)?;
        let one = |_| match self.datatype {
            Datatype::Text { bytes } => Ok(text(reader.take(bytes)?)),
            Datatype::LongText => {
                let bytes = long_text(file, &mut reader)?;
                // The same text may be meant many times.
                file.count_values(bytes.len())?;
                String::from_utf8(bytes.to_vec()).map_err(|error| unlike(error.as_bytes()))
            }
            other => Err(content(format!("attribute `{}`: expected text, got {}", self.name, other.name()))),
        };
        (0..self.count).map(one).collect()
    }
}
