//! Labels on their way: one byte a voxel, plane by plane.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use swath_tiling::Size;

use crate::sink::Temporary;
use crate::{Error, Result};

/// What the name of a label volume ends with while its planes are found.
const SUFFIX: &str = ".planes.part";

/// Labels of a volume in a file beside the output, which is removed on drop.
#[derive(Debug)]
pub(super) struct LabelScratch {
    temporary: Temporary,
    file: File,
    size: Size,
    /// Voxels that were written.
    written: usize,
}

impl LabelScratch {
    pub(super) fn create(output: &Path, size: Size) -> Result<Self> {
        let temporary = Temporary::beside(output, SUFFIX, &[""]);
        let open = File::options().read(true).write(true).create(true).truncate(true).open(temporary.path());
        let file = open.map_err(|source| Error::File { action: "create", path: temporary.path().to_owned(), source })?;
        Ok(Self { temporary, file, size, written: 0 })
    }

    /// Adds the next planes.
    pub(super) fn append(&mut self, labels: &[u8]) -> Result<()> {
        self.file.write_all_at(labels, self.written as u64).map_err(|source| self.error("write", source))?;
        self.written += labels.len();
        Ok(())
    }

    /// Whether all planes were added.
    pub(super) fn is_complete(&self) -> bool {
        self.written == self.size.area()
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

    /// Changes all planes in order, a few at a time.
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
