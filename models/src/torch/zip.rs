//! Zip archives whose entries are stored as they are, like those of PyTorch.
//!
//! The `zip` crate reads all that archives can be; it also makes room for as many entries as an archive claims to have, and cannot say that
//! entries are stored one after the other. For weights nothing else is needed, and the rest is refused: compressed and encrypted entries, those that
//! overlap, archives of several disks. Specification: PKWARE's APPNOTE.TXT, 6.3.10, sections 4.3 and 4.5.3.

use std::io::{Read, Seek, SeekFrom};

use crate::flaw::{Sound, content};

const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// Bytes of the end record without its comment, and of the longest comment.
const END_LENGTH: u64 = 22;
const MAX_COMMENT: u64 = 65_535;
/// Bytes of the locator of a 64-bit end record.
const LOCATOR_LENGTH: u64 = 20;
/// Bytes of the longest directory.
const MAX_DIRECTORY: u64 = 64 << 20;
/// The number that says that a field is in the 64-bit extra field.
const ELSEWHERE: u32 = u32::MAX;

/// An archive, and where its entries are.
#[derive(Debug)]
pub(super) struct Zip<R> {
    file: R,
    /// In the order of their names.
    entries: Vec<Entry>,
}

/// An entry: its bytes in the file.
#[derive(Clone, Debug)]
struct Entry {
    name: String,
    start: u64,
    length: u64,
    crc: u32,
    /// What keeps it from being read.
    obstacle: Option<&'static str>,
}

impl<R: Read + Seek> Zip<R> {
    /// Reads the directory of an archive.
    pub(super) fn open(mut file: R) -> Sound<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        let directory = Directory::find(&mut file, length)?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(directory.start))?;
        file.by_ref().take(directory.length).read_to_end(&mut bytes)?;
        let mut fields = Fields(&bytes);
        let mut entries = Vec::new();
        let mut places = Vec::new();
        while !fields.0.is_empty() {
            let (entry, header) = fields.entry()?;
            places.push(header);
            entries.push(entry);
        }
        if entries.len() as u64 != directory.count {
            return Err(content(format!("the archive claims {} entries and lists {}", directory.count, entries.len())));
        }
        let mut ranges = Vec::with_capacity(entries.len());
        for (entry, header) in entries.iter_mut().zip(places) {
            entry.start = data_start(&mut file, header)?;
            let end = entry.start.checked_add(entry.length).filter(|end| *end <= directory.start);
            ranges.push((header, end.ok_or_else(|| content(format!("entry `{}` ends behind the archive's end", entry.name)))?));
        }
        ranges.sort_unstable();
        if ranges.windows(2).any(|pair| pair[1].0 < pair[0].1) {
            return Err(content("entries of the archive overlap"));
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(content(format!("the archive has two entries called `{}`", pair[0].name)));
        }
        Ok(Self { file, entries })
    }

    /// The names of all entries, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// Bytes of an entry; `None` if there is none of this name.
    pub(super) fn length(&self, name: &str) -> Option<u64> {
        self.entry(name).map(|entry| entry.length)
    }

    /// All of an entry, whose checksum fits.
    pub(super) fn read(&mut self, name: &str) -> Sound<Vec<u8>> {
        let entry = self.entry(name).cloned().ok_or_else(|| content(format!("the archive lacks `{name}`")))?;
        if let Some(obstacle) = entry.obstacle {
            return Err(content(format!("entry `{name}` is {obstacle}, which torch.save never does")));
        }
        self.file.seek(SeekFrom::Start(entry.start))?;
        // No more than the file has: entries do not reach behind its end.
        let mut bytes = Vec::with_capacity(entry.length as usize);
        self.file.by_ref().take(entry.length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != entry.length || crc32fast::hash(&bytes) != entry.crc {
            return Err(content(format!("entry `{name}` is damaged: its checksum is another one")));
        }
        Ok(bytes)
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        let place = self.entries.binary_search_by(|entry| entry.name.as_str().cmp(name)).ok()?;
        self.entries.get(place)
    }
}

/// Where the directory is.
struct Directory {
    start: u64,
    length: u64,
    count: u64,
}

