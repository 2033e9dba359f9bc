//! What a value is.

use super::reader::Reader;
use crate::flaw::{Sound, content};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Datatype {
    /// IEEE floating point of 2, 4 or 8 bytes.
    Float { bytes: usize, is_big_endian: bool },
    /// Text of so many bytes, ended by a zero or filled up.
    Text { bytes: usize },
    /// Text in the heap.
    LongText,
    /// Something else: how it is called.
    Other { name: &'static str, bytes: usize },
}

/// Bytes of a place in the heap: length, address of the collection, number within it.
const LONG_TEXT_BYTES: usize = 16;

impl Datatype {
    pub(super) fn read(data: &[u8]) -> Sound<Self> {
        let mut reader = Reader(data);
        let class = reader.u8()?;
        let (version, class) = (class >> 4, class & 0xf);
        let bits = [reader.u8()?, reader.u8()?, reader.u8()?];
        let bytes = reader.u32()? as usize;
        if !(1..=3).contains(&version) {
            return Err(content(format!("expected a datatype of version 1 to 3, got {version}")));
        }
        let other = |name| Self::Other { name, bytes };
        Ok(match class {
            1 => {
                let (offset, precision) = (reader.u16()?, reader.u16()?);
                let fields = [reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?];
                let (bias, sign) = (reader.u32()?, bits[1]);
                // Where the exponent begins and how long it is, and so the mantissa: IEEE 754's binary16, binary32 and binary64.
                let is_ieee = match (bytes, fields, bias, sign) {
                    (2, [10, 5, 0, 10], 15, 15) | (4, [23, 8, 0, 23], 127, 31) | (8, [52, 11, 0, 52], 1023, 63) => {
                        offset == 0 && usize::from(precision) == 8 * bytes
                    }
                    _ => false,
                };
                if is_ieee && bits[0] & 0x40 == 0 {
                    Self::Float { bytes, is_big_endian: bits[0] & 1 != 0 }
                } else {
                    other("floating point that is not IEEE's of 16, 32 or 64 bits")
                }
            }
            3 => Self::Text { bytes },
            9 if bits[0] & 0xf == 1 && bytes == LONG_TEXT_BYTES => Self::LongText,
            0 => other("an integer"),
            2 => other("a time"),
            4 => other("a bit field"),
            5 => other("opaque"),
            6 => other("a compound"),
            7 => other("a reference"),
            8 => other("an enumeration"),
            9 => other("of variable length"),
            10 => other("an array"),
            _ => return Err(content(format!("datatype of unknown class {class}"))),
        })
    }

    /// Bytes of a value.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Float { bytes, .. } | Self::Text { bytes } | Self::Other { bytes, .. } => bytes,
            Self::LongText => LONG_TEXT_BYTES,
        }
    }

    /// How errors call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Float { .. } => "floating point",
            Self::Text { .. } | Self::LongText => "text",
            Self::Other { name, .. } => name,
        }
    }
}
