//! Frames of single bits.

use std::io::{self, Write};

/// Which voxels of a plane have a label, a bit each, the first in the lowest bit of the first byte; `None` if none has.
pub(super) fn packed(labels: &[u16], label: u16) -> Option<Vec<u8>> {
    let mut found = false;
    let bits = labels.chunks(8).map(|voxels| {
        let byte = voxels.iter().rev().fold(0, |byte, &voxel| byte << 1 | u8::from(voxel == label));
        found |= byte != 0;
        byte
    });
    let bits: Vec<u8> = bits.collect();
    found.then_some(bits)
}

/// Writes frames bit after bit: a frame does not begin with a byte (PS3.5, 8.1.1).
pub(super) struct BitWriter<W> {
    file: W,
    byte: u8,
    used: usize,
    written: u64,
}

impl<W: Write> BitWriter<W> {
    pub(super) fn new(file: W) -> Self {
        Self { file, byte: 0, used: 0, written: 0 }
    }

    /// Writes the first `bits` bits of these bytes.
    pub(super) fn write(&mut self, bytes: &[u8], bits: usize) -> io::Result<()> {
        if self.used == 0 && bits.is_multiple_of(8) {
            self.written += bytes.len() as u64;
            return self.file.write_all(bytes);
        }
        let mut moved = Vec::with_capacity(bytes.len() + 1);
        for (index, &byte) in bytes.iter().enumerate() {
            let count = (bits - 8 * index).min(8);
            let both = u16::from(self.byte) | u16::from(byte) << self.used;
            if self.used + count >= 8 {
                moved.push(both as u8);
                self.byte = (both >> 8) as u8;
                self.used = self.used + count - 8;
            } else {
                self.byte = both as u8;
                self.used += count;
            }
        }
        self.written += moved.len() as u64;
        self.file.write_all(&moved)
    }

    /// Ends the last byte, and makes their number even.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if self.used > 0 {
            self.file.write_all(&[self.byte])?;
            self.written += 1;
        }
        if self.written % 2 == 1 {
            self.file.write_all(&[0])?;
        }
        Ok(self.file)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_follow_each_other(frames in prop::collection::vec(prop::collection::vec(0..3_u16, 13), 1..6)) {
            let mut writer = BitWriter::new(Vec::new());
            for frame in &frames {
                let bits = packed(frame, 1).unwrap_or_else(|| vec![0; 2]);
                writer.write(&bits, 13).unwrap();
            }
            let bytes = writer.finish().unwrap();
            prop_assert_eq!(bytes.len(), (13 * frames.len()).div_ceil(8).next_multiple_of(2));
            for (at, &label) in frames.iter().flatten().enumerate() {
                prop_assert_eq!(bytes[at / 8] >> (at % 8) & 1 == 1, label == 1);
            }
        }
    }
}
