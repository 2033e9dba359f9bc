//! How the pixels of a DICOM file are encoded.

use crate::ByteOrder;

/// How the pixels of a DICOM file are encoded: what of its transfer syntax (PS3.5, annex A) matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// One after the other.
    Native(ByteOrder),
    /// In fragments, compressed.
    Encapsulated(Compression),
}

/// How pixels are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Rle,
    /// Baseline or lossless.
    Jpeg,
    JpegLs,
    Jpeg2000,
}

impl Syntax {
    /// What a transfer syntax's UID stands for; `None` if it cannot be read.
    pub(crate) fn of(uid: &str) -> Option<Self> {
        let after = uid.strip_prefix("1.2.840.10008.1.2")?;
        Some(match after {
            "" | ".1" => Self::Native(ByteOrder::Little),
            ".2" => Self::Native(ByteOrder::Big),
            ".5" => Self::Encapsulated(Compression::Rle),
            ".4.50" | ".4.51" | ".4.57" | ".4.70" => Self::Encapsulated(Compression::Jpeg),
            ".4.80" | ".4.81" => Self::Encapsulated(Compression::JpegLs),
            ".4.90" | ".4.91" => Self::Encapsulated(Compression::Jpeg2000),
            _ => return None,
        })
    }

    /// Whether elements have no types: only the first transfer syntax.
    pub(crate) fn is_implicit(uid: &str) -> bool {
        uid == "1.2.840.10008.1.2"
    }
}
