//! Where the pixels of a DICOM file are.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::{ByteOrder, Error, Result};

/// Where the pixels of a DICOM file are. Nothing of them is kept in memory.
#[derive(Clone, Debug)]
pub(crate) enum Pixels {
    /// All frames one after the other from this place in the file.
    Native { offset: u64, frame: u64 },
    /// The fragments of each frame.
    Encapsulated { frames: Vec<Vec<Fragment>> },
}

/// A piece of compressed pixels in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment {
    offset: u64,
    length: u32,
}

/// The value of `PixelData`: its first byte, and its length unless fragments follow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    pub(crate) offset: u64,
    pub(crate) length: Option<u32>,
}

impl Value {
    /// Looks at the element header that ends at `offset`; `None` if it is not that of `PixelData`.
    pub(crate) fn after(file: &mut File, offset: u64, order: ByteOrder, implicit: bool) -> io::Result<Option<Self>> {
        let mut header = [0; 12];
        let length = if implicit { 8 } else { 12 };
        let Some(start) = offset.checked_sub(length) else { return Ok(None) };
        file.seek(SeekFrom::Start(start))?;
        let header = &mut header[..length as usize];
        file.read_exact(header)?;
        let tag: &[u8] = match order {
            ByteOrder::Little => &[0xe0, 0x7f, 0x10, 0x00],
            ByteOrder::Big => &[0x7f, 0xe0, 0x00, 0x10],
        };
        if !header.starts_with(tag) {
            return Ok(None);
        }
        let [a, b, c, d] = [4, 3, 2, 1].map(|back| header[length as usize - back]);
        let length = match order {
            ByteOrder::Little => u32::from_le_bytes([a, b, c, d]),
            ByteOrder::Big => u32::from_be_bytes([a, b, c, d]),
        };
        Ok(Some(Self { offset, length: (length != u32::MAX).then_some(length) }))
    }
}

impl Pixels {
    /// Pixels that are not compressed.
    pub(crate) fn native(file: &File, value: Value, frame: u64, frames: usize, path: &Path) -> Result<Self> {
        let read = |source| Error::File { action: "read", path: path.into(), source };
        let there = file.metadata().map_err(read)?.len().saturating_sub(value.offset);
        let expected = frame * frames as u64;
        let got = value.length.map_or(0, |length| there.min(length.into()));
        if got < expected {
            return Err(Error::Truncated { path: path.into(), expected, got, bound: false });
        }
        Ok(Self::Native { offset: value.offset, frame })
    }

    /// Compressed pixels: the fragments' headers are read, and dealt out to the frames (PS3.5, A.4).
    pub(crate) fn encapsulated(file: &mut File, value: Value, frames: usize, path: &Path) -> Result<Self> {
        let read = |source| Error::File { action: "read", path: path.into(), source };
        let mut end = file.metadata().map_err(read)?.len();
        let mut at = value.offset;
        let mut items = Vec::new();
        let mut ended = false;
        while at + 8 <= end {
            let mut header = [0; 8];
            file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut header)).map_err(read)?;
            let [.., a, b, c, d] = header;
            let length = u32::from_le_bytes([a, b, c, d]);
            match header {
                [0xfe, 0xff, 0x00, 0xe0, ..] => items.push(Fragment { offset: at + 8, length }),
                // The end of the sequence.
                [0xfe, 0xff, 0xdd, 0xe0, ..] => ended = true,
                _ => {}
            }
            if !header.starts_with(&[0xfe, 0xff, 0x00, 0xe0]) {
                end = at;
                break;
            }
            at += 8 + u64::from(length);
        }
        let wrong = |got: String| Error::Fragments { path: path.into(), frames, got };
        if at > end {
            return Err(wrong(format!("a fragment cut off after {} bytes", end.saturating_sub(at_of(&items)))));
        }
        let Some((table, fragments)) = items.split_first() else { return Err(wrong("none".into())) };
        if fragments.len() == frames {
            return Ok(Self::Encapsulated { frames: fragments.iter().map(|&fragment| vec![fragment]).collect() });
        }
        if frames == 1 && ended && !fragments.is_empty() {
            return Ok(Self::Encapsulated { frames: vec![fragments.to_vec()] });
        }
        if !ended || table.length as usize != 4 * frames {
            return Err(wrong(format!("{} fragments", fragments.len())));
        }
        let mut offsets = vec![0; table.length as usize];
        file.seek(SeekFrom::Start(table.offset)).and_then(|_| file.read_exact(&mut offsets)).map_err(read)?;
        // Offsets count from the first fragment's header.
        let first = table.offset + u64::from(table.length);
        let starts: Vec<u64> = offsets.as_chunks().0.iter().map(|&bytes| first + u64::from(u32::from_le_bytes(bytes))).collect();
        let mut dealt = vec![Vec::new(); frames];
        for &fragment in fragments {
            let Some(frame) = starts.partition_point(|&start| start < fragment.offset).checked_sub(1) else {
                return Err(wrong("a fragment before the first offset".into()));
            };
            dealt[frame].push(fragment);
        }
        if dealt.iter().any(Vec::is_empty) {
            return Err(wrong(format!("{} fragments", fragments.len())));
        }
        Ok(Self::Encapsulated { frames: dealt })
    }

    /// The stored bytes of a frame; compressed ones are one stream.
    pub(crate) fn read(&self, file: &mut File, frame: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::Native { offset, frame: length } => {
                let mut bytes = vec![0; *length as usize];
                file.seek(SeekFrom::Start(offset + frame as u64 * length))?;
                file.read_exact(&mut bytes)?;
                Ok(bytes)
            }
            Self::Encapsulated { frames } => {
                let mut bytes = Vec::new();
                for fragment in &frames[frame] {
                    file.seek(SeekFrom::Start(fragment.offset))?;
                    let start = bytes.len();
                    bytes.resize(start + fragment.length as usize, 0);
                    file.read_exact(&mut bytes[start..])?;
                }
                Ok(bytes)
            }
        }
    }
}

/// Where the last item's value begins.
fn at_of(items: &[Fragment]) -> u64 {
    items.last().map_or(0, |item| item.offset)
}
