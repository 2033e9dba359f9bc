//! Fields of a file, one after the other.

use crate::flaw::{Sound, content};

/// An address that says that there is nothing.
pub(super) const UNDEFINED: u64 = u64::MAX;

/// What is still to be read of a part of the file. Numbers are little-endian, addresses and lengths have 8 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'b>(pub(super) &'b [u8]);

impl<'b> Reader<'b> {
    /// The next `length` bytes.
    pub(super) fn take(&mut self, length: usize) -> Sound<&'b [u8]> {
        let (taken, left) = self.0.split_at_checked(length).ok_or_else(|| content("a structure ends too early"))?;
        self.0 = left;
        Ok(taken)
    }

    /// The next bytes, which must be these.
    pub(super) fn expect(&mut self, signature: &[u8], what: &str) -> Sound<()> {
        if self.take(signature.len())? == signature {
            Ok(())
        } else {
            Err(content(format!("expected {what}, got something else")))
        }
    }

    fn array<const N: usize>(&mut self) -> Sound<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Sound<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Sound<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Sound<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Sound<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number of `1 << power` bytes.
    pub(super) fn number(&mut self, power: u8) -> Sound<u64> {
        Ok(match power {
            0 => self.u8()?.into(),
            1 => self.u16()?.into(),
            2 => self.u32()?.into(),
            _ => self.u64()?,
        })
    }
}

/// The text before the first zero.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
