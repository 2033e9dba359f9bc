//! Where a NIfTI header keeps what.

use crate::ByteOrder;

/// A version of the NIfTI standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NiftiVersion {
    /// 348 bytes, 16-bit lengths.
    One,
    /// 540 bytes, 64-bit lengths.
    Two,
}

impl NiftiVersion {
    /// Size of the header in bytes, without extensions.
    #[must_use]
    pub fn header_bytes(self) -> usize {
        match self {
            Self::One => 348,
            Self::Two => 540,
        }
    }
}

/// A field of the header whose value is used.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field {
    /// `dim[0]` to `dim[7]`.
    Dim(usize),
    Datatype,
    Bitpix,
    /// `pixdim[0]` to `pixdim[7]`.
    Pixdim(usize),
    VoxOffset,
    SclSlope,
    SclInter,
    CalMax,
    CalMin,
    Units,
    QformCode,
    SformCode,
    /// `quatern_b`, `c`, `d`.
    Quatern(usize),
    /// `qoffset_x`, `y`, `z`.
    Qoffset(usize),
    /// Row and column of the sform.
    Srow(usize, usize),
}

/// How a field is stored.
#[derive(Clone, Copy, Debug)]
enum Form {
    U8,
    I16,
    I32,
    I64,
    F32,
    F64,
}

impl Field {
    /// Its first byte and form, as in `nifti1.h` and `nifti2.h`.
    fn place(self, version: NiftiVersion) -> (usize, Form) {
        match (version, self) {
            (NiftiVersion::One, Self::Dim(axis)) => (40 + 2 * axis, Form::I16),
            (NiftiVersion::One, Self::Datatype) => (70, Form::I16),
            (NiftiVersion::One, Self::Bitpix) => (72, Form::I16),
            (NiftiVersion::One, Self::Pixdim(axis)) => (76 + 4 * axis, Form::F32),
            (NiftiVersion::One, Self::VoxOffset) => (108, Form::F32),
            (NiftiVersion::One, Self::SclSlope) => (112, Form::F32),
            (NiftiVersion::One, Self::SclInter) => (116, Form::F32),
            (NiftiVersion::One, Self::Units) => (123, Form::U8),
            (NiftiVersion::One, Self::CalMax) => (124, Form::F32),
            (NiftiVersion::One, Self::CalMin) => (128, Form::F32),
            (NiftiVersion::One, Self::QformCode) => (252, Form::I16),
            (NiftiVersion::One, Self::SformCode) => (254, Form::I16),
            (NiftiVersion::One, Self::Quatern(axis)) => (256 + 4 * axis, Form::F32),
            (NiftiVersion::One, Self::Qoffset(axis)) => (268 + 4 * axis, Form::F32),
            (NiftiVersion::One, Self::Srow(row, column)) => (280 + 16 * row + 4 * column, Form::F32),
            (NiftiVersion::Two, Self::Datatype) => (12, Form::I16),
            (NiftiVersion::Two, Self::Bitpix) => (14, Form::I16),
            (NiftiVersion::Two, Self::Dim(axis)) => (16 + 8 * axis, Form::I64),
            (NiftiVersion::Two, Self::Pixdim(axis)) => (104 + 8 * axis, Form::F64),
            (NiftiVersion::Two, Self::VoxOffset) => (168, Form::I64),
            (NiftiVersion::Two, Self::SclSlope) => (176, Form::F64),
            (NiftiVersion::Two, Self::SclInter) => (184, Form::F64),
            (NiftiVersion::Two, Self::CalMax) => (192, Form::F64),
            (NiftiVersion::Two, Self::CalMin) => (200, Form::F64),
            (NiftiVersion::Two, Self::QformCode) => (344, Form::I32),
            (NiftiVersion::Two, Self::SformCode) => (348, Form::I32),
            (NiftiVersion::Two, Self::Quatern(axis)) => (352 + 8 * axis, Form::F64),
            (NiftiVersion::Two, Self::Qoffset(axis)) => (376 + 8 * axis, Form::F64),
            (NiftiVersion::Two, Self::Srow(row, column)) => (400 + 32 * row + 8 * column, Form::F64),
            (NiftiVersion::Two, Self::Units) => (500, Form::I32),
        }
    }

    /// Its value as a real number, exact for every form but huge 64-bit integers.
    pub(crate) fn read(self, header: &[u8], version: NiftiVersion, order: ByteOrder) -> f64 {
        let (at, form) = self.place(version);
        match form {
            Form::U8 => f64::from(header[at]),
            Form::I16 => f64::from(i16::from_ne_bytes(ordered(header, at, order))),
            Form::I32 => f64::from(i32::from_ne_bytes(ordered(header, at, order))),
            Form::I64 => i64::from_ne_bytes(ordered(header, at, order)) as f64,
            Form::F32 => f64::from(f32::from_ne_bytes(ordered(header, at, order))),
            Form::F64 => f64::from_ne_bytes(ordered(header, at, order)),
        }
    }

    /// Sets it; what the field's form cannot hold is saturated or rounded.
    pub(crate) fn write(self, header: &mut [u8], version: NiftiVersion, order: ByteOrder, value: f64) {
        let (at, form) = self.place(version);
        match form {
            Form::U8 => header[at] = value as u8,
            Form::I16 => put(header, at, order, (value as i16).to_ne_bytes()),
            Form::I32 => put(header, at, order, (value as i32).to_ne_bytes()),
            Form::I64 => put(header, at, order, (value as i64).to_ne_bytes()),
            Form::F32 => put(header, at, order, (value as f32).to_ne_bytes()),
            Form::F64 => put(header, at, order, value.to_ne_bytes()),
        }
    }
}

/// Puts a number's bytes of this machine in another order.
pub(crate) fn put<const N: usize>(bytes: &mut [u8], at: usize, order: ByteOrder, mut number: [u8; N]) {
    if order != ByteOrder::NATIVE {
        number.reverse();
    }
    bytes[at..at + N].copy_from_slice(&number);
}

/// A number's bytes in the order of this machine.
pub(crate) fn ordered<const N: usize>(bytes: &[u8], at: usize, order: ByteOrder) -> [u8; N] {
    let mut number = [0; N];
    number.copy_from_slice(&bytes[at..at + N]);
    if order != ByteOrder::NATIVE {
        number.reverse();
    }
    number
}
