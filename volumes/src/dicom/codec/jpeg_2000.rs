//! The size of JPEG 2000 data, before `OpenJPEG` makes room for it.

use super::Damage;

/// The markers that a codestream begins with: SOC and SIZ.
const START: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];

const SHORT: Damage = Damage::Short { what: "the header of JPEG 2000 data" };

/// What the header of a codestream says (T.800, A.5.1).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) components: usize,
    /// Of the first component.
    pub(super) width: usize,
    /// Of the first component.
    pub(super) height: usize,
}

impl Header {
    pub(super) fn read(data: &[u8]) -> Result<Self, Damage> {
        let stream = codestream(data)?;
        let byte = |at: usize| stream.get(at).copied().ok_or(SHORT);
        // The image lies between two corners of a grid; a component may have but every second, third, ... point of it.
        let length = |axis: usize| {
            let (end, start) = (word(stream, 8 + 4 * axis)?, word(stream, 16 + 4 * axis)?);
            let step = match byte(43 + axis)? {
                0 => return Err(Damage::Wrong { what: "the header of JPEG 2000 data" }),
                step => u32::from(step),
            };
            Ok(end.div_ceil(step).saturating_sub(start.div_ceil(step)) as usize)
        };
        let components = u16::from_be_bytes([byte(40)?, byte(41)?]).into();
        Ok(Self { components, width: length(0)?, height: length(1)? })
    }
}

/// The codestream: all there is, as DICOM wants it, or a box of a JP2 file (T.800, I.4).
fn codestream(data: &[u8]) -> Result<&[u8], Damage> {
    let mut rest = data;
    while !rest.starts_with(&START) {
        let (header, length) = match word(rest, 0)? {
            0 => (8, rest.len()),
            1 => (16, usize::try_from(u64::from(word(rest, 8)?) << 32 | u64::from(word(rest, 12)?)).unwrap_or(usize::MAX)),
            length => (8, length as usize),
        };
        let is_codestream = rest.get(4..8) == Some(b"jp2c");
        if length < header {
            return Err(Damage::Wrong { what: "a box of JPEG 2000 data" });
        }
        rest = rest.get(if is_codestream { header } else { length }..).ok_or(SHORT)?;
        if is_codestream && !rest.starts_with(&START) {
            return Err(SHORT);
        }
    }
    Ok(rest)
}

fn word(bytes: &[u8], at: usize) -> Result<u32, Damage> {
    let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or(SHORT)?;
    Ok(u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dicom::codec::{Expected, decode};
    use crate::dicom::syntax::Compression;

    /// SOC and SIZ of an image in one tile.
    fn header(components: u16, end: [u32; 2], start: [u32; 2], steps: [u8; 2]) -> Vec<u8> {
        let words = [end, start, end, [0, 0]].concat();
        let mut bytes = [&START[..], &[0, 41, 0, 0]].concat();
        bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        bytes.extend(components.to_be_bytes());
        bytes.extend([11, steps[0], steps[1]]);
        bytes
    }

    /// The same in a JP2 file, after its signature.
    fn boxed(stream: &[u8]) -> Vec<u8> {
        let signature = *b"\0\0\0\x0cjP  \r\n\x87\n";
        let long = *b"\0\0\0\x01free\0\0\0\0\0\0\0\x12!!";
        [&signature[..], &long, b"\0\0\0\0jp2c", stream].concat()
    }

    #[test]
    fn a_component_is_as_large_as_its_part_of_the_grid() {
        for (end, start, steps, width, height) in [
            ([16, 12], [0, 0], [1, 1], 16, 12),
            ([17, 15], [1, 3], [1, 1], 16, 12),
            ([31, 24], [0, 1], [2, 2], 16, 11),
            ([3, 3], [5, 5], [1, 1], 0, 0),
        ] {
            let bytes = header(1, end, start, steps);
            assert_eq!(Header::read(&bytes).unwrap(), Header { components: 1, width, height });
            assert_eq!(Header::read(&boxed(&bytes)).unwrap(), Header { components: 1, width, height });
        }
    }

    #[test]
    fn what_is_not_the_image_is_refused_before_there_is_room_for_it() {
        let expected = Expected { width: 32, height: 32, bytes: 2 };
        let refused = |data: &[u8], message: &str| {
            let error = decode(Compression::Jpeg2000, data, expected).map(|_| ()).unwrap_err();
            assert_eq!(error.to_string(), message);
        };
        let large = header(1, [60000, 60000], [0, 0], [1, 1]);
        refused(&large, "expected 32 x 32 pixels, got 60000 x 60000");
        refused(&boxed(&large), "expected 32 x 32 pixels, got 60000 x 60000");
        refused(&header(16384, [32, 32], [0, 0], [1, 1]), "expected 1 components, got 16384");
        refused(&header(1, [32, 32], [0, 0], [1, 0]), "the header of JPEG 2000 data is damaged");
        for length in 0..large.len() {
            refused(&large[..length], "the header of JPEG 2000 data ends early");
        }
        refused(b"\0\0\0\x07jP  \r\n\x87\n", "a box of JPEG 2000 data is damaged");
        refused(b"\0\0\0\0jp2cnothing", "the header of JPEG 2000 data ends early");
    }
}
