//! An open file.

use std::io::SeekFrom;
use std::ops::Range;
use std::sync::Arc;

use super::failure::report;
use crate::remote::cache::{BLOCK, BlockCache, Wanted};
use crate::remote::object::Object;

/// The most that is read ahead of a run of reads.
const MOST_AHEAD: u64 = 1 << 20;

/// An open file: GDAL uses it from one thread at a time.
pub(super) struct File {
    cache: Arc<BlockCache>,
    object: Arc<Object>,
    name: String,
    pub(super) position: u64,
    pub(super) state: State,
    /// What was read last.
    last: Range<u64>,
    /// How far past a read that goes on from there to read.
    ahead: u64,
}

/// What became of the last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Good,
    /// It went beyond the end.
    AtEnd,
    Failed,
}

impl File {
    pub(super) fn new(cache: Arc<BlockCache>, object: Arc<Object>, name: String) -> Self {
        Self { cache, object, name, position: 0, state: State::Good, last: 0..0, ahead: 0 }
    }

    /// Moves to a position, which may lie behind the end.
    pub(super) fn seek(&mut self, to: SeekFrom) {
        self.state = State::Good;
        self.position = match to {
            SeekFrom::Start(offset) => offset,
            SeekFrom::Current(offset) => self.position.wrapping_add_signed(offset),
            SeekFrom::End(offset) => self.object.version.size.wrapping_add_signed(offset),
        };
    }

    /// Reads from the position on and returns how many bytes there were: fewer than asked for at the end, none after a failure.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> usize {
        let left = self.object.version.size.saturating_sub(self.position);
        let count = left.min(bytes.len() as u64) as usize;
        self.state = if count < bytes.len() { State::AtEnd } else { State::Good };
        let wanted = Wanted { offset: self.position, bytes: &mut bytes[..count] };
        if !self.fill(&mut [wanted]) {
            return 0;
        }
        self.position += count as u64;
        count
    }

    /// Fills buffers, and returns whether all could be; they must lie within the file.
    pub(super) fn fill(&mut self, wanted: &mut [Wanted<'_>]) -> bool {
        let ranges = || wanted.iter().map(Wanted::range);
        let (start, end) = (ranges().map(|range| range.start).min(), ranges().map(|range| range.end).max());
        let (Some(start), Some(end)) = (start, end) else { return true };
        if end > self.object.version.size {
            return false;
        }
        self.read_ahead(start..end);
        match self.cache.read(&self.object, wanted) {
            Ok(()) => true,
            Err(error) => {
                self.state = State::Failed;
                report(&self.name, &error);
                false
            }
        }
    }

    /// Asks for what will be read.
    #[cfg(vsi_advise_read)]
    pub(super) fn advise(&self, ranges: &[Range<u64>]) {
        self.cache.warm(&self.object, ranges);
    }

    /// Doubles the distance with every miss that goes on near the last read, forwards or, as in rasters that are stored bottom-up, backwards. A
    /// miss elsewhere starts over.
    fn read_ahead(&mut self, now: Range<u64>) {
        if !self.cache.holds(&self.object, &now) {
            let forwards = now.start >= self.last.start;
            let distance = if forwards { self.last.end.abs_diff(now.start) } else { now.end.abs_diff(self.last.start) };
            if distance > BLOCK {
                self.ahead = 0;
            } else {
                self.ahead = (self.ahead * 2).clamp(BLOCK, MOST_AHEAD);
                let range =
                    if forwards { now.start..now.end + self.ahead } else { now.start.saturating_sub(self.ahead)..now.end };
                self.cache.warm(&self.object, &[range]);
            }
        }
        self.last = now;
    }
}
