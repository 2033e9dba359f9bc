//! How voxels are stored.

use std::fmt;

/// The order of a number's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// The least significant byte first.
    Little,
    /// The most significant byte first.
    Big,
}

impl ByteOrder {
    /// That of this machine.
    pub const NATIVE: Self = if cfg!(target_endian = "big") { Self::Big } else { Self::Little };
}

/// The type of a stored voxel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum SampleType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl SampleType {
    /// Size of a voxel in bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Appends stored voxels as real values, `value x slope + intercept` computed in `f64`. Bytes after the last whole voxel are left out.
    pub(crate) fn decode(self, bytes: &[u8], order: ByteOrder, [slope, intercept]: [f64; 2], values: &mut Vec<f32>) {
        macro_rules! decode {
            ($type:ty) => {{
                let number = |bytes: &[u8; size_of::<$type>()]| match order {
                    ByteOrder::Little => <$type>::from_le_bytes(*bytes),
                    ByteOrder::Big => <$type>::from_be_bytes(*bytes),
                };
                let (chunks, _) = bytes.as_chunks();
                values.extend(chunks.iter().map(|bytes| (number(bytes) as f64 * slope + intercept) as f32));
            }};
        }
        #[allow(clippy::cast_lossless, reason = "lossless for some of the types only")]
        match self {
            Self::U8 => decode!(u8),
            Self::I8 => decode!(i8),
            Self::U16 => decode!(u16),
            Self::I16 => decode!(i16),
            Self::U32 => decode!(u32),
            Self::I32 => decode!(i32),
            Self::U64 => decode!(u64),
            Self::I64 => decode!(i64),
            Self::F32 => decode!(f32),
            Self::F64 => decode!(f64),
        }
    }
}

impl fmt::Display for SampleType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        };
        f.write_str(name)
    }
}
