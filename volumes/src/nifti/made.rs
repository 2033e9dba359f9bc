//! Headers that are made.

use std::path::Path;

use super::fields::{Field, NiftiVersion, put};
use super::header::{Extension, NiftiHeader};
use super::label_table::{is_label_table, label_table};
use crate::{Affine, ByteOrder, Error, LabelClass, Origin, Result, SampleType, VolumeProfile, VolumeSize};

/// Bytes that an extension's length is a multiple of.
const ALIGNMENT: usize = 16;

impl NiftiHeader {
    /// The header for other values on the voxels of a volume: that of the volume, if it came from a NIfTI file, with all its bytes but those
    /// that say how values are stored; else a NIfTI-1 header with the volume's affine as sform (and as qform, if it is not sheared).
    pub(crate) fn on(profile: &VolumeProfile, path: &Path, frames: usize, sample: SampleType) -> Result<Self> {
        let mut header = match &profile.origin {
            Origin::Nifti(header) => NiftiHeader::clone(header),
            Origin::Dicom(_) => Self::made(profile.size, &profile.affine, path)?,
        };
        let axes = header.field(Field::Dim(0));
        if frames > 1 {
            // Those that the file does not count may say anything.
            for axis in axes as usize + 1..=3 {
                header.set(Field::Dim(axis), 1.0);
            }
            header.set(Field::Dim(0), 4.0);
            header.set(Field::Dim(4), frames as f64);
        } else if axes > 3.0 {
            header.set(Field::Dim(0), 3.0);
            header.set(Field::Dim(4), 1.0);
        }
        if frames > i16::MAX as usize && header.version() == NiftiVersion::One {
            let expected = "at most 32767 volumes";
            return Err(Error::Field { path: path.into(), field: "dim[4]", expected, got: frames.to_string() });
        }
        header.set(Field::Datatype, f64::from(datatype(sample)));
        header.set(Field::Bitpix, 8.0 * sample.bytes() as f64);
        header.set(Field::SclSlope, 1.0);
        header.set(Field::SclInter, 0.0);
        header.set(Field::CalMax, 0.0);
        header.set(Field::CalMin, 0.0);
        Ok(header)
    }

    /// What comes before the voxels of a file on a volume: this header, the table of the classes, and the volume's other extensions.
    pub(crate) fn start(&self, profile: &VolumeProfile, classes: &[LabelClass]) -> Vec<u8> {
        let table = label_table(classes);
        let kept = match &profile.origin {
            Origin::Nifti(header) => header.extensions(),
            Origin::Dicom(_) => &[],
        };
        let kept = kept.iter().filter(|extension| !is_label_table(extension));
        self.with_extensions(&[&table].into_iter().chain(kept).collect::<Vec<_>>())
    }

    /// A little-endian NIfTI-1 header for an affine.
    fn made(size: VolumeSize, affine: &Affine, path: &Path) -> Result<Self> {
        let mut bytes = vec![0; NiftiVersion::One.header_bytes()];
        put(&mut bytes, 0, ByteOrder::Little, 348_i32.to_ne_bytes());
        bytes[38] = b'r';
        bytes[344..348].copy_from_slice(b"n+1\0");
        let mut header = Self::of(NiftiVersion::One, ByteOrder::Little, bytes);
        header.set(Field::Dim(0), 3.0);
        for (axis, length) in (1..).zip([size.x, size.y, size.z, 1, 1, 1, 1]) {
            if length > i16::MAX as usize {
                let expected = "at most 32767 voxels along an axis of a NIfTI-1 file";
                return Err(Error::Field { path: path.into(), field: "dim", expected, got: size.to_string() });
            }
            header.set(Field::Dim(axis), length as f64);
        }
        for (row, values) in affine.rows().into_iter().enumerate() {
            for (column, value) in values.into_iter().enumerate() {
                header.set(Field::Srow(row, column), value);
            }
        }
        header.set(Field::SformCode, 1.0);
        for (axis, length) in (1..).zip(affine.spacing()) {
            header.set(Field::Pixdim(axis), length);
        }
        let mirrored = affine.is_mirrored();
        header.set(Field::Pixdim(0), if mirrored { -1.0 } else { 1.0 });
        // Millimetres and seconds.
        header.set(Field::Units, 10.0);
        if affine.shear() < 1e-5 {
            header.set(Field::QformCode, 1.0);
            for (axis, part) in quaternion(affine, mirrored).into_iter().enumerate() {
                header.set(Field::Quatern(axis), part);
                header.set(Field::Qoffset(axis), affine.column(3)[axis]);
            }
        }
        Ok(header)
    }