impl Directory {
    fn find(file: &mut (impl Read + Seek), length: u64) -> Sound<Self> {
        let tail_start = length.saturating_sub(END_LENGTH + MAX_COMMENT + LOCATOR_LENGTH);
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(tail_start))?;
        file.take(END_LENGTH + MAX_COMMENT + LOCATOR_LENGTH).read_to_end(&mut tail)?;
        let ends = |at: &usize| {
            let comment = tail.get(at + 20..at + 22).and_then(|bytes| bytes.try_into().ok()).map(u16::from_le_bytes);
            tail[*at..].starts_with(&END)
                && comment.is_some_and(|comment| at + END_LENGTH as usize + usize::from(comment) == tail.len())
        };
        let at = (0..tail.len()).rev().find(ends).ok_or_else(|| content("the archive's end is missing: the file is cut off"))?;
        let mut fields = Fields(&tail[at + 4..]);
        let [disk, first_disk, count_here, count] = [fields.u16()?, fields.u16()?, fields.u16()?, fields.u16()?].map(u64::from);
        let mut own = Self { length: fields.u32()?.into(), start: fields.u32()?.into(), count };
        let is_single = disk == first_disk && count_here == count;
        let mut end = tail_start + at as u64;
        if let Some(locator) = at.checked_sub(LOCATOR_LENGTH as usize)
            && tail[locator..].starts_with(&LOCATOR_64)
        {
            let mut fields = Fields(&tail[locator + 8..]);
            end = fields.u64()?;
            own = Self::read_64(file, end)?;
        } else if !is_single {
            return Err(content("the archive has several disks"));
        }
        if own.start.checked_add(own.length).is_none_or(|after| after > end) {
            return Err(content(format!("the archive claims a directory of {} bytes at {}", own.length, own.start)));
        }
        if own.length > MAX_DIRECTORY {
            return Err(content(format!("the archive's directory is longer than {} MiB", MAX_DIRECTORY >> 20)));
        }
        Ok(own)
    }

    fn read_64(file: &mut (impl Read + Seek), at: u64) -> Sound<Self> {
        let mut record = [0; 56];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut record)?;
        if !record.starts_with(&END_64) {
            return Err(content("the archive's 64-bit end is not where it claims"));
        }
        let mut fields = Fields(&record[32..]);
        Ok(Self { count: fields.u64()?, length: fields.u64()?, start: fields.u64()? })
    }
}

/// Where an entry's bytes begin: behind its local header.
fn data_start(file: &mut (impl Read + Seek), header: u64) -> Sound<u64> {
    let mut local = [0; 30];
    file.seek(SeekFrom::Start(header))?;
    file.read_exact(&mut local)?;
    if !local.starts_with(&LOCAL) {
        return Err(content(format!("no entry of the archive is at {header}")));
    }
    let mut fields = Fields(&local[26..]);
    let [name, extra] = [fields.u16()?, fields.u16()?].map(u64::from);
    Ok(header + local.len() as u64 + name + extra)
}

/// Fields that are still to be read.
struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    fn take(&mut self, length: usize) -> Sound<&'b [u8]> {
        let (taken, left) =
            self.0.split_at_checked(length).ok_or_else(|| content("the archive's directory ends within an entry"))?;
        self.0 = left;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Sound<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u16(&mut self) -> Sound<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Sound<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Sound<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next entry of the directory, and where its local header is.
    fn entry(&mut self) -> Sound<(Entry, u64)> {
        if self.array()? != ENTRY {
            return Err(content("the archive's directory is damaged"));
        }
        self.take(4)?;
        let (flags, method) = (self.u16()?, self.u16()?);
        self.take(4)?;
        let crc = self.u32()?;
        let (stored, length) = (self.u32()?, self.u32()?);
        let [name_length, extra_length, comment_length] = [self.u16()?, self.u16()?, self.u16()?].map(usize::from);
        self.take(8)?;
        let header = self.u32()?;
        let name = String::from_utf8_lossy(self.take(name_length)?).into_owned();
        let mut extra = Fields(self.take(extra_length)?).wide()?;
        self.take(comment_length)?;
        let mut wide = |narrow: u32| if narrow == ELSEWHERE { extra.u64() } else { Ok(narrow.into()) };
        let (length, stored, header) = (wide(length)?, wide(stored)?, wide(header)?);
        let obstacle = match method {
            _ if flags & 1 != 0 => Some("encrypted"),
            0 if stored == length => None,
            _ => Some("compressed"),
        };
        Ok((Entry { name, start: 0, length: stored, crc, obstacle }, header))
    }

    /// The 64-bit field of an entry's extra fields; empty if there is none.
    fn wide(mut self) -> Sound<Self> {
        while self.0.len() >= 4 {
            let (kind, length) = (self.u16()?, self.u16()?);
            let field = self.take(length.into())?;
            if kind == 1 {
                return Ok(Fields(field));
            }
        }
        Ok(Fields(&[]))
    }
}
