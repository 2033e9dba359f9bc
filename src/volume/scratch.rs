//! Planes on their way: what is found of a volume, in files beside the outputs that are made of them.

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::mem;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use swath_tiling::{Size, Window};

use super::labels::Finished;
use super::output::VolumeOutput;
use crate::digest::Digest;
use crate::ledger::{self, Ledger};
use crate::sink::{SCRATCH, Start, Stored, Temporary};
use crate::{Error, Result};

/// Values that are read at once.
pub(super) const SLAB: usize = 8 << 20;

/// All that is found of a volume: labels, and the probability of each class, if that is wanted. The files are removed on drop, unless a ledger says what
/// they hold.
#[derive(Debug)]
pub(super) struct Scratches {
    pub(super) labels: Scratch<u8>,
    pub(super) probabilities: Option<Scratch<f32>>,
    size: Size,
    /// Planes that were written.
    written: usize,
    /// Planes of these that the ledger knows.
    recorded: usize,
}

impl Scratches {
    pub(super) fn open(output: &VolumeOutput, size: Size, classes: usize, start: Start) -> Result<Self> {
        let labels = Scratch::open(&output.path, 1, size, start)?;
        let probabilities = output.probabilities.as_ref();
        let probabilities = probabilities.map(|path| Scratch::open(path, classes, size, start)).transpose()?;
        Ok(Self { labels, probabilities, size, written: 0, recorded: 0 })
    }

    /// Counts the planes of an earlier run as written, up to the first that is not as it was, and keeps the files: so many planes.
    pub(super) fn recover(&mut self, found: &[ledger::Finished]) -> Result<usize> {
        self.keep();
        let Size { height, depth, .. } = self.size;
        for finished in found {
            let window = finished.window();
            let planes = self.written..self.written + window.height / height;
            if window != self.rows(&planes) || planes.end > depth {
                break;
            }
            if self.digest(&planes)?.as_ref() != Some(&finished.sha256) {
                tracing::warn!("{window} is not as it was written: it is labelled again");
                break;
            }
            self.written = planes.end;
        }
        self.recorded = self.written;
        Ok(self.written)
    }

    /// Adds the next planes.
    pub(super) fn append(&mut self, finished: Finished<'_>) -> Result<()> {
        self.labels.write(self.written, finished.labels)?;
        if let Some(probabilities) = &mut self.probabilities {
            probabilities.write(self.written, finished.probabilities)?;
        }
        self.written += finished.labels.len() / self.labels.plane();
        Ok(())
    }

    /// Takes note of what was added since the last time; from then on, the files outlive this process.
    pub(super) fn record(&mut self, ledger: &mut Ledger) -> Result<()> {
        if self.recorded == self.written {
            return Ok(());
        }
        let mut digests = self.labels.settle()?;
        if let Some(probabilities) = &mut self.probabilities {
            digests.extend(probabilities.settle()?);
        }
        ledger.record(self.rows(&(self.recorded..self.written)), combined(digests))?;
        self.recorded = self.written;
        self.keep();
        Ok(())
    }

    /// Whether all planes were added.
    pub(super) fn is_complete(&self) -> bool {
        self.written == self.size.depth
    }

    /// Removes the files.
    pub(super) fn remove(self) -> Result<()> {
        self.labels.temporary.remove()?;
        self.probabilities.map_or(Ok(()), |probabilities| probabilities.temporary.remove())
    }

    fn keep(&mut self) {
        self.labels.temporary.keep();
        if let Some(probabilities) = &mut self.probabilities {
            probabilities.temporary.keep();
        }
    }

    /// Planes as the ledger has them: rows of a plane in which they lie one below the other.
    fn rows(&self, planes: &Range<usize>) -> Window {
        let Size { width, height, .. } = self.size;
        Window::plane(0, planes.start * height, width, planes.len() * height)
    }

    /// Of all that the files have of some planes; none if one ends before.
    fn digest(&self, planes: &Range<usize>) -> Result<Option<String>> {
        let Some(mut digests) = self.labels.digests(planes)? else { return Ok(None) };
        if let Some(probabilities) = &self.probabilities {
            let Some(others) = probabilities.digests(planes)? else { return Ok(None) };
            digests.extend(others);
        }
        Ok(Some(combined(digests)))
    }
}

/// One digest of several.
fn combined(digests: Vec<Digest>) -> String {
    let mut all = Digest::default();
    for digest in digests {
        all.add(digest.hex().as_bytes());
    }
    all.hex()
}