    fn set(&mut self, field: Field, value: f64) {
        let (version, order) = (self.version(), self.order());
        field.write(self.bytes_mut(), version, order, value);
    }

    /// The header's bytes and these extensions, up to the first voxel.
    fn with_extensions(&self, extensions: &[&Extension]) -> Vec<u8> {
        let mut between = vec![u8::from(!extensions.is_empty()), 0, 0, 0];
        for extension in extensions {
            let length = (8 + extension.content.len()).next_multiple_of(ALIGNMENT);
            let start = between.len();
            between.resize(start + length, 0);
            put(&mut between, start, self.order(), (length as i32).to_ne_bytes());
            put(&mut between, start + 4, self.order(), extension.code.to_ne_bytes());
            between[start + 8..][..extension.content.len()].copy_from_slice(&extension.content);
        }
        let mut header = self.clone();
        header.set(Field::VoxOffset, (header.bytes().len() + between.len()) as f64);
        let mut bytes = header.bytes().to_vec();
        bytes.extend(between);
        bytes
    }
}

fn datatype(sample: SampleType) -> i16 {
    match sample {
        SampleType::U8 => 2,
        SampleType::I16 => 4,
        SampleType::I32 => 8,
        SampleType::F32 => 16,
        SampleType::F64 => 64,
        SampleType::I8 => 256,
        SampleType::U16 => 512,
        SampleType::U32 => 768,
        SampleType::I64 => 1024,
        SampleType::U64 => 1280,
    }
}

/// `quatern_b`, `c` and `d` of an affine without shear, whose third axis counts backwards if it is mirrored: `nifti_mat44_to_quatern`.
fn quaternion(affine: &Affine, mirrored: bool) -> [f64; 3] {
    let spacing = affine.spacing();
    let side = if mirrored { -1.0 } else { 1.0 };
    let [r, s, t] = affine.rows().map(|row| [row[0] / spacing[0], row[1] / spacing[1], side * row[2] / spacing[2]]);
    let trace = r[0] + s[1] + t[2];
    let parts = if trace > -0.5 {
        let a = (1.0 + trace).sqrt() / 2.0;
        [a, (t[1] - s[2]) / (4.0 * a), (r[2] - t[0]) / (4.0 * a), (s[0] - r[1]) / (4.0 * a)]
    } else if r[0] >= s[1] && r[0] >= t[2] {
        let b = (1.0 + r[0] - s[1] - t[2]).max(0.0).sqrt() / 2.0;
        [(t[1] - s[2]) / (4.0 * b), b, (r[1] + s[0]) / (4.0 * b), (r[2] + t[0]) / (4.0 * b)]
    } else if s[1] >= t[2] {
        let c = (1.0 + s[1] - r[0] - t[2]).max(0.0).sqrt() / 2.0;
        [(r[2] - t[0]) / (4.0 * c), (r[1] + s[0]) / (4.0 * c), c, (s[2] + t[1]) / (4.0 * c)]
    } else {
        let d = (1.0 + t[2] - r[0] - s[1]).max(0.0).sqrt() / 2.0;
        [(s[0] - r[1]) / (4.0 * d), (r[2] + t[0]) / (4.0 * d), (s[2] + t[1]) / (4.0 * d), d]
    };
    let [a, vector @ ..] = parts;
    // `a` is not stored, and taken for positive.
    vector.map(|part| if a < 0.0 { -part } else { part })
}
