//! Where windows go until all are there.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use gdal::config::{clear_thread_local_config_option, set_thread_local_config_option};
use gdal::cpl::CslStringList;
use gdal::raster::{ColorInterpretation, GdalType};
use gdal::{Dataset, DriverManager, Metadata};
use gdal_sys::CPLErr;
use swath_tiling::{Size, Window};

use super::cog::{self, Pixels};
use super::fingerprint::Fingerprint;
use super::temporary::{Temporary, suffixed};
use super::watch::{Heed, watch};
use crate::digest::Digest;
use crate::{Error, Georeference, Result};

/// What the name of a scratch file ends with.
pub(crate) const SCRATCH: &str = ".scratch.part";

/// What the name of one ends with that holds what has become of another.
const CHANGED: &str = ".changed.part";

/// Bytes that are read from a scratch file at once.
const CHUNK: usize = 4 << 20;

/// Where a sink starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// With nothing written.
    Anew,
    /// With the scratch file of an earlier run, if it is there: what it holds counts once it is recovered.
    Continue,
}

/// Values that a scratch file holds.
pub(crate) trait Stored: GdalType + Copy + Into<f32> {
    /// Its bytes, the lowest first.
    type Bytes: IntoIterator<Item = u8>;

    fn to_bytes(self) -> Self::Bytes;

    /// The values that some bytes are.
    fn from_bytes(bytes: &[u8]) -> Vec<Self>;
}

impl Stored for u8 {
    type Bytes = [u8; 1];

    fn to_bytes(self) -> Self::Bytes {
        [self]
    }

    fn from_bytes(bytes: &[u8]) -> Vec<Self> {
        bytes.to_vec()
    }
}

impl Stored for f32 {
    type Bytes = [u8; 4];

    fn to_bytes(self) -> Self::Bytes {
        self.to_le_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Vec<Self> {
        bytes.as_chunks().0.iter().map(|bytes| Self::from_le_bytes(*bytes)).collect()
    }
}

/// `PATH.scratch.part`: values alone, `(bands, height, width)`, so that each has a place of its own that a killed process leaves as it is; removed
/// on drop unless it is kept.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// How GDAL sees the file: with georeference, colours and all that its COG will have.
    view: Dataset,
    file: File,
    temporary: Temporary,
    shape: Shape,
    written: Fingerprint,
}

/// Where a scratch file has which value.
#[derive(Clone, Copy, Debug)]
struct Shape {
    size: Size,
    bands: usize,
    /// Bytes of a value.
    value: usize,
}

impl Shape {
    fn bytes(self) -> u64 {
        self.offset(self.bands + 1, 0, 0)
    }

    /// Of a pixel of a band, from 1.
    fn offset(self, band: usize, x: usize, y: usize) -> u64 {
        ((((band - 1) * self.size.height + y) * self.size.width + x) * self.value) as u64
    }
}

impl Scratch {
    /// Prepares a scratch file for what becomes of that of one band of `T` for the output `beside`; it does not outlive this process.
    pub(super) fn create_changed<T: Stored>(beside: &Path, size: Size, georeference: &Georeference) -> Result<Self> {
        Self::create_as::<T>(beside, CHANGED, size, 1, georeference, Start::Anew)
    }

    /// Prepares the scratch file of `bands` bands of `T` for the output `beside`, and the room that it takes on the disk.
    pub(super) fn create<T: Stored>(
        beside: &Path,
        size: Size,
        bands: usize,
        georeference: &Georeference,
        start: Start,
    ) -> Result<Self> {
        Self::create_as::<T>(beside, SCRATCH, size, bands, georeference, start)
    }

