//! The header of a NIfTI file.

use std::io::Read;
use std::path::Path;

use super::fields::{Field, NiftiVersion, ordered};
use crate::{ByteOrder, Error, Rescale, Result, SampleType, VolumeSize, Warning};

/// Most bytes between header and voxels: extensions are small, and an offset beyond it is damage.
const MAX_EXTENSIONS: u64 = 1 << 28;

/// The header of a NIfTI file, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NiftiHeader {
    version: NiftiVersion,
    order: ByteOrder,
    bytes: Vec<u8>,
    extensions: Vec<Extension>,
}

/// An extension of a NIfTI header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// What it is, of the standard's list (`ecode`): 4 for AFNI, 6 for a comment, ...
    pub code: i32,
    /// Its content, with the padding to 16 bytes.
    pub content: Vec<u8>,
}

impl NiftiHeader {
    /// The version of the standard.
    #[must_use]
    pub fn version(&self) -> NiftiVersion {
        self.version
    }

    /// The order of the bytes of header and voxels.
    #[must_use]
    pub fn order(&self) -> ByteOrder {
        self.order
    }

    /// The header's 348 or 540 bytes as they are in the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The extensions after it.
    #[must_use]
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// A header of these bytes, without extensions.
    pub(crate) fn of(version: NiftiVersion, order: ByteOrder, bytes: Vec<u8>) -> Self {
        Self { version, order, bytes, extensions: Vec::new() }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Reads a header and its extensions, up to the first voxel or a little before it.
    pub(crate) fn read(file: &mut impl Read, path: &Path) -> Result<Self> {
        let mut bytes = read_up_to(file, 348, path)?;
        let little = |at: usize| bytes.get(at..at + 4).map(|b| i32::from_ne_bytes(ordered(b, 0, ByteOrder::Little)));
        let order = match little(0) {
            Some(348 | 540) => ByteOrder::Little,
            Some(size) if matches!(size.swap_bytes(), 348 | 540) => ByteOrder::Big,
            _ => return Err(kind(path, &bytes)),
        };
        let version = match i32::from_ne_bytes(ordered(&bytes, 0, order)) {
            348 => NiftiVersion::One,
            _ => NiftiVersion::Two,
        };
        bytes.extend(read_up_to(file, version.header_bytes().saturating_sub(348), path)?);
        if bytes.len() < version.header_bytes() {
            return Err(Error::Kind { path: path.into(), found: format!("a NIfTI header cut off after {} bytes", bytes.len()) });
        }
        let magic: &[u8] = match version {
            NiftiVersion::One => &bytes[344..348],
            NiftiVersion::Two => &bytes[4..12],
        };
        match &magic[..3] {
            b"n+1" | b"n+2" => {}
            b"ni1" | b"ni2" => return Err(Error::Kind { path: path.into(), found: "one half of a .hdr and .img pair".into() }),
            _ => {
                return Err(Error::Kind {
                    path: path.into(),
                    found: "an Analyze 7.5 header, which says nothing of orientation,".into(),
                });
            }
        }
        let mut header = Self::of(version, order, bytes);
        let between = header.offset(path)? - version.header_bytes() as u64;
        if between > MAX_EXTENSIONS {
            return Err(header.wrong(
                path,
                "vox_offset",
                "the first voxel after less than 256 MiB of extensions",
                Field::VoxOffset,
            ));
        }
        let between = read_up_to(file, between as usize, path)?;
        header.extensions = extensions(&between, order, path);
        Ok(header)
    }

    pub(crate) fn field(&self, field: Field) -> f64 {
        field.read(&self.bytes, self.version, self.order)
    }

    /// The error for a field whose value cannot be right.
    pub(crate) fn wrong(&self, path: &Path, name: &'static str, expected: &'static str, field: Field) -> Error {
        Error::Field { path: path.into(), field: name, expected, got: self.field(field).to_string() }
    }

    /// Where the first voxel is in the decompressed file.
    pub(crate) fn offset(&self, path: &Path) -> Result<u64> {
        let least = self.version.header_bytes() + 4;
        match self.field(Field::VoxOffset) {
            0.0 => Ok(least as u64),
            offset if offset >= least as f64 && offset < 2_f64.powi(60) => Ok(offset as u64),
            _ => Err(self.wrong(path, "vox_offset", "a place after the header", Field::VoxOffset)),
        }
    }

    /// Voxels, and how many volumes there are.
    pub(crate) fn size(&self, path: &Path) -> Result<(VolumeSize, usize)> {
        let axes = self.field(Field::Dim(0));
        if !(2.0..=7.0).contains(&axes) {
            return Err(self.wrong(path, "dim[0]", "2 to 7 axes", Field::Dim(0)));
        }
        let mut lengths = [1_usize; 7];
        for (length, axis) in lengths.iter_mut().zip(1..=axes as usize) {
            let value = self.field(Field::Dim(axis));
            let name = ["dim[1]", "dim[2]", "dim[3]", "dim[4]", "dim[5]", "dim[6]", "dim[7]"][axis - 1];
            if !(1.0..2_f64.powi(40)).contains(&value) {
                return Err(self.wrong(path, name, "a length of at least 1", Field::Dim(axis)));
            }
            if axis > 4 && value > 1.0 {
                return Err(self.wrong(path, name, "1 (a volume, or a series of them)", Field::Dim(axis)));
            }
            *length = value as usize;
        }
        let [x, y, z, frames, ..] = lengths;
        let voxels = [x, y, z, frames].into_iter().try_fold(8_usize, usize::checked_mul);
        if voxels.is_none_or(|bytes| bytes > isize::MAX as usize) {
            let got = format!("{x} x {y} x {z} x {frames}");
            return Err(Error::Field { path: path.into(), field: "dim", expected: "fewer voxels than can be counted", got });
        }
        Ok((VolumeSize { x, y, z }, frames))
    }

    /// How voxels are stored.
    pub(crate) fn sample(&self, path: &Path) -> Result<SampleType> {
        Ok(match self.field(Field::Datatype) as i32 {
            2 => SampleType::U8,
            4 => SampleType::I16,
            8 => SampleType::I32,
            16 => SampleType::F32,
            64 => SampleType::F64,
            256 => SampleType::I8,
            512 => SampleType::U16,
            768 => SampleType::U32,
            1024 => SampleType::I64,
            1280 => SampleType::U64,
            code => {
                let name = match code {
                    1 => " (single bits)",
                    32 | 1792 | 2048 => " (complex numbers)",
                    128 => " (RGB colours)",
                    2304 => " (RGBA colours)",
                    1536 => " (128-bit floats)",
                    _ => "",
                };
                let expected = "an integer or float of 8 to 64 bits";
                return Err(Error::Field { path: path.into(), field: "datatype", expected, got: format!("{code}{name}") });
            }
        })
    }

    /// What is applied to stored values. As in nibabel, a slope of 0 or one that is not finite means nothing.
    pub(crate) fn rescale(&self, path: &Path, warnings: &mut Vec<Warning>) -> Result<Rescale> {
        let [slope, intercept] = [Field::SclSlope, Field::SclInter].map(|field| self.field(field));
        if slope != 0.0 && !slope.is_finite() {
            warnings.push(Warning::Slope { slope });
        }
        if slope == 0.0 || !slope.is_finite() || matches!([slope, intercept], [1.0, 0.0]) {
            return Ok(Rescale::None);
        }
        if !intercept.is_finite() {
            return Err(self.wrong(path, "scl_inter", "a finite number beside a slope", Field::SclInter));
        }
        Ok(Rescale::Uniform { slope, intercept })
    }
}

/// The error for what has no NIfTI header.
fn kind(path: &Path, start: &[u8]) -> Error {
    let found = match start {
        [] => "an empty file",
        [0x89, b'P', b'N', b'G', ..] => "a PNG",
        [0xff, 0xd8, ..] => "a JPEG",
        [b'I', b'I', ..] | [b'M', b'M', ..] => "a TIFF",
        [b'N', b'R', b'R', b'D', ..] => "an NRRD file",
        [0x89, b'H', b'D', b'F', ..] => "an HDF5 file",
        [b'P', b'K', 3, 4, ..] => "a ZIP archive",
        _ if start.starts_with(b"ObjectType") => "a MetaImage header",
        _ => "something else",
    };
    Error::Kind { path: path.into(), found: found.into() }
}

/// Up to so many bytes; fewer where the file ends.
fn read_up_to(file: &mut impl Read, count: usize, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = file.take(count as u64).read_to_end(&mut bytes);
    read.map_err(|source| Error::File { action: "read", path: path.into(), source })?;
    Ok(bytes)
}

/// The extensions in what lies between header and voxels; what does not have their form is left out.
fn extensions(between: &[u8], order: ByteOrder, path: &Path) -> Vec<Extension> {
    let mut extensions = Vec::new();
    let Some((flag, mut rest)) = between.split_at_checked(4) else { return extensions };
    if flag[0] == 0 {
        return extensions;
    }
    while rest.len() >= 8 {
        let [size, code] = [0, 4].map(|at| i32::from_ne_bytes(ordered(rest, at, order)));
        let whole = usize::try_from(size).ok().filter(|size| *size >= 8).and_then(|size| rest.split_at_checked(size));
        let Some((extension, after)) = whole else {
            if size != 0 {
                tracing::warn!("{}: a header extension of {size} bytes is left out: {} are there", path.display(), rest.len());
            }
            break;
        };
        extensions.push(Extension { code, content: extension[8..].into() });
        rest = after;
    }
    extensions
}
