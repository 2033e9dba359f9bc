//! Volumes in NIfTI files.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::NamedTempFile;

use super::bytes::Bytes;
use super::header::NiftiHeader;
use super::inflate::Inflate;
use crate::source::start;
use crate::{ByteOrder, Error, Origin, PlaneReader, Rescale, Result, SampleType, VolumeOptions, VolumeProfile, VolumeSource};

/// Deflate makes of a byte no more than so many.
const MAX_INFLATION: u64 = 1032;

/// A volume in a NIfTI file.
#[derive(Debug)]
pub(crate) struct NiftiSource {
    profile: VolumeProfile,
    layout: Layout,
    /// The file, decompressed, if it is compressed and there is room for that.
    scratch: Option<NamedTempFile>,
    compressed: bool,
}

/// Where voxels are, and how they are stored.
#[derive(Clone, Copy, Debug)]
struct Layout {
    offset: u64,
    sample: SampleType,
    order: ByteOrder,
    rescale: Rescale,
    /// Voxels of a plane.
    plane: usize,
    /// Planes of a frame.
    planes: usize,
    frames: usize,
}

impl Layout {
    /// Bytes of so many planes.
    fn bytes(&self, planes: usize) -> u64 {
        (planes * self.plane * self.sample.bytes()) as u64
    }
}

impl NiftiSource {
    pub(crate) fn open(path: &Path, options: &VolumeOptions) -> Result<Self> {
        let fail = |source| Error::File { action: "open", path: path.into(), source };
        let compressed = start(path)?.starts_with(&[0x1f, 0x8b]);
        let header = if compressed {
            NiftiHeader::read(&mut Inflate::open(path).map_err(fail)?, path)?
        } else {
            NiftiHeader::read(&mut fs::File::open(path).map_err(fail)?, path)?
        };
        let mut warnings = Vec::new();
        let (size, frames) = header.size(path)?;
        let sample = header.sample(path)?;
        let rescale = header.rescale(path, &mut warnings)?;
        let affine = header.affine(path, size, &mut warnings)?;
        let offset = header.offset(path)?;
        let layout = Layout { offset, sample, order: header.order(), rescale, plane: size.plane(), planes: size.z, frames };
        let voxels = layout.bytes(frames * size.z);
        let length = fs::metadata(path).map_err(fail)?.len();
        let most = if compressed { length.saturating_mul(MAX_INFLATION) } else { length };
        if most < offset.saturating_add(voxels) {
            let got = most.saturating_sub(offset);
            return Err(Error::Truncated { path: path.into(), expected: voxels, got, bound: compressed });
        }
        let scratch = match &options.scratch {
            Some(folder) if compressed => {
                let scratch = Bytes::unpack(path, folder, offset + voxels)?;
                let length = scratch.as_file().metadata().map_err(fail)?.len();
                if length < offset + voxels {
                    let got = length.saturating_sub(offset);
                    return Err(Error::Truncated { path: path.into(), expected: voxels, got, bound: false });
                }
                Some(scratch)
            }
            _ => None,
        };
        let origin = Origin::Nifti(Arc::new(header));
        let profile =
            VolumeProfile { path: path.into(), name: name(path), size, frames, affine, sample, rescale, warnings, origin };
        Ok(Self { profile, layout, scratch, compressed })
    }
}

/// The file's name without `.nii` and `.gz`.
fn name(path: &Path) -> String {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.strip_suffix(".nii").unwrap_or(name).to_owned()
}

impl VolumeSource for NiftiSource {
    fn profile(&self) -> &VolumeProfile {
        &self.profile
    }

    fn reader(&self, frame: usize) -> Result<Box<dyn PlaneReader>> {
        let frame = self.profile.frame(Some(frame))?;
        let bytes = match &self.scratch {
            Some(scratch) => Bytes::open(scratch.path(), false)?,
            None => Bytes::open(&self.profile.path, self.compressed)?,
        };
        Ok(Box::new(NiftiReader { bytes, layout: self.layout, frame, path: self.profile.path.clone() }))
    }
}

/// Reads planes of a frame.
struct NiftiReader {
    bytes: Bytes,
    layout: Layout,
    frame: usize,
    path: PathBuf,
}

impl PlaneReader for NiftiReader {
    fn read(&mut self, planes: Range<usize>) -> Result<Vec<f32>> {
        let layout = self.layout;
        if planes.start > planes.end || planes.end > layout.planes {
            return Err(Error::Planes { path: self.path.clone(), count: layout.planes, planes });
        }
        let rescale = match layout.rescale {
            Rescale::Uniform { slope, intercept } => [slope, intercept],
            _ => [1.0, 0.0],
        };
        let mut values = Vec::with_capacity(planes.len() * layout.plane);
        let mut stored = vec![0; layout.bytes(1) as usize];
        for plane in planes {
            let before = layout.bytes(self.frame * layout.planes + plane);
            let count = self.bytes.read_at(layout.offset + before, &mut stored)?;
            if count < stored.len() {
                let expected = layout.bytes(layout.frames * layout.planes);
                return Err(Error::Truncated { path: self.path.clone(), expected, got: before + count as u64, bound: false });
            }
            layout.sample.decode(&stored, layout.order, rescale, &mut values);
            if self.frame + 1 == layout.frames && plane + 1 == layout.planes {
                self.bytes.drain()?;
            }
        }
        Ok(values)
    }
}
