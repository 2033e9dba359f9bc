//! Labels on their way: one byte a voxel, plane by plane.

use std::fs::File;
use std::io;
use std::mem;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use swath_tiling::{Size, Window};

use crate::digest::Digest;
use crate::ledger::{Finished, Ledger};
use crate::sink::{SCRATCH, Start, Temporary};
use crate::{Error, Result};

/// Labels of a volume in a file beside the output, its planes one below the other. It is removed on drop, unless a ledger says what it holds.
#[derive(Debug)]
pub(super) struct LabelScratch {
    temporary: Temporary,
    file: File,
    size: Size,
    /// Voxels that were written.
    written: usize,
    /// Voxels of these that the ledger knows.
    recorded: usize,
    /// Of those that it does not.
    digest: Digest,
}

impl LabelScratch {
    pub(super) fn open(output: &Path, size: Size, start: Start) -> Result<Self> {
        let temporary = Temporary::beside(output, SCRATCH, &[""]);
        let open = File::options().read(true).write(true).create(true).truncate(start == Start::Anew).open(temporary.path());
        let file = open.map_err(|source| Error::File { action: "create", path: temporary.path().to_owned(), source })?;
        Ok(Self { temporary, file, size, written: 0, recorded: 0, digest: Digest::default() })
    }

    /// Counts the planes of an earlier run as written, up to the first that is not as it was, and keeps the file: so many planes.
    pub(super) fn recover(&mut self, finished: &[Finished]) -> Result<usize> {
        self.temporary.keep();
        let Size { width, height, depth } = self.size;
        let mut labels = Vec::new();
        for finished in finished {
            let window = finished.window();
            let next = Window::plane(0, self.written / width, width, window.height);
            if window != next || window.y + window.height > height * depth {
                break;
            }
            labels.resize(window.area(), 0);
            let is_read = match self.file.read_exact_at(&mut labels, self.written as u64) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
                read => read.map(|()| true).map_err(|source| self.error("read", source))?,
            };
            let mut digest = Digest::default();
            digest.add(&labels);
            if !is_read || digest.hex() != finished.sha256 {
                tracing::warn!("{window} is not as it was written: it is labelled again");
                break;
            }
            self.written += labels.len();
        }
        self.recorded = self.written;
        Ok(self.written / (width * height))
    }

    /// Adds the next planes.
    pub(super) fn append(&mut self, labels: &[u8]) -> Result<()> {
        self.file.write_all_at(labels, self.written as u64).map_err(|source| self.error("write", source))?;
        self.written += labels.len();
        self.digest.add(labels);
        Ok(())
    }

    /// Takes note of what was added since the last time; from then on, the file outlives this process.
    pub(super) fn record(&mut self, ledger: &mut Ledger) -> Result<()> {
        if self.recorded == self.written {
            return Ok(());
        }
        self.file.sync_data().map_err(|source| self.error("write", source))?;
        let width = self.size.width;
        let window = Window::plane(0, self.recorded / width, width, (self.written - self.recorded) / width);
        ledger.record(window, mem::take(&mut self.digest).hex())?;
        self.recorded = self.written;
        self.temporary.keep();
        Ok(())
    }

    /// Whether all planes were added.
    pub(super) fn is_complete(&self) -> bool {
        self.written == self.size.area()
    }

    /// Removes the file.
    pub(super) fn remove(self) -> Result<()> {
        self.temporary.remove()
    }

    /// Calls `see` with all planes in order, a few at a time, and the first one's place.
    pub(super) fn read(&self, mut see: impl FnMut(usize, &mut [u8]) -> Result<()>) -> Result<()> {
        let plane = self.size.height * self.size.width;
        let some = (SLAB / plane).max(1);
        let mut labels = vec![0; some.min(self.size.depth) * plane];
        for first in (0..self.size.depth).step_by(some) {
            let labels = &mut labels[..some.min(self.size.depth - first) * plane];
            self.file.read_exact_at(labels, (first * plane) as u64).map_err(|source| self.error("read", source))?;
            see(first, labels)?;
        }
        Ok(())
    }

    /// Changes all planes in order, a few at a time. An earlier run's are then no longer as the ledger has them.
    pub(super) fn change(&mut self, mut change: impl FnMut(usize, &mut [u8])) -> Result<()> {
        let plane = self.size.height * self.size.width;
        self.read(|first, labels| {
            change(first, labels);
            self.file.write_all_at(labels, (first * plane) as u64).map_err(|source| self.error("write", source))
        })
    }

    fn error(&self, action: &'static str, source: io::Error) -> Error {
        Error::File { action, path: self.temporary.path().to_owned(), source }
    }
}

/// Voxels that are read at once.
pub(super) const SLAB: usize = 8 << 20;