    fn create_as<T: Stored>(
        beside: &Path,
        suffix: &str,
        size: Size,
        bands: usize,
        georeference: &Georeference,
        start: Start,
    ) -> Result<Self> {
        let value = size_of::<T>();
        let fits = |length| (1..=i32::MAX as usize).contains(&length);
        if size.depth != 1 || !fits(size.width * value) || !fits(size.height) {
            return Err(Error::RasterSize { path: beside.to_owned(), size });
        }
        let shape = Shape { size, bands, value };
        let temporary = Temporary::beside(beside, suffix, &[""]);
        let file = reserve(temporary.path(), shape.bytes(), start)?;
        let view = watch(Heed::Failures, || view::<T>(temporary.path(), shape));
        let view = view.map_err(|source| Error::Gdal { action: "open".into(), path: temporary.path().to_owned(), source })?;
        let mut scratch = Self { view, file, temporary, shape, written: Fingerprint::new(size) };
        georeference.write(&mut scratch.view)?;
        let software = concat!("swath ", env!("CARGO_PKG_VERSION"));
        scratch.describe(|dataset| dataset.set_metadata_item("TIFFTAG_SOFTWARE", software, ""))?;
        Ok(scratch)
    }

    /// Sets metadata.
    pub(super) fn describe(&mut self, set: impl FnOnce(&mut Dataset) -> gdal::errors::Result<()>) -> Result<()> {
        let result = watch(Heed::Failures, || set(&mut self.view));
        let path = || self.temporary.path().to_owned();
        result.map_err(|source| Error::Gdal { action: "describe".into(), path: path(), source })
    }

    /// Writes a window of one band, from 1 as GDAL counts them.
    pub(super) fn write<T: Stored>(&mut self, band: usize, window: Window, values: &[T]) -> Result<()> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_bytes()).collect();
        for (run, bytes) in self.runs(window).zip(bytes.chunks_exact(self.run_bytes(window))) {
            let written = self.file.write_all_at(bytes, self.shape.offset(band, run.x, run.y));
            written.map_err(|source| self.error("write", source))?;
        }
        self.note(band, window, values);
        Ok(())
    }

    /// Takes note of what is written already.
    fn note<T: Stored>(&mut self, band: usize, window: Window, values: &[T]) {
        self.written.add(band, window, values.iter().map(|&value| value.into()));
    }

    /// Counts a window that an earlier run wrote as written. `take` is called with its values, part by part from top to bottom.
    pub(super) fn recover<T: Stored>(&mut self, band: usize, window: Window, mut take: impl FnMut(&[T])) -> Result<()> {
        let rows = (CHUNK / (window.width * self.shape.value)).max(1);
        for y in (window.y..window.y + window.height).step_by(rows) {
            let part = Window { y, height: rows.min(window.y + window.height - y), ..window };
            let values = T::from_bytes(&self.read(band, part)?);
            self.note(band, part, &values);
            take(&values);
        }
        Ok(())
    }

    /// The values of a window of a band, from 1.
    pub(super) fn values<T: Stored>(&self, band: usize, window: Window) -> Result<Vec<T>> {
        Ok(T::from_bytes(&self.read(band, window)?))
    }

    /// The file itself, when nothing is to be made of it.
    pub(super) fn into_temporary(self) -> Temporary {
        self.temporary
    }

    /// Adds the bytes of a window to `digest`, band by band.
    pub(crate) fn digest(&self, window: Window, digest: &mut Digest) -> Result<()> {
        let rows = (CHUNK / (window.width * self.shape.value)).max(1);
        for band in 1..=self.shape.bands {
            for y in (window.y..window.y + window.height).step_by(rows) {
                let part = Window { y, height: rows.min(window.y + window.height - y), ..window };
                digest.add(&self.read(band, part)?);
            }
        }
        Ok(())
    }

    /// Waits until everything that was written is on the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|source| self.error("write", source))
    }

    /// From now on, the file outlives this process.
    pub(crate) fn keep(&mut self) {
        self.temporary.keep();
    }

    /// Makes a COG of it, with `threads` threads.
    pub(super) fn into_cog(self, part: &Path, pixels: Pixels, threads: usize) -> Result<Temporary> {
        cog::create(&self.view, part, pixels, threads, self.written)?;
        Ok(self.temporary)
    }

    /// The bytes of a window of a band.
    fn read(&self, band: usize, window: Window) -> Result<Vec<u8>> {
        let mut bytes = vec![0; window.area() * self.shape.value];
        let length = self.run_bytes(window);
        for (run, bytes) in self.runs(window).zip(bytes.chunks_exact_mut(length)) {
            let read = self.file.read_exact_at(bytes, self.shape.offset(band, run.x, run.y));
            read.map_err(|source| self.error("read", source))?;
        }
        Ok(bytes)
    }

    /// The parts of a window that lie together in the file.
    fn runs(&self, window: Window) -> impl Iterator<Item = Window> + use<> {
        let rows = self.run_rows(window);
        (window.y..window.y + window.height).step_by(rows).map(move |y| Window { y, height: rows, ..window })
    }

    /// Rows of each of them.
    fn run_rows(&self, window: Window) -> usize {
        if window.width == self.shape.size.width { window.height } else { 1 }
    }

    fn run_bytes(&self, window: Window) -> usize {
        self.run_rows(window) * window.width * self.shape.value
    }

    fn error(&self, action: &'static str, source: io::Error) -> Error {
        Error::File { action, path: self.temporary.path().to_owned(), source }
    }
}