/// Values `(bands, depth, height, width)`, so that each has a place of its own.
#[derive(Debug)]
pub(super) struct Scratch<T> {
    temporary: Temporary,
    file: File,
    size: Size,
    /// Of each band, of what was written since it was settled.
    digests: Vec<Digest>,
    values: PhantomData<T>,
}

impl<T: Stored> Scratch<T> {
    fn open(output: &Path, bands: usize, size: Size, start: Start) -> Result<Self> {
        let temporary = Temporary::beside(output, SCRATCH, &[""]);
        let open = File::options().read(true).write(true).create(true).truncate(start == Start::Anew).open(temporary.path());
        let file = open.map_err(|source| Error::File { action: "create", path: temporary.path().to_owned(), source })?;
        Ok(Self { temporary, file, size, digests: vec![Digest::default(); bands], values: PhantomData })
    }

    /// Values of a plane of a band.
    fn plane(&self) -> usize {
        self.size.height * self.size.width
    }

    /// Where a plane of a band is.
    fn offset(&self, band: usize, plane: usize) -> u64 {
        ((band * self.size.depth + plane) * self.plane() * size_of::<T>()) as u64
    }

    /// Writes some planes, `(bands, planes, height, width)`, from the `first` on.
    fn write(&mut self, first: usize, values: &[T]) -> Result<()> {
        let each = (values.len() / self.digests.len()).max(1);
        for (band, values) in values.chunks_exact(each).enumerate() {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_bytes()).collect();
            let written = self.file.write_all_at(&bytes, self.offset(band, first));
            written.map_err(|source| self.error("write", source))?;
            self.digests[band].add(&bytes);
        }
        Ok(())
    }

    /// Waits until what was written is on the disk: its digests, band by band.
    fn settle(&mut self) -> Result<Vec<Digest>> {
        self.file.sync_data().map_err(|source| self.error("write", source))?;
        Ok(self.digests.iter_mut().map(mem::take).collect())
    }

    /// The digests of some planes, band by band; none if the file ends before.
    fn digests(&self, planes: &Range<usize>) -> Result<Option<Vec<Digest>>> {
        let mut bytes = vec![0; self.plane() * size_of::<T>()];
        let mut digests = vec![Digest::default(); self.digests.len()];
        for (band, digest) in digests.iter_mut().enumerate() {
            for plane in planes.clone() {
                match self.file.read_exact_at(&mut bytes, self.offset(band, plane)) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                    read => read.map_err(|source| self.error("read", source))?,
                }
                digest.add(&bytes);
            }
        }
        Ok(Some(digests))
    }

    fn error(&self, action: &'static str, source: io::Error) -> Error {
        Error::File { action, path: self.temporary.path().to_owned(), source }
    }
}

impl Scratch<u8> {
    /// Calls `see` with all planes in order, a few at a time, and the first one's place.
    pub(super) fn read(&self, mut see: impl FnMut(usize, &mut [u8]) -> Result<()>) -> Result<()> {
        let plane = self.plane();
        let some = (SLAB / plane).max(1);
        let mut labels = vec![0; some.min(self.size.depth) * plane];
        for first in (0..self.size.depth).step_by(some) {
            let labels = &mut labels[..some.min(self.size.depth - first) * plane];
            self.file.read_exact_at(labels, self.offset(0, first)).map_err(|source| self.error("read", source))?;
            see(first, labels)?;
        }
        Ok(())
    }

    /// Changes all planes in order, a few at a time. They are then no longer as the ledger has them.
    pub(super) fn change(&mut self, mut change: impl FnMut(usize, &mut [u8])) -> Result<()> {
        self.read(|first, labels| {
            change(first, labels);
            self.file.write_all_at(labels, self.offset(0, first)).map_err(|source| self.error("write", source))
        })
    }
}

impl Scratch<f32> {
    /// Calls `see` with all planes of all bands in order.
    pub(super) fn read(&self, mut see: impl FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let mut bytes = vec![0; self.plane() * size_of::<f32>()];
        for band in 0..self.digests.len() {
            for plane in 0..self.size.depth {
                let read = self.file.read_exact_at(&mut bytes, self.offset(band, plane));
                read.map_err(|source| self.error("read", source))?;
                see(&f32::from_bytes(&bytes))?;
            }
        }
        Ok(())
    }
}
