//! Datasets of numbers.

use std::borrow::Cow;

use super::chunks::Chunks;
use super::datatype::Datatype;
use super::message::{self, Message};
use super::reader::{Reader, UNDEFINED};
use super::{dataspace, file::File, fill};
use crate::flaw::{Sound, content};

/// A dataset's values.
#[derive(Debug)]
pub(crate) struct Dataset {
    /// Length of every axis, the slowest first.
    pub(crate) shape: Vec<usize>,
    /// The values in C order.
    pub(crate) values: Vec<f32>,
}

/// Reads the dataset of an object's messages.
pub(super) fn read(file: &File<'_>, messages: &[Message<'_>]) -> Sound<Dataset> {
    let find = |kind: u16, what: &str| {
        let message = messages.iter().find(|message| message.kind == kind).ok_or_else(|| content(format!("it has no {what}")))?;
        if message.is_shared { Err(content(format!("its {what} is shared"))) } else { Ok(message.data) }
    };
    if messages.iter().any(|message| message.kind == message::EXTERNAL_FILES) {
        return Err(content("its values are in other files, which are not read"));
    }
    if let Some(filters) = messages.iter().find(|message| message.kind == message::FILTERS) {
        return Err(content(format!("its values are filtered ({}): save it without compression", filter_names(filters.data)?)));
    }
    let shape = dataspace::shape(find(message::DATASPACE, "dataspace")?)?;
    let datatype = Datatype::read(find(message::DATATYPE, "datatype")?)?;
    let Datatype::Float { bytes, is_big_endian } = datatype else {
        return Err(content(format!("expected floating point, got {}", datatype.name())));
    };
    let too_large = || content(format!("it claims a shape of {shape:?}, which the file cannot hold"));
    let count = dataspace::count(&shape).ok_or_else(too_large)?;
    file.count_values(count).map_err(|_too_many| too_large())?;
    let fill = fill::value(messages, bytes)?;
    let data = data(file, find(message::LAYOUT, "layout")?, &shape, &fill)?;
    let values = match bytes {
        2 => numbers(&data, is_big_endian, |bytes| half::f16::from_le_bytes(bytes).to_f32()),
        4 => numbers(&data, is_big_endian, f32::from_le_bytes),
        _ => numbers(&data, is_big_endian, |bytes| f64::from_le_bytes(bytes) as f32),
    };
    Ok(Dataset { shape, values })
}

/// The numbers of a dataset's bytes.
fn numbers<const N: usize>(data: &[u8], is_big_endian: bool, number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let little = |bytes: &[u8; N]| {
        let mut bytes = *bytes;
        if is_big_endian {
            bytes.reverse();
        }
        bytes
    };
    data.as_chunks().0.iter().map(|bytes| number(little(bytes))).collect()
}

/// A dataset's bytes in C order; `fill` has those of a value that was never written.
fn data<'b>(file: &File<'b>, layout: &'b [u8], shape: &[usize], fill: &[u8]) -> Sound<Cow<'b, [u8]>> {
    let bytes = fill.len();
    let total = dataspace::count(shape).and_then(|count| count.checked_mul(bytes)).unwrap_or(usize::MAX);
    let unwritten = || fill.repeat(total / bytes);
    let mut reader = Reader(layout);
    let (version, class) = (reader.u8()?, reader.u8()?);
    match (version, class) {
        (3 | 4, 0) => {
            let length = usize::from(reader.u16()?);
            sized(reader.take(length)?, total).map(Cow::Borrowed)
        }
        (3 | 4, 1) => match (reader.u64()?, reader.u64()?) {
            // Nothing was written yet.
            (UNDEFINED, _) => Ok(Cow::Owned(unwritten())),
            (address, length) => sized(file.slice(address, length)?, total).map(Cow::Borrowed),
        },
        (3, 2) => Chunks::read(&mut reader, shape.len(), bytes)?.gather(file, shape, bytes, unwritten()).map(Cow::Owned),
        (4, 2) => Err(content("its values are in chunks as `libver=\"latest\"` writes them: save it without that option")),
        (4, 3) => Err(content("its values are those of other datasets (virtual), which are not read")),
        _ => Err(content(format!("expected a layout of version 3 or 4, got {version} of class {class}"))),
    }
}

fn sized(data: &[u8], total: usize) -> Sound<&[u8]> {
    data.get(..total).ok_or_else(|| content(format!("it has {} of {total} bytes", data.len())))
}

/// The names of a dataset's filters.
fn filter_names(data: &[u8]) -> Sound<String> {
    let mut reader = Reader(data);
    let (version, count) = (reader.u8()?, reader.u8()?);
    reader.take(if version == 1 { 6 } else { 0 })?;
    if count == 0 {
        return Ok("none".into());
    }
    // That of the first one says enough.
    Ok(match reader.u16()? {
        1 => "deflate".into(),
        2 => "shuffle".into(),
        3 => "fletcher32".into(),
        4 => "szip".into(),
        other => format!("number {other}"),
    })
}