/// Where the scratch file of an output is.
pub(crate) fn scratch_path(output: &Path) -> PathBuf {
    suffixed(output, SCRATCH)
}

/// Where the file is that holds what has become of it.
pub(crate) fn changed_path(output: &Path) -> PathBuf {
    suffixed(output, CHANGED)
}

/// Opens a file of that length, whose blocks on the disk are taken: that there is no room for it shows before the work.
fn reserve(path: &Path, bytes: u64, start: Start) -> Result<File> {
    let error = |action| move |source| Error::File { action, path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(start == Start::Anew);
    let file = options.open(path).map_err(error("create"))?;
    allocate(&file, bytes).and_then(|()| file.set_len(bytes)).map_err(error("reserve room for"))?;
    Ok(file)
}

#[cfg(target_os = "linux")]
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    // Unlike `posix_fallocate`, it writes nothing where the file system cannot reserve.
    // SAFETY: the descriptor is open during the call, which reads no memory of ours.
    if unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, bytes as libc::off_t) } == 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        error if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINTR)) => Ok(()),
        error => Err(error),
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

/// The file as a raster of GDAL's: it reads the values where they are.
fn view<T: Stored>(path: &Path, shape: Shape) -> gdal::errors::Result<Dataset> {
    let Shape { size, bands, value } = shape;
    let view = DriverManager::get_driver_by_name("VRT")?.create("", size.width, size.height, 0)?;
    // Others may have forbidden such files: to whoever opens what users bring, not to us.
    let allowed = ["GDAL_VRT_ENABLE_RAWRASTERBAND", "GDAL_VRT_RAWRASTERBAND_ALLOWED_SOURCE"];
    for (key, choice) in allowed.iter().zip(["YES", "ALL"]) {
        set_thread_local_config_option(key, choice)?;
    }
    let added = (1..=bands).try_for_each(|band| {
        let mut options = CslStringList::new();
        options.add_string("subclass=VRTRawRasterBand")?;
        options.set_name_value("SourceFilename", &path.to_string_lossy())?;
        options.set_name_value("RelativeToVRT", "0")?;
        options.set_name_value("ImageOffset", &shape.offset(band, 0, 0).to_string())?;
        options.set_name_value("PixelOffset", &value.to_string())?;
        options.set_name_value("LineOffset", &(size.width * value).to_string())?;
        options.set_name_value("ByteOrder", "LSB")?;
        // SAFETY: dataset and options are valid during the call, and GDAL copies the options.
        let result = unsafe { gdal_sys::GDALAddBand(view.c_dataset(), T::gdal_ordinal(), options.as_ptr()) };
        if result == CPLErr::CE_None {
            return Ok(());
        }
        Err(gdal::errors::GdalError::CplError { class: result, number: 0, msg: "GDALAddBand failed".into() })
    });
    for key in allowed {
        clear_thread_local_config_option(key)?;
    }
    added?;
    // Neither RGB nor alpha: three or four bands are classes.
    view.rasterband(1)?.set_color_interpretation(ColorInterpretation::GrayIndex)?;
    Ok(view)
}
