//! DICOM's run-length encoding.

use super::Damage;

/// Most segments of a frame.
const MAX_SEGMENTS: usize = 15;

/// Decodes a frame into samples of one or two bytes: each byte of the samples, the most significant first, is a segment of `PackBits` data
/// (PS3.5, annex G).
pub(super) fn decode(data: &[u8], samples: usize, bytes: usize) -> Result<Vec<u32>, Damage> {
    let word = |at: usize| data.get(4 * at..4 * at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize);
    let count = word(0).filter(|count| *count <= MAX_SEGMENTS).ok_or(Damage::Short { what: "the header of RLE data" })?;
    if count != bytes {
        return Err(Damage::Count { what: "RLE segments", expected: bytes, got: count });
    }
    let mut values = vec![0_u32; samples];
    for segment in 1..=count {
        let start = word(segment).ok_or(Damage::Short { what: "the header of RLE data" })?;
        let end = if segment < count { word(segment + 1) } else { Some(data.len()) };
        let packed = end.and_then(|end| data.get(start..end)).ok_or(Damage::Short { what: "a segment of RLE data" })?;
        unpack(packed, &mut values)?;
    }
    Ok(values)
}

/// Shifts the next byte of each sample in. What comes after the last one is padding.
fn unpack(mut packed: &[u8], mut values: &mut [u32]) -> Result<(), Damage> {
    const SHORT: Damage = Damage::Short { what: "a segment of RLE data" };
    while !values.is_empty() {
        let (&head, rest) = packed.split_first().ok_or(SHORT)?;
        // 128 stands for nothing; less for literals, more for a byte that is repeated.
        let (count, length) = match usize::from(head) {
            128 => (0, 0),
            head @ ..128 => (head + 1, head + 1),
            head => (257 - head, 1),
        };
        let (bytes, rest) = rest.split_at_checked(length).ok_or(SHORT)?;
        packed = rest;
        let (now, later) = values.split_at_mut(count.min(values.len()));
        for (value, &byte) in now.iter_mut().zip(bytes.iter().cycle()) {
            *value = *value << 8 | u32::from(byte);
        }
        values = later;
    }
    Ok(())
}
