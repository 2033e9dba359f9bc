//! What values are that were never written.

use super::message::{self, Message};
use super::reader::Reader;
use crate::flaw::{Sound, content};

/// The bytes of such a value in a dataset whose values have so many: what its messages say, and 0 where they say nothing.
pub(super) fn value(messages: &[Message<'_>], bytes: usize) -> Sound<Vec<u8>> {
    let find = |kind: u16| messages.iter().find(|message| message.kind == kind);
    let Some(message) = find(message::FILL).or_else(|| find(message::OLD_FILL)) else { return Ok(vec![0; bytes]) };
    if message.is_shared {
        return Err(content("its fill value is shared"));
    }
    let mut reader = Reader(message.data);
    let has_value = match message.kind {
        message::OLD_FILL => true,
        _ => match reader.u8()? {
            // Of the first version, the length is there even if the value is not.
            1 => {
                reader.take(3)?;
                true
            }
            2 => reader.take(3)?.last() != Some(&0),
            3 => reader.u8()? & 0x20 != 0,
            other => return Err(content(format!("expected a fill value of version 1 to 3, got {other}"))),
        },
    };
    let length = if has_value { reader.u32()? } else { 0 };
    match length {
        // None of its own. Of the first version, one that is undefined has a length of -1.
        0 | u32::MAX => Ok(vec![0; bytes]),
        _ if length as usize == bytes => reader.take(bytes).map(<[u8]>::to_vec),
        _ => Err(content(format!("expected a fill value of {bytes} bytes, got {length}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: [u8; 4] = 1.5f32.to_le_bytes();

    fn message(kind: u16, data: &[u8]) -> Message<'_> {
        Message { kind, is_shared: false, data }
    }

    #[test]
    fn every_version_says_it() -> Result<(), String> {
        let read = |messages: &[Message<'_>]| value(messages, 4).map_err(|flaw| format!("{flaw:?}"));
        let sized = [&4u32.to_le_bytes()[..], &VALUE].concat();
        for start in [&[1, 2, 2, 1][..], &[2, 2, 2, 1], &[3, 0x29]] {
            let data = [start, &sized].concat();
            assert_eq!(read(&[message(message::FILL, &data)])?, VALUE, "{start:?}");
        }
        let old = message(message::OLD_FILL, &sized);
        assert_eq!(read(&[old])?, VALUE);
        // The newer message counts, and need not have a value.
        for data in [&[1, 2, 2, 0, 255, 255, 255, 255][..], &[2, 2, 2, 0], &[2, 2, 2, 1, 0, 0, 0, 0], &[3, 0x09], &[3, 0x19]] {
            assert_eq!(read(&[old, message(message::FILL, data)])?, [0; 4], "{data:?}");
        }
        assert_eq!(read(&[])?, [0; 4]);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refusal = |data: &[u8]| format!("{:?}", value(&[message(message::FILL, data)], 4));
        assert!(refusal(&[2, 2, 2, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).contains("expected a fill value of 4 bytes, got 8"));
        assert!(refusal(&[2, 2, 2, 1, 4, 0, 0, 0, 1]).contains("a structure ends too early"));
        assert!(refusal(&[4, 0]).contains("expected a fill value of version 1 to 3, got 4"));
    }
}
