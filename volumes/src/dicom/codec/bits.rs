//! Bits of JPEG-LS data.

use super::Damage;

/// Reads bits, the most significant first. After a byte of ones the next one has seven bits, or is a marker, where the data ends (T.87, A.1).
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// Bits that are read already, at the low end of `cache`.
    cached: u32,
    cache: u64,
    ones: bool,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, cached: 0, cache: 0, ones: false }
    }

    fn need(&mut self, count: u32) -> Result<(), Damage> {
        while self.cached < count {
            let short = Damage::Short { what: "JPEG-LS data" };
            let Some((&byte, rest)) = self.data.split_first() else { return Err(short) };
            let bits = if self.ones { 7 } else { 8 };
            if self.ones && byte >= 128 {
                return Err(short);
            }
            self.cache = self.cache << bits | u64::from(byte);
            self.cached += bits;
            self.ones = byte == 0xff;
            self.data = rest;
        }
        Ok(())
    }

    /// A number of up to 32 bits.
    pub(super) fn number(&mut self, count: u32) -> Result<u32, Damage> {
        self.need(count)?;
        self.cached -= count;
        Ok((self.cache >> self.cached & ((1 << count) - 1)) as u32)
    }

    pub(super) fn bit(&mut self) -> Result<bool, Damage> {
        Ok(self.number(1)? == 1)
    }

    /// How many zeros come before the next one, which is read too; no more than `most`, after which it is a mistake.
    pub(super) fn zeros(&mut self, most: u32) -> Result<u32, Damage> {
        for count in 0..=most {
            if self.bit()? {
                return Ok(count);
            }
        }
        Err(Damage::Wrong { what: "JPEG-LS data" })
    }
}
