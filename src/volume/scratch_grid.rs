//! Values on the voxels of a grid, in a file without a name.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use swath_tiling::Size;

use crate::{Error, Result};

/// Values on the voxels of a grid, in a file without a name: written once, plane by plane, and read in any order by any thread. Nothing of it is left
/// when it is dropped, nor after a kill.
#[derive(Debug)]
pub(crate) struct ScratchGrid {
    file: File,
    /// Where it is, for errors.
    folder: PathBuf,
    size: Size,
    /// Bytes of a voxel.
    voxel: usize,
    /// Bytes that were written.
    written: u64,
}

impl ScratchGrid {
    /// An empty one on the disk of a folder, for voxels of so many bytes.
    pub(crate) fn create(folder: &Path, size: Size, voxel: usize) -> Result<Self> {
        let file = tempfile::tempfile_in(folder);
        let file = file.map_err(|source| Error::File { action: "create a file in", path: folder.into(), source })?;
        Ok(Self { file, folder: folder.into(), size, voxel, written: 0 })
    }

    /// Adds the next values.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all_at(bytes, self.written);
        written.map_err(|source| self.error("write a file in", source))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Reads some columns of a row.
    pub(crate) fn read(&self, z: usize, y: usize, columns: Range<usize>, out: &mut Vec<u8>) -> Result<()> {
        out.resize(columns.len() * self.voxel, 0);
        let first = (z * self.size.height + y) * self.size.width + columns.start;
        let read = self.file.read_exact_at(out, (first * self.voxel) as u64);
        read.map_err(|source| self.error("read a file in", source))
    }

    fn error(&self, action: &'static str, source: io::Error) -> Error {
        Error::File { action, path: self.folder.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let size = Size { depth: 3, height: 4, width: 5 };
        let mut grid = ScratchGrid::create(folder.path(), size, 2).unwrap();
        let values: Vec<u16> = (0..60).collect();
        for plane in values.chunks(20) {
            grid.append(&plane.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut bytes = Vec::new();
        for (z, y, columns) in [(2, 3, 1..5), (0, 0, 0..1), (1, 2, 2..4)] {
            grid.read(z, y, columns.clone(), &mut bytes).unwrap();
            let read: Vec<u16> = bytes.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect();
            assert_eq!(read, values[(z * 4 + y) * 5..][columns]);
        }
        assert!(grid.read(3, 0, 0..5, &mut bytes).is_err());
    }
}
